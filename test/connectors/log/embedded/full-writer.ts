// Appends and commits without end, one at a time, and prints each outcome.
import { openEmbeddedLog } from '../../../../connectors/log/embedded/embedded.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { LogError } from '../../../../streams/ports.ts'

const [directory] = process.argv.slice(2) as [string]
const filler = 'x'.repeat(2_000)
const log = await openEmbeddedLog({ directory })
await log.createTopics([{ name: 'full', partitions: 1, cleanup: 'delete' }])
const appender = await log.appender()

for (let number = 0; ; number++) {
  const value = Buffer.from(`${number} ${filler}`)
  const record = { topic: 'full', partition: 0, timestamp: 1_704_067_200_000, key: null, value }
  try {
    if (number % 2 === 0) await appender.append([record])
    else await commit(record)
    process.stdout.write(`ok ${number}\n`)
  } catch (error) {
    if (!(error instanceof LogError)) throw error
    process.stdout.write(`${error.indefinite ? 'unknown' : 'refused'} ${number} ${error.code} ${error.retriable}\n`)
    await systemClock.sleep(20)
  }
}

async function commit(record: Parameters<typeof appender.append>[0][number]): Promise<void> {
  const writer = await log.transactionalWriter('full')
  const result = await writer.commit({ records: [record] })
  if (result.outcome === 'committed') return
  const cause = result.cause as LogError
  throw new LogError(cause.code, cause.message, {
    retriable: cause.retriable,
    indefinite: result.outcome === 'unknown',
  })
}
