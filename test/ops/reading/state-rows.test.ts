/** Rows of state that are gone from the log: known by what a stage has committed, told by the audit and the doctor alike. */
import { expect, test } from 'vitest'
import { createMemoryLog } from '../../../connectors/log/memory/memory.ts'
import { tellLostState } from '../../../ops/check/audit/lost-state.ts'
import { Findings } from '../../../ops/check/audit/report.ts'
import { rowsMissing } from '../../../ops/reading/state-rows.ts'
import { createCodec } from '../../../schemas/codec.ts'
import { memoryRegistry } from '../../../schemas/registry.ts'
import type { Log } from '../../../streams/ports.ts'
import { sequencerTopics } from '../../../topology/topics.ts'

const VOTES = 'a-votes-changelog'
const partitions = { submissions: 2, validated: 2, admitted: 2, finalizations: 1, verdicts: 1 }
const topics = sequencerTopics(await createCodec(memoryRegistry()), { prefix: '', partitions })
const inputs = [0, 1].map((partition) => ({ topic: topics.admitted.name, partition }))
const CONSENSUS = { group: 'a-consensus', stage: 'consensus', inputs }

async function committed(needs: Readonly<Record<string, number>>): Promise<Log> {
  const log = createMemoryLog()
  await log.createTopics([{ name: VOTES, partitions: 2, cleanup: 'delete' }])
  await log.createTopics(Object.values(topics).map(({ name, partitions, cleanup }) => ({ name, partitions, cleanup })))
  const appender = await log.appender()
  for (const partition of [0, 1])
    await appender.append(
      Array.from({ length: 9 }, () => ({ topic: VOTES, partition, timestamp: 1, key: Buffer.from('k'), value: null })),
    )
  const writer = await log.transactionalWriter('consensus')
  const metadata = JSON.stringify({ place: 1, topics: {}, ends: {}, needs })
  const commits = inputs.map((at) => ({ ...at, next: 1, metadata: at.partition === 1 ? metadata : '' }))
  await writer.commit({ records: [], offsets: { group: CONSENSUS.group, commits } })
  return log
}

async function told(log: Log): Promise<readonly (readonly [string, string])[]> {
  const findings = new Findings()
  await tellLostState(log, topics, 'a', findings)
  return findings.differences().map(({ where, message }) => [where, message])
}

test('default: a changelog that begins where its state needs it, or before, is whole', async () => {
  const log = await committed({ [`${VOTES}/1`]: 4 })
  await log.deleteRecords([{ topic: VOTES, partition: 1, offset: 4 }])
  expect(await rowsMissing(log, CONSENSUS)).toBe(undefined)
  expect(await told(log)).toEqual([])
})

test('error: one that begins behind it is named, with both offsets', async () => {
  const log = await committed({ [`${VOTES}/1`]: 4, 'gone-changelog/0': 1 })
  await log.deleteRecords([{ topic: VOTES, partition: 1, offset: 5 }])
  const words = `${VOTES}/1 begins at offset 5, but the state of stage consensus needs its rows from 4 on`
  expect((await rowsMissing(log, CONSENSUS))?.message).toContain(words)
  expect(await told(log)).toEqual([[`${VOTES}[1]`, expect.stringContaining(words)]])
})

test('behavior: what an older release committed says nothing', async () => {
  const log = await committed({})
  await log.deleteRecords([{ topic: VOTES, partition: 1, offset: 5 }])
  expect(await told(log)).toEqual([])
})

test('behavior: a stage that commits and purges while it is looked at is not missed', async () => {
  const log = await committed({ [`${VOTES}/1`]: 4 })
  const bounds: Log['bounds'] = async (at) => {
    const needs = { [`${VOTES}/1`]: 7 }
    const metadata = JSON.stringify({ place: 1, topics: {}, ends: {}, needs })
    const writer = await log.transactionalWriter('consensus')
    const commits = [{ ...inputs[1]!, next: 2, metadata }]
    await writer.commit({ records: [], offsets: { group: CONSENSUS.group, commits } })
    await log.deleteRecords([{ topic: VOTES, partition: 1, offset: 7 }])
    return log.bounds(at)
  }
  expect(await rowsMissing(Object.assign(Object.create(log) as Log, { bounds }), CONSENSUS)).toBe(undefined)
})
