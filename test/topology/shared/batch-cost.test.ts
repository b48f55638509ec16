import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { transactionOf } from '../../../ops/check/audit/transaction.ts'
import { finalizeProject } from '../../../topology/consensus/consensus.ts'
import { checkRules, MARKET_DEFAULTS, TEXT_BYTES_MAX } from '../../../topology/rules.ts'
import { addCosts, costOfBatch, costOfProject, isTooCostly } from '../../../topology/shared/batch-cost.ts'
import { voteOf } from '../../../topology/shared/vote.ts'
import { hashOf, marketRules, rulesOf, submissionOf } from '../world.ts'

interface Measured {
  readonly isNew: boolean
  readonly idBytes: readonly number[]
  readonly cidBytes: readonly number[]
  readonly gas: number
  readonly calldata: number
}
const measured = JSON.parse(
  readFileSync(new URL('../../vectors/batch-gas.json', import.meta.url), 'utf8'),
) as readonly Measured[]

const costOf = ({ idBytes, cidBytes }: Pick<Measured, 'idBytes' | 'cidBytes'>) =>
  costOfBatch(idBytes.map((bytes, i) => costOfProject(bytes, cidBytes[i]!)).reduce(addCosts))

describe('what the deployed contract takes', () => {
  test('behavior: never less gas than measured, and for projects that are new not a tenth more', () => {
    expect(measured.length).toBeGreaterThan(60)
    for (const one of measured) {
      expect(costOf(one).gas).toBeGreaterThanOrEqual(one.gas)
      if (one.isNew) expect(costOf(one).gas).toBeLessThan(one.gas * 1.1)
    }
  })
  test('behavior: calldata is exact', () => {
    for (const one of measured) expect(costOf(one).calldata).toBe(one.calldata)
  })
})

test('behavior: the audit reckons the same, whatever the texts', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 80 }),
    fc
      .tuple(fc.constantFrom('a', 'é', '語', '\u{1f600}'), fc.integer({ min: 0, max: 300 }))
      .map(([letter, count]) => letter.repeat(count)),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 60 }), (projects) => {
      const { gas, bytes } = transactionOf(projects.map(([projectId, snapshotCid]) => ({ projectId, snapshotCid })))
      const lengths = projects.map(([id, cid]) => costOfProject(Buffer.byteLength(id), Buffer.byteLength(cid)))
      expect(costOfBatch(lengths.reduce(addCosts))).toEqual({ gas, calldata: bytes })
    }),
  )
})

describe('rules', () => {
  test('default: a project of the widest rules there can be fits the bounds', () => {
    expect(isTooCostly(costOfProject(TEXT_BYTES_MAX.projectId, TEXT_BYTES_MAX.snapshotCid), MARKET_DEFAULTS)).toBe(
      false,
    )
  })
  test.each(['gas', 'calldata'] as const)('error: %s that the longest legal project does not fit', (what) => {
    const needed = costOfBatch(costOfProject(MARKET_DEFAULTS.projectIdBytesMax, MARKET_DEFAULTS.snapshotCidBytesMax))
    const name = what === 'gas' ? 'batchGasMax' : 'batchCalldataMax'
    expect(() => checkRules(rulesOf({ [name]: needed[what] }))).not.toThrow()
    expect(() => checkRules(rulesOf({ [name]: needed[what] - 1 }))).toThrow(
      `${name} of ${marketRules().dataMarket} is ${needed[what] - 1}; a project with the longest id and CID needs ${needed[what]}`,
    )
    expect(() => checkRules({ ...rulesOf(), addedMarkets: { ...MARKET_DEFAULTS, [name]: needed[what] - 1 } })).toThrow(
      name,
    )
  })
})

test('behavior: what was admitted by wider rules and fits no transaction has no winner, and each vote a verdict', () => {
  const closing = {
    tick: { blockNumber: 15, blockHash: hashOf(15), releaseBlock: 10 },
    headers: new Set([hashOf(11)]),
    blockTimes: [],
    market: marketRules(),
  }
  const votes = (snapshotCid: string) =>
    [submissionOf({ snapshotCid }), submissionOf({ slotId: 2, snapshotCid }), submissionOf({ slotId: 3 })].map((one) =>
      voteOf({ ...one, position: { partition: 0, offset: one.slotId } }),
    )
  const { snapshotCid, ballots, dropped } = finalizeProject('p', votes('c'.repeat(100_000)), closing)
  expect([snapshotCid, ballots]).toEqual(['', []])
  expect(dropped.map(({ reason, actual }) => [reason, actual])).toEqual(
    Array(3).fill(['UNANCHORABLE', expect.stringMatching(/^\d+ gas and 100516 bytes$/)]),
  )
  expect(finalizeProject('p', votes('c'.repeat(128)), closing)).toMatchObject({ votes: 2, dropped: [] })
})
