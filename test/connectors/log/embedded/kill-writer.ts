// Writes to an embedded log without end and prints what was acknowledged. Its parent kills it at some moment.
import { openEmbeddedLog } from '../../../../connectors/log/embedded/embedded.ts'
import type { Log } from '../../../../streams/ports.ts'

const GROUP = 'killed'
const KEYS = 50

const [directory, round] = process.argv.slice(2) as [string, string]

/** Every other life writes all but the smallest transactions in pieces. */
const pieces = Number(round) % 2 === 0 ? { writeBytes: 60 } : {}
const log = await openEmbeddedLog({ directory, maintenanceIntervalMs: 20, tailSizeBytes: 200_000, ...pieces })
await log.createTopics([
  { name: 'appended', partitions: 2, cleanup: 'delete' },
  { name: 'committed', partitions: 2, cleanup: 'delete' },
  { name: 'table', partitions: 1, cleanup: 'compact' },
])
await Promise.all([appendForever(log, 0), appendForever(log, 1), commitForever(log), updateForever(log)])

async function appendForever(log: Log, partition: number): Promise<void> {
  const appender = await log.appender()
  for (let number = 0; ; number++) {
    const values = Array.from({ length: 1 + (number % 20) }, (_, at) => `${round}.${partition}.${number}.${at}`)
    const offsets = await appender.append(values.map((value) => record('appended', partition, value)))
    process.stdout.write(`${offsets.map((offset, at) => `appended ${partition} ${offset} ${values[at]}`).join('\n')}\n`)
  }
}

/** Every transaction has one record in each partition and moves the group's offset to its own number. */
async function commitForever(log: Log): Promise<void> {
  const writer = await log.transactionalWriter('killed')
  const at = { topic: 'committed', partition: 0 }
  const [last] = await log.committedOffsets(GROUP, [at])
  for (let next = (last?.next ?? 0) + 1; ; next++) {
    const records = [0, 1].map((partition) => record('committed', partition, `${next}`))
    const offsets = { group: GROUP, commits: [{ ...at, next, metadata: `${next}` }] }
    const { outcome } = await writer.commit({ records, offsets })
    if (outcome !== 'committed') throw new Error(outcome)
    process.stdout.write(`committed ${next}\n`)
  }
}

async function updateForever(log: Log): Promise<void> {
  const appender = await log.appender()
  for (let number = 0; ; number++) {
    const updates = Array.from({ length: KEYS }, (_, key) => ({
      ...record('table', 0, `${round}.${number}`),
      key: Buffer.from(`key ${key}`),
    }))
    await appender.append(updates)
    process.stdout.write(`table ${round}.${number}\n`)
  }
}

function record(topic: string, partition: number, value: string) {
  return { topic, partition, timestamp: 1_704_067_200_000, key: null, value: Buffer.from(value) }
}
