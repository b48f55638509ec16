import { beforeAll, describe, expect, test } from 'vitest'
import { textOf } from '../../../../ops/base/output.ts'
import { auditLog } from '../../../../ops/check/audit/audit.ts'
import { NAMED_ALONE } from '../../../../ops/check/audit/foreign.ts'
import { isClean, renderAudit } from '../../../../ops/check/audit/render.ts'
import type { RecordTopic } from '../../../../streams/kafka-topic.ts'
import { RULES, runScenario, type Scenario } from './scenario.ts'

/** The frame of a schema id that no registry here has ever given. */
const OF_UNKNOWN_SCHEMA = Buffer.from([0, 0, 0, 0x27, 0x0f, 1])
const TOPICS = [
  ...(['submissions', 'finalizations', 'verdicts', 'batches', 'anchors', 'anchorResults', 'slots', 'markets'] as const),
  ...NAMED_ALONE,
]

let scenario: Scenario
beforeAll(async () => {
  scenario = await runScenario({ seed: 41, partitions: 2 })
})

describe.each([
  ['a schema that is not known', OF_UNKNOWN_SCHEMA, 'schema id 9999 is not known'],
  ['no frame', Buffer.from('hello'), 'no Confluent envelope'],
  ['a null key', null, 'the key is null'],
])('a record with %s', (_name, bytes, why) => {
  test.each(TOPICS)('error: in %s is told with its place, and everything else is audited', async (name) => {
    const topic: Pick<RecordTopic<unknown, unknown>, 'name'> = scenario.topics[name]
    const log = scenario.log.copy()
    const records = log.records(topic, 0)
    const offset = (records.at(-1)?.offset ?? -1) + 1
    records.push({ offset, timestamp: 0, key: bytes, value: bytes, headers: [] })
    const { submissions, finalizations, batches } = scenario.topics
    log.commitAll('app', { validate: submissions, settle: finalizations, batch: finalizations, anchor: batches })
    const report = await auditLog(log, { topics: scenario.topics, rules: RULES, appId: 'app' })
    expect(report.differences).toEqual([
      {
        kind: 'mismatches',
        where: `${topic.name}[0] offset ${offset}`,
        message: expect.stringMatching(`^it cannot be read: .*${why}`),
      },
    ])
    expect(report).toMatchObject({
      epochsReleased: 8,
      epochsClosed: 8,
      epochsAnchored: 8,
      lost: 0,
      duplicated: 0,
      skipped: 0,
    })
    expect(isClean(report)).toBe(false)
    expect(textOf(renderAudit(report))).toContain(`${topic.name}[0] offset ${offset}: it cannot be read`)
  })
})
