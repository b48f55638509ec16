/** Writes results in transactions of the role's id, so that a process that lost the role cannot answer any more. */
import type { AnchorKey, AnchorResult } from '../../../schemas/types.ts'
import type { KafkaTopic } from '../../../streams/kafka-topic.ts'
import type { Clock, Log, OutgoingRecord, TransactionalWriter } from '../../../streams/ports.ts'
import { Sealer } from '../../../streams/seals.ts'
import { EvmError } from '../errors.ts'

const RETRY_MS = 500

export interface Answers {
  /** Resolves when the result is committed. Rejects with `FENCED` when another process has the role. */
  write(key: AnchorKey, result: AnchorResult): Promise<void>
  close(): Promise<void>
}

/**
 * Opening the writer fences every older one. Results that come while a commit is under way share the next one.
 * @param waiting told of each commit that did not get through, and is tried again
 */
export async function openAnswers(
  { log, clock }: { log: Log; clock: Clock },
  transactionalId: string,
  topic: KafkaTopic<AnchorKey, AnchorResult>,
  signal: AbortSignal,
  waiting?: (reason: Error, retryInMs: number) => void,
): Promise<Answers> {
  let writer: TransactionalWriter = await log.transactionalWriter(transactionalId)
  const at = { topic: topic.name, partition: 0 }
  const sealer = topic.seals && new Sealer(topic.seals, (await log.ends([at]))[0]!)
  let queued: OutgoingRecord[] = []
  let turn: Promise<void> = Promise.resolve()

  const commitAll = async (answers: readonly OutgoingRecord[]): Promise<void> => {
    while (!signal.aborted) {
      // sealed for each try: one that may be there already is behind itself then, and no copy
      const records = sealer ? answers.map((one) => sealer.seal(one)) : answers
      const committed = await writer.commit({ records })
      if (committed.outcome === 'committed') return
      const { outcome, cause } = committed
      if (outcome === 'fenced')
        throw new EvmError('FENCED', `another process has taken over ${transactionalId}`, { cause })
      if (cause instanceof Error) waiting?.(cause, RETRY_MS)
      // Results may be repeated: one that did arrive is stale the second time.
      await clock.sleep(RETRY_MS, signal)
      if (outcome === 'unknown' && !signal.aborted) writer = await log.transactionalWriter(transactionalId)
    }
    throw new EvmError('FENCED', `${transactionalId} was given up`)
  }

  return {
    write(key, result) {
      const value = topic.value.encode(result)
      queued.push({ ...at, timestamp: clock.now(), key: topic.key.encode(key), value })
      if (queued.length > 1) return turn // goes with the records already waiting
      turn = turn.then(() => {
        const records = queued
        queued = []
        return commitAll(records)
      })
      return turn
    },
    close: () => writer.close(),
  }
}
