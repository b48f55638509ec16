import { describe, expect, it } from 'vitest'
import type { Head } from '../../../../connectors/evm/anchor-effects/anchor-chain.ts'
import { ANCHOR_DEFAULTS, type AnchorSettings } from '../../../../connectors/evm/anchor-effects/anchor-options.ts'
import { createAttestationWatch } from '../../../../connectors/evm/anchor-effects/anchor-watch.ts'
import type { HeadWatch } from '../../../../connectors/evm/anchor-effects/head-watch.ts'
import { protocolStateInterface as abi } from '../../../../connectors/evm/contract/abi.ts'
import type { Ask } from '../../../../connectors/evm/nodes/ask.ts'
import { hex } from '../../../hex.ts'
import { CID, intentOf, KEY, MARKET, STATE } from './scripted-send.ts'

const ROOT = `0x${'ab'.repeat(32)}`
const VALIDATORS = [1, 2, 3].map((n) => `0x${`${n}`.repeat(40)}`)
const hashAt = (n: number): string => `0x${n.toString(16).padStart(64, '0')}`

interface Event {
  readonly name: string
  readonly block: number
  readonly validator?: string
  /** By default each event has a transaction of its own. */
  readonly transaction?: number
  readonly root?: string
  /** Heads for which it is missing in answers. */
  readonly hidden?: number
}

const logOf = ({ name, block, validator, transaction = block }: Event) => {
  const args = name.startsWith('SnapshotBatchAttestation')
    ? [MARKET, CID, KEY.epochId, 1, validator]
    : [MARKET, KEY.epochId, CID, 1]
  const where = { blockNumber: hex(block), blockHash: hashAt(block), transactionHash: hashAt(transaction) }
  return { ...abi.encodeEventLog(name, args), ...where, address: STATE, removed: false }
}

/** From one head to another the node adds so much to what it says its head is. */
interface Lie {
  readonly from: number
  readonly to: number
  readonly adds: number
  /** Refuses what it does not have, where it would answer with nothing. */
  readonly refuses: boolean
}

/**
 * Watches a batch of block 5 while the head goes from 6 to `until`, a block a turn. A node that gives events of a block only
 * from `hidden` heads later on answers with nothing before. Gives what was told, with the head at which it was.
 */
async function watching(events: readonly Event[], until: number, hidden = 0, lie?: Lie): Promise<string[]> {
  let head = 6
  const told: string[] = []
  const said = (): number => (lie && head >= lie.from && head < lie.to ? head + lie.adds : head)
  const abort = new AbortController()
  const ask: Ask = async (method, [first]) => {
    if (method === 'eth_blockNumber') return hex(said())
    if (method === 'eth_getTransactionByHash') {
      const { root = ROOT } = events.find(({ block, transaction = block }) => hashAt(transaction) === first)!
      return { hash: first, input: abi.encodeFunctionData('submitBatchAttestation', [MARKET, CID, KEY.epochId, root]) }
    }
    const { fromBlock, toBlock } = first as { fromBlock: string; toBlock: string }
    if (lie?.refuses && Number(toBlock) > head) throw new Error(`no block ${Number(toBlock)}`)
    const seen = events.filter(({ block }) => block >= Number(fromBlock) && block <= Number(toBlock))
    return seen
      .filter((one) => head - one.block >= (one.hidden ?? hidden))
      .map((event, i) => ({ ...logOf(event), logIndex: hex(i) }))
  }
  const headAt = (number: number): Head => ({
    ...{ number, hash: hashAt(number), parentHash: hashAt(number - 1), contractBlock: number, gasLimit: 1 },
    baseFeePerGas: 1n,
  })
  const heads: HeadWatch = {
    get head() {
      return headAt(said())
    },
    done: Promise.resolve(),
    changed: async () => {
      if (++head > until) abort.abort()
      return headAt(said())
    },
  }
  const observer = { notFinalized: () => void told.push(`not finalized at ${head}`) }
  const settings = {
    ...ANCHOR_DEFAULTS,
    confirmations: 3,
    protocolStateOf: () => STATE,
    observer,
  } as unknown as AnchorSettings
  const watch = createAttestationWatch(settings, {
    rpc: { read: (reading) => reading(ask) },
    heads,
    persist: async (action) => {
      for (;;)
        try {
          return await action()
        } catch (error) {
          if (++head > until) throw error
        }
    },
    answer: async (_, { outcome, attestation }) => {
      const of = attestation ? ` ${VALIDATORS.indexOf(attestation.validator)} ${attestation.matches}` : ''
      told.push(`${outcome}${of} at ${head}`)
    },
    signal: abort.signal,
  })
  watch.add(KEY, intentOf([], { step: 'WATCH', blockNumber: 5, finalizedCidsRootHash: ROOT }))
  await watch.follow()
  return told
}

const attested = (block: number, validator: number, root = ROOT): Event => ({
  ...{ name: 'SnapshotBatchAttestationSubmitted', block, root },
  validator: VALIDATORS[validator]!,
})

describe('createAttestationWatch', () => {
  it('default: tells attestations at the depth, each once', async () => {
    const events = [attested(7, 0), attested(9, 1, hashAt(1))]
    expect(await watching(events, 120)).toEqual(['ATTESTED 0 true at 10', 'ATTESTED 1 false at 12'])
  })

  it('behavior: what was missing in an answer is found by a second look', async () => {
    const diverged: Event = { name: 'TriggerBatchResubmission', block: 9, transaction: 9 }
    const events = [attested(7, 0), { ...attested(9, 1), transaction: 9 }, diverged]
    const told = await watching(events, 120, 20)
    expect(told.map((one) => one.replace(/ at .*/, ''))).toEqual(['ATTESTED 0 true', 'ATTESTED 1 true', 'DIVERGED'])
  })

  it.each([
    ['answers with nothing', false],
    ['refuses', true],
  ])('behavior: a head that a node invents for a while, and %s beyond its own, hides nothing', async (_, refuses) => {
    const told = await watching([attested(12, 0), attested(20, 1)], 120, 0, { from: 8, to: 15, adds: 1_000, refuses })
    expect(told).toEqual([expect.stringMatching(/^ATTESTED 0 true at 1[5-7]$/), 'ATTESTED 1 true at 23'])
  })

  const forced: Event = { name: 'TriggerBatchResubmission', block: 40 }

  it.each([
    ['nobody attested', []],
    ['one validator agreed', [attested(7, 0)]],
    ['one agreed and one did not', [attested(7, 0), attested(8, 1, hashAt(1))]],
  ])('behavior: a completion that was forced when %s says nothing against the batch', async (_what, votes) => {
    const told = await watching([...votes, forced], 120)
    expect(told.filter((one) => !one.startsWith('ATTESTED'))).toEqual([expect.stringMatching(/^not finalized/)])
  })

  it('behavior: forced when more attested another root, it is diverged', async () => {
    const told = await watching([attested(7, 0, hashAt(1)), attested(8, 1, hashAt(1)), attested(9, 2), forced], 120)
    expect(told.at(-1)).toBe('DIVERGED at 43')
  })

  it('behavior: votes that were missing in the answer that told of the force are counted by the second look', async () => {
    const late = { hidden: 20 }
    const votes = [attested(38, 0, hashAt(1)), attested(39, 1, hashAt(1))].map((vote) => ({ ...vote, ...late }))
    const told = await watching([...votes, forced], 120)
    expect(told.map((one) => one.replace(/ at .*/, ''))).toEqual(['ATTESTED 0 false', 'ATTESTED 1 false', 'DIVERGED'])
  })
})
