/** The audit over a log in which somebody put markers, ticks or results of their own: it tells of each, and audits as if they were not there. */
import { beforeAll, describe, expect, test } from 'vitest'
import { auditLog } from '../../../../ops/check/audit/audit.ts'
import { sealedTopics } from '../../../../topology/shared/seals.ts'
import { RULES, runScenario, type Scenario, SIGNED_RULES } from './scenario.ts'

const SEED = 31
/** Per block: two in each of three partitions, and one copy. */
const FORGED_PER_BLOCK = 7
const BLOCKS = 21

let forged: Scenario
let honest: Scenario
beforeAll(async () => {
  forged = await runScenario({ seed: SEED, forgers: true })
  honest = await runScenario({ seed: SEED })
})

describe('markers that tick-fanout did not write', () => {
  test('behavior: change no verdict', () => {
    expect(forged.reasons).toEqual(honest.reasons)
  })

  test('behavior: are told one by one, and nothing else differs', async () => {
    const report = await auditLog(forged.log, { topics: forged.topics, rules: SIGNED_RULES })
    expect(report).toMatchObject({ epochsReleased: 8, epochsClosed: 8, epochsAnchored: 8 })
    const { pending } = await auditLog(honest.log, { topics: honest.topics, rules: RULES })
    expect(report).toMatchObject({ lost: 0, duplicated: 0, skipped: 0, pending })
    expect(report.mismatches).toBe(FORGED_PER_BLOCK * BLOCKS)
    const told = new Set(report.differences.map(({ message }) => message))
    expect(told).toEqual(
      new Set([
        'it cannot be read: it is not sealed',
        'it cannot be read: its seal does not hold here',
        'it cannot be read: it is a copy, or sealed with a key that was replaced',
      ]),
    )
  })

  test('error: under the rules without keys they would count', async () => {
    const report = await auditLog(forged.log, { topics: forged.topics, rules: { ...SIGNED_RULES, markerKeys: [] } })
    expect(report.skipped + report.duplicated).toBeGreaterThan(0)
  })
})

describe('records that decide, of somebody else', () => {
  const RECORDS = ['epochTicks', 'batches', 'anchorIntents', 'anchorResults'] as const

  test.each(RECORDS)(
    'behavior: %s: one without a seal, and a copy, are told with their place, and count for nothing',
    async (name) => {
      const { log, topics } = await runScenario({ seed: SEED, forgers: true })
      const records = log.records(topics[name], 0)
      const before = await auditLog(log, { topics, rules: SIGNED_RULES })
      const [first, last] = [records[0]!, records.at(-1)!]
      records.push({ ...last, offset: records.length, headers: [] })
      records.push({ ...first, offset: records.length })
      const { mismatches, differences, ...rest } = await auditLog(log, { topics, rules: SIGNED_RULES })
      const { mismatches: known, differences: _, ...honestly } = before
      expect(mismatches).toBe(known + 2)
      expect(rest).toEqual(honestly)
      const place = (offset: number) => `${topics[name].name}[0] offset ${offset}`
      expect(differences.filter(({ where }) => where.startsWith(topics[name].name))).toMatchObject([
        { where: place(records.length - 2), message: 'it cannot be read: it is not sealed' },
        {
          where: place(records.length - 1),
          message: 'it cannot be read: it is a copy, or sealed with a key that was replaced',
        },
      ])
    },
  )

  test('behavior: in a log that was begun without seals those before the first sealed one count', async () => {
    const { log, topics: sealed } = await runScenario({ seed: SEED, forgers: true })
    const rules = { ...SIGNED_RULES, unsealedRecords: true }
    const topics = sealedTopics(sealed, rules)
    const before = await auditLog(log, { topics, rules })
    for (const name of RECORDS) {
      const records = log.records(topics[name], 0)
      for (let at = 0; at < records.length / 2; at++) records[at] = { ...records[at]!, headers: [] }
    }
    expect(await auditLog(log, { topics, rules })).toEqual(before)
    const { mismatches } = await auditLog(log, { topics: sealed, rules: SIGNED_RULES })
    expect(mismatches).toBeGreaterThan(before.mismatches)
  })
})
