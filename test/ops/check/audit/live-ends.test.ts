import { expect, test } from 'vitest'
import { auditLog } from '../../../../ops/check/audit/audit.ts'
import type { EpochKey } from '../../../../schemas/types.ts'
import type { Log, LogRecord, TopicPartition } from '../../../../streams/ports.ts'
import { isMarker } from '../../../../topology/topics.ts'
import { RULES, runScenario, type Scenario } from './scenario.ts'

const LAGS = 1
const APP = 'live'

const epochOf = ({ dataMarket, epochId }: EpochKey): string => `${dataMarket.toLowerCase()}/${epochId}`

/** As if nothing came behind the last markers of one partition, and `validate` stood before these. @returns the first of them */
function standBefore({ log, topics }: Scenario, markers: number): number {
  const { submissions, verdicts, finalizations, batches } = topics
  const isTick = ({ value }: LogRecord) => isMarker(submissions.value.decode(value!))
  const records = log.records(submissions, LAGS)
  const from = records.filter(isTick).at(-markers)!.offset
  records.splice(0, records.length, ...records.filter((record) => record.offset < from || isTick(record)))
  const closed = new Set(
    records.flatMap(({ offset, value }) => {
      const event = submissions.value.decode(value!)
      return offset < from && isMarker(event) && event.tick.kind === 'CLOSE' ? [epochOf(event.tick)] : []
    }),
  )
  log.drop(
    verdicts,
    ({ position, reason }, { dataMarket, epochId }) =>
      (position!.partition === LAGS && position!.offset >= from) ||
      // the seat that it lacks may be that of a vote which is not here any more
      (reason === 'RATE_LIMITED' && !closed.has(epochOf({ dataMarket, epochId }))),
  )
  log.commitAll(APP, { validate: submissions, settle: finalizations, batch: finalizations, anchor: batches })
  log.committed.set(`${APP}-validate/${submissions.name}/${LAGS}`, from)
  return from
}

/** What lies in one partition from an offset on becomes readable after the first question for its end. */
function lagging({ log, topics: { submissions } }: Scenario, from: number): Log {
  let asked = 0
  return Object.assign(log.copy(), {
    bounds: async (partitions: readonly TopicPartition[]) =>
      (await log.bounds(partitions)).map((bounds, at) => {
        const { topic, partition } = partitions[at]!
        const isBehind = topic === submissions.name && partition === LAGS && asked++ === 0
        return isBehind ? { ...bounds, stable: from } : bounds
      }),
    ends: (partitions: readonly TopicPartition[]) => log.ends(partitions),
  })
}

const auditOf = ({ topics }: Scenario, log: Log) => auditLog(log, { topics, rules: RULES, appId: APP })

test.each([1, 2, 3, 4, 5])(
  'behavior: markers that one partition shows later are not called missing, seed %i',
  async (seed) => {
    const scenario = await runScenario({ seed, partitions: 3, openEnd: true })
    const from = standBefore(scenario, 3)
    const report = await auditOf(scenario, lagging(scenario, from))
    expect(report).toEqual(await auditOf(scenario, scenario.log))
    expect(report).toMatchObject({ lost: 0, duplicated: 0, skipped: 0, mismatches: 0 })
  },
)

test('error: markers that one partition lacks for good, at its end, are missing', async () => {
  const scenario = await runScenario({ seed: 3, partitions: 3, openEnd: true })
  standBefore(scenario, 1)
  const { submissions } = scenario.topics
  const records = scenario.log.records(submissions, LAGS)
  const last = records.filter(({ value }) => isMarker(submissions.value.decode(value!))).at(-1)!
  records.splice(records.indexOf(last), 1)
  expect((await auditOf(scenario, scenario.log)).skipped).toBe(1)
})
