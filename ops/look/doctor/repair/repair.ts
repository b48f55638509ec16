/** `sequencer doctor --repair-transactions`: ends the transactions that hang in topics of ours, each as it ended elsewhere. */
import type { KafkaLog } from '../../../../connectors/log/kafka/kafka-log.ts'
import type { OpenTransaction } from '../../../../connectors/log/kafka/open-transactions.ts'
import { LogError, type TopicPartition } from '../../../../streams/ports.ts'
import type { Lines } from '../../../base/output.ts'
import { plural } from '../../../base/words.ts'
import { extentsOf } from '../../../ground/unread.ts'
import { type JudgedTransaction, judge, whyLeft } from './judge.ts'

/** Offsets that stages commit lie there. */
const OFFSETS_TOPIC = '__consumer_offsets'
/** Transactions of one run; the next run has the others. */
const TRANSACTIONS_MAX = 100

export interface RepairedTransaction extends JudgedTransaction {
  readonly topic: string
  readonly partition: number
  readonly startOffset: number
  /** Transactional id, or the producer where no coordinator knows one. */
  readonly writer: string
  /** Whether the end was written. Undefined where nothing was to be written, or was tried. */
  readonly done: boolean | undefined
}

export interface RepairOptions {
  readonly appId: string
  readonly now: number
  /** Nothing is written. */
  readonly dryRun: boolean
}

type RepairedLog = Pick<
  KafkaLog,
  'bounds' | 'ends' | 'openTransactions' | 'searchEnds' | 'writeEnd' | 'partitionCount' | 'transactionsVersion'
>

/** One entry for each transaction that is open. @throws LogError when the brokers are too old to tell, or do not answer */
export async function repairTransactions(
  log: RepairedLog,
  topics: readonly { readonly name: string; readonly partitions: number }[],
  options: RepairOptions,
): Promise<readonly RepairedTransaction[]> {
  const all = [...topics, { name: OFFSETS_TOPIC, partitions: await offsetsPartitions(log) }]
  const behind = (await extentsOf(log, all)).filter(({ stable, end }) => stable < end)
  if (behind.length === 0) return []
  const open = await log.openTransactions(behind)
  if (open === undefined) throw new LogError('UNSUPPORTED', 'the brokers are too old to name open transactions')
  const partitions = all.flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
  )
  const repaired: RepairedTransaction[] = []
  for (const one of open.slice(0, TRANSACTIONS_MAX)) repaired.push(await repairOne(log, one, partitions, options))
  return repaired
}

/** None before the first group of a cluster has committed. */
async function offsetsPartitions(log: RepairedLog): Promise<number> {
  try {
    return await log.partitionCount(OFFSETS_TOPIC)
  } catch (error) {
    if (error instanceof LogError && error.code === 'UNKNOWN_TOPIC') return 0
    throw error
  }
}

async function repairOne(
  log: RepairedLog,
  open: OpenTransaction,
  partitions: readonly TopicPartition[],
  { appId, now, dryRun }: RepairOptions,
): Promise<RepairedTransaction> {
  const { topic, partition, startOffset, transactionalId, producerId } = open
  const writer = transactionalId ?? `producer ${producerId}`
  const why = whyLeft(open, now)
  const hasOwnEpoch = log.transactionsVersion === 2 && (transactionalId?.startsWith(`${appId}-`) ?? false)
  const judged =
    why === undefined ? judge(await log.searchEnds(open, partitions), { hasOwnEpoch }) : { end: undefined, why }
  const one = { topic, partition, startOffset, writer, ...judged }
  if (judged.end === undefined || dryRun) return { ...one, done: undefined }
  try {
    await log.writeEnd(open, judged.end)
    return { ...one, done: true }
  } catch (error) {
    if (!(error instanceof LogError)) throw error
    return { ...one, done: false, why: error.message }
  }
}

/** Whether the run leaves something to do. */
export const isLeft = ({ end, done }: RepairedTransaction): boolean => end === undefined || done === false

export function renderRepair(found: readonly RepairedTransaction[], dryRun: boolean): Lines {
  if (found.length === 0) return ['No transaction is open.']
  const written = found.filter(({ done }) => done).length
  const left = found.filter(isLeft).length
  return [
    ...found.flatMap((one) => [
      `${one.topic}/${one.partition}  open from offset ${one.startOffset} on, by ${one.writer}: ${actionOf(one, dryRun)}`,
      `      ${one.why}`,
    ]),
    '',
    dryRun ? 'Nothing was written.' : `${plural(written, 'end')} written, ${left} left.`,
    ...(written > 0
      ? [
          'Readers go on by themselves. Run `sequencer audit` when the epochs have closed: it finds what was torn apart.',
        ]
      : []),
  ]
}

function actionOf({ end, done }: RepairedTransaction, dryRun: boolean): string {
  if (end === undefined) return 'left alone'
  if (dryRun) return `would get its ${end}`
  return done ? `${end} written` : `its ${end} was refused`
}
