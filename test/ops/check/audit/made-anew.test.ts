/** Topics that were deleted and made anew: the audit names each, and tells what follows from it as one. */
import { beforeAll, describe, expect, test } from 'vitest'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { textOf } from '../../../../ops/base/output.ts'
import { auditLog } from '../../../../ops/check/audit/audit.ts'
import type { TopicMadeAnew } from '../../../../ops/check/audit/made-anew.ts'
import { readAnew } from '../../../../ops/check/audit/read-anew.ts'
import { renderAudit } from '../../../../ops/check/audit/render.ts'
import { anewWith, type Owner, writeOwner } from '../../../../ops/ground/cluster/owner.ts'
import type { Log } from '../../../../streams/ports.ts'
import type { Topics } from '../../../../topology/topics.ts'
import { PAID_RULES, runScenario, type Scenario } from './scenario.ts'

let scenario: Scenario
beforeAll(async () => {
  scenario = await runScenario({ seed: 1, days: true })
}, 120_000)

const LATER = Date.UTC(2100, 0, 1)

/** @param emptied has no records any more; `told` are topics that are known to have been made anew */
function auditWithout(emptied: keyof Topics, ...told: Pick<TopicMadeAnew, 'topic' | 'recordedAt'>[]) {
  const { log, topics } = scenario
  const cut = log.copy()
  for (let partition = 0; partition < topics[emptied].partitions; partition++)
    cut.expire(topics[emptied], partition, Number.POSITIVE_INFINITY)
  const anew = told.map((one): TopicMadeAnew => ({ ...one, name: topics[one.topic].name, ids: ['old', 'new'] }))
  return auditLog(cut, { topics, rules: PAID_RULES, anew })
}

const totalOf = ({ lost, duplicated, skipped, mismatches }: Awaited<ReturnType<typeof auditLog>>): number =>
  lost + duplicated + skipped + mismatches

describe('one finding', () => {
  test.each<[keyof Topics, string]>([
    ['verdicts', 'the verdicts that were in it are gone'],
    ['anchors', 'what was anchored stands in the contract'],
    ['batches', 'what was in it is gone'],
    ['slots', 'the owners of slots'],
    ['payments', 'rewards --reconcile'],
    ['payouts', 'what was in it is gone'],
    ['days', 'what was in it is gone'],
    ['slotDays', 'what was in it is gone'],
  ])('default: %s', async (topic, words) => {
    const one = await auditWithout(topic)
    expect(one.differences.length).toBeGreaterThan(1)
    const told = await auditWithout(topic, { topic, recordedAt: LATER })
    expect(totalOf(told)).toBe(totalOf(one))
    expect(told.differences.filter(({ where }) => where === scenario.topics[topic].name)).toHaveLength(1)
    expect(told.differences.slice(1)).toEqual([])
    const [{ message, kind }] = told.differences as [(typeof told.differences)[number]]
    expect(message).toContain('deleted and made anew: its id was old and is new, on record as it is since 2100-01-01')
    expect(message).toContain(words)
    const printed = { lost: 'lost', duplicated: 'duplicated', skipped: 'skipped', mismatches: 'different' }
    expect(message).toContain(`From that alone follow: ${one[kind]} ${printed[kind]} (`)
  })
})

test('behavior: what came after the topic was put on record as it is does not follow from it', async () => {
  const one = await auditWithout('verdicts')
  const told = await auditWithout('verdicts', { topic: 'verdicts', recordedAt: 0 })
  expect(told.differences).toEqual(one.differences)
  expect(told).toMatchObject({ lost: one.lost, mismatches: one.mismatches })
})

test('error: a topic made anew that is not on record as it is is a mismatch, even where nothing shows it', async () => {
  const { log, topics } = scenario
  const anew: TopicMadeAnew[] = [{ topic: 'anchors', name: 'anchors', ids: ['old', 'new'], recordedAt: undefined }]
  const report = await auditLog(log, { topics, rules: PAID_RULES, anew })
  expect(report).toMatchObject({ lost: 0, duplicated: 0, skipped: 0, mismatches: 1 })
  const text = textOf(renderAudit(report))
  expect(text).toContain(
    'different: anchors: the topic was deleted and made anew: its id was old and is new, it is not',
  )
  expect(text).toContain('Nothing here shows it.')
  const accepted = await auditLog(log, { topics, rules: PAID_RULES, anew: [{ ...anew[0]!, recordedAt: LATER }] })
  expect(accepted).toMatchObject({ mismatches: 0, differences: [] })
})

test('behavior: what else differs is told beside it', async () => {
  const { differences } = await auditWithout('verdicts', { topic: 'anchors', recordedAt: LATER })
  expect(differences.length).toBeGreaterThan(1)
  expect(differences.some(({ where }) => where === 'anchors')).toBe(false)
})

test('error: a call that was given up is told by itself, whatever was made anew', async () => {
  const { log, topics } = scenario
  const late = log.copy()
  late.edit(topics.anchors, (row) =>
    row.state === 'FINAL' ? { ...row, state: 'LATE' as const, error: 'too late' } : undefined,
  )
  late.repeat(topics.anchors, (row) => row.state === 'LATE')
  const anew: TopicMadeAnew[] = (['submissions', 'batches', 'anchors', 'slots'] as const).map((topic) => ({
    ...{ topic, name: topics[topic].name, ids: ['old', 'new'], recordedAt: LATER },
  }))
  const { differences } = await auditLog(late, { topics, rules: PAID_RULES, anew })
  const told = differences.filter(({ where }) => !anew.some(({ name }) => name === where))
  expect(told.map(({ kind, message }) => [kind, message])).toContainEqual(['skipped', 'it is LATE for good: too late'])
})

test('default: they are known by the owner on record, also when they are on record as they are', async () => {
  const { topics } = scenario
  const kept = createMemoryLog()
  const ids: Record<string, string> = { [topics.anchors.name]: 'b', [topics.verdicts.name]: 'c' }
  const topicIds: Log['topicIds'] = async (names) => new Map(names.map((name) => [name, ids[name]!]))
  const log = Object.assign(Object.create(kept) as Log, { topicIds })
  expect(await readAnew({ log, topics })).toEqual([])
  const owner: Owner = { appId: 'a', topics: { [topics.anchors.name]: 'a', [topics.verdicts.name]: 'c' } }
  await writeOwner(log, 't-', owner, 0)
  const known = { topic: 'anchors', name: topics.anchors.name, ids: ['a', 'b'] }
  expect(await readAnew({ log, topics })).toEqual([{ ...known, recordedAt: undefined }])
  const anew = anewWith(owner, ids, 77)
  await writeOwner(log, 't-', { ...owner, topics: ids, anew }, 0)
  expect(await readAnew({ log, topics })).toEqual([{ ...known, recordedAt: 77 }])
  expect(anewWith({ ...owner, topics: ids, anew }, { ...ids, [topics.verdicts.name]: 'd' }, 99)).toEqual({
    [topics.anchors.name]: { at: 77, before: 'a' },
    [topics.verdicts.name]: { at: 99, before: 'c' },
  })
})
