/** The audit over a log in which somebody put markers of their own: it tells of each, and audits as if they were not there. */
import { beforeAll, describe, expect, test } from 'vitest'
import { auditLog } from '../../../../ops/check/audit/audit.ts'
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
        'it cannot be read: it looks like a marker and is not signed',
        'it cannot be read: it looks like a marker, and its signature does not hold here',
        'it cannot be read: it is a copy of a marker, or of a key that was replaced',
      ]),
    )
  })

  test('error: under the rules without keys they would count', async () => {
    const report = await auditLog(forged.log, { topics: forged.topics, rules: { ...SIGNED_RULES, markerKeys: [] } })
    expect(report.skipped + report.duplicated).toBeGreaterThan(0)
  })
})
