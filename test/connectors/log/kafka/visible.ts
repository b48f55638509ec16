import { KafkaCluster } from '../../../../connectors/log/kafka/cluster.ts'
import { openKafkaLog } from '../../../../connectors/log/kafka/kafka-log.ts'
import type { KafkaLogOptions } from '../../../../connectors/log/kafka/options.ts'
import { perLeader } from '../../../../connectors/log/kafka/per-leader.ts'
import { listOffsets } from '../../../../connectors/log/kafka/requests/list-offsets.ts'
import { type Burst, type Log, LogError, type TransactionalWriter } from '../../../../streams/ports.ts'

const WAIT_MS = 30_000
const PAUSE_MS = 2

/**
 * A log on Kafka whose commits resolve when readers see them. Kafka answers before it has written the markers of a
 * transaction, so a reader that looks at once may see the state before; the contract suite looks at once.
 */
export async function openVisibleLog(options: KafkaLogOptions): Promise<Log> {
  const log = await openKafkaLog(options)
  const observer = new KafkaCluster(options)
  await observer.connect()
  const transactionalWriter = async (id: string): Promise<TransactionalWriter> => {
    const writer = await log.transactionalWriter(id)
    const commit = async (burst: Burst) => {
      const outcome = await writer.commit(burst)
      // One whose end is not known stays open until a new writer comes.
      if (outcome.outcome === 'committed' || outcome.outcome === 'aborted') await visible(observer, burst)
      return outcome
    }
    return { commit, close: () => writer.close() }
  }
  const close = async (): Promise<void> => {
    await Promise.all([log.close(), observer.close()])
  }
  return new Proxy(log, {
    get(target, name) {
      if (name === 'transactionalWriter') return transactionalWriter
      if (name === 'close') return close
      const value = target[name as keyof Log]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** Waits until no transaction holds back readers of the partitions that the burst writes to. */
async function visible(observer: KafkaCluster, { records }: Burst): Promise<void> {
  const partitions = [...new Map(records.map((one) => [`${one.topic}/${one.partition}`, one])).values()]
  const options = { what: 'ends', limitMs: WAIT_MS }
  for (const end = Date.now() + WAIT_MS; ; ) {
    try {
      const ask = (which: 'end' | 'stable') =>
        perLeader(observer, partitions, (asked) => listOffsets(asked, which), options)
      const [ends, stables] = [await ask('end'), await ask('stable')]
      if (ends.every(({ offset }, at) => offset === stables[at]!.offset)) return
    } catch (error) {
      const unknown = ['UNKNOWN_TOPIC', 'UNKNOWN_PARTITION', 'CLOSED']
      if (error instanceof LogError && unknown.includes(error.code)) return
      throw error
    }
    if (Date.now() > end) throw new Error('a transaction stays open')
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}
