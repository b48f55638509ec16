/** Transactions that are left open in topics of ours, each with what ends it. */
import type { KafkaLog } from '../../../connectors/log/kafka/kafka-log.ts'
import type { OpenTransaction } from '../../../connectors/log/kafka/open-transactions.ts'
import type { TopicPartition } from '../../../streams/ports.ts'
import { extentsOf } from '../../ground/unread.ts'
import type { Finding } from './finding.ts'

/** Our own transactions end sooner, also transactions of a killed process. */
const OLD_MS = 45_000
/** Transactions that are named. */
const NAMED_MAX = 5
const check = 'transactions'

export async function examineTransactions(
  log: Pick<KafkaLog, 'bounds' | 'ends' | 'openTransactions'>,
  topics: readonly { readonly name: string; readonly partitions: number }[],
  { brokers, now }: { readonly brokers: readonly string[]; readonly now: number },
): Promise<readonly Finding[]> {
  const behind = (await extentsOf(log, topics)).filter(({ stable, end }) => stable < end)
  if (behind.length === 0) return [{ check, ok: true, detail: 'none is open' }]
  const open = await log.openTransactions(behind)
  if (open === undefined)
    return [{ check, ok: null, detail: `${behind.map(nameOf).join(', ')}: open; the brokers are too old to name it` }]
  const old = open.filter(({ startedAt, lastTimestamp }) => now - (startedAt ?? lastTimestamp) >= OLD_MS)
  if (old.length === 0) return [{ check, ok: true, detail: `${open.length} are under way, none for long` }]
  return old.slice(0, NAMED_MAX).map((one) => ({
    check,
    ok: false,
    detail: inWords(one, now),
    advice: adviceFor(one, brokers),
  }))
}

function inWords(one: OpenTransaction, now: number): string {
  const { startOffset, transactionalId, producerId, startedAt, lastTimestamp, state } = one
  const who = transactionalId === undefined ? `producer ${producerId}` : `${transactionalId} (producer ${producerId})`
  const seconds = Math.round((now - (startedAt ?? lastTimestamp)) / 1_000)
  return `${nameOf(one)}: ${who} has a transaction open from offset ${startOffset} on, for ${seconds} s${state ? `, ${state}` : ''}; nobody reads on behind it`
}

function adviceFor(
  { topic, partition, startOffset, timeoutMs, isCoordinated }: OpenTransaction,
  brokers: readonly string[],
): string {
  if (isCoordinated === false)
    return 'It hangs: no coordinator is to end it. See what `sequencer doctor --repair-transactions --dry-run` says.'
  const command = `kafka-transactions.sh --bootstrap-server ${brokers[0]} abort --topic ${topic} --partition ${partition} --start-offset ${startOffset}`
  const waits =
    timeoutMs === undefined
      ? 'A broker does not answer, so nobody can tell whether a time-out ends it'
      : `The brokers end it ${timeoutMs / 1_000} s after its beginning`
  return `End its client. ${waits}; at once: ${command}`
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`
