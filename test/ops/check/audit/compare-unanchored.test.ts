import { describe, expect, test } from 'vitest'
import { auditLog } from '../../../../ops/check/audit/audit.ts'
import type { ChainView, EpochView } from '../../../../ops/check/audit/chain-view.ts'
import { compareUnanchored } from '../../../../ops/check/audit/compare-unanchored.ts'
import { Findings } from '../../../../ops/check/audit/report.ts'
import { MARKETS, RULES, runScenario } from './scenario.ts'

const dataMarket = MARKETS[0]
const CLOSED_AT = 10_000

/** A view whose newest block is at a number and a second, with one closed epoch that was released in block 100. */
function viewAt(contractBlock: number | undefined, timestamp: number, epoch: Partial<EpochView> = {}): ChainView {
  const close = { blockTimestamp: CLOSED_AT }
  const closed = { dataMarket, epochId: 7, releaseContractBlock: 100, close, ...epoch }
  const view = { heads: [{ contractBlock, timestamp }], epochs: new Map([['7', closed]]), hasLostRelease: () => false }
  return view as unknown as ChainView
}

async function toldOf(view: ChainView, window?: number): Promise<string[]> {
  const findings = new Findings()
  await compareUnanchored(view, window === undefined ? undefined : { batchWindow: async () => window }, findings)
  return findings.differences().map(({ kind, message }) => `${kind}: ${message}`)
}

describe('a closed epoch that is not anchored', () => {
  test('default: within the window and its grace it is none of our business', async () => {
    expect(await toldOf(viewAt(100 + 40 + 256, 99_999), 40)).toEqual([])
    expect(await toldOf(viewAt(undefined, CLOSED_AT + 3_600))).toEqual([])
  })

  test('error: behind it is told', async () => {
    const words = 'skipped: not anchored 297 blocks after its release; the window for batches has 40'
    expect(await toldOf(viewAt(100 + 40 + 257, CLOSED_AT), 40)).toEqual([words])
  })

  test.each([
    ['no node was asked', 500, undefined],
    ['the log does not say how the contract counts', undefined, 40],
  ])('error: by its time, when %s', async (_, block, window) => {
    expect(await toldOf(viewAt(block, CLOSED_AT + 3_601), window)).toEqual([
      'skipped: not anchored 3601 s after it closed',
    ])
  })

  test('behavior: one of which all is decided, or that is open, is not meant', async () => {
    expect(await toldOf(viewAt(9_999, 99_999, { isDecided: true }), 40)).toEqual([])
    expect(await toldOf(viewAt(9_999, 99_999, { close: undefined }), 40)).toEqual([])
  })

  test('behavior: the audit looks for it', async () => {
    const { log, topics } = await runScenario({ seed: 41 })
    log.drop(topics.anchors, (_, { epochId }) => epochId === 2)
    const chain = { batchWindow: async () => -1_000, slotsAt: async () => undefined, close: () => {} }
    const found = await auditLog(log, { topics, rules: RULES, chain: inert(chain) })
    const words = found.differences.filter(({ message }) => message.startsWith('not anchored'))
    expect(words.map(({ where }) => where).sort()).toEqual(MARKETS.map((market) => `epoch 2 of ${market}`).sort())
  })
})

/** A contract that knows nothing else. */
const inert = (known: object) =>
  new Proxy(known, { get: (of, name) => Reflect.get(of, name) ?? (async () => []) }) as never
