/** Writes results in transactions of the role's id, so that a process that lost the role cannot answer any more. */
import type { AnchorKey, AnchorResult } from '../../../schemas/types.ts'
import type { KafkaTopic } from '../../../streams/kafka-topic.ts'
import type { Clock, Log, OutgoingRecord, TransactionalWriter } from '../../../streams/ports.ts'
import { EvmError } from '../errors.ts'

const RETRY_MS = 500

export interface Answers {
  /** Resolves when the result is committed. Rejects with `FENCED` when another process has the role. */
  write(key: AnchorKey, result: AnchorResult): Promise<void>
  close(): Promise<void>
}

/** Opening the writer fences every older one. Results that come while a commit is under way share the next one. */
export async function openAnswers(
  { log, clock }: { log: Log; clock: Clock },
  transactionalId: string,
  topic: KafkaTopic<AnchorKey, AnchorResult>,
  signal: AbortSignal,
): Promise<Answers> {
  let writer: TransactionalWriter = await log.transactionalWriter(transactionalId)
  let waiting: OutgoingRecord[] = []
  let turn: Promise<void> = Promise.resolve()

  const commitAll = async (records: readonly OutgoingRecord[]): Promise<void> => {
    while (!signal.aborted) {
      const { outcome, ...rest } = await writer.commit({ records })
      if (outcome === 'committed') return
      if (outcome === 'fenced')
        throw new EvmError('FENCED', `another process has taken over ${transactionalId}`, { cause: rest })
      // Results may be repeated: one that did arrive is stale the second time.
      await clock.sleep(RETRY_MS, signal)
      if (outcome === 'unknown' && !signal.aborted) writer = await log.transactionalWriter(transactionalId)
    }
    throw new EvmError('FENCED', `${transactionalId} was given up`)
  }

  return {
    write(key, result) {
      const value = topic.value.encode(result)
      waiting.push({ topic: topic.name, partition: 0, timestamp: clock.now(), key: topic.key.encode(key), value })
      if (waiting.length > 1) return turn // goes with the records already waiting
      turn = turn.then(() => {
        const records = waiting
        waiting = []
        return commitAll(records)
      })
      return turn
    },
    close: () => writer.close(),
  }
}
