/** The intents as a table: the latest of each key, followed as it changes. */
import type { AnchorIntent, AnchorKey } from '../../../schemas/types.ts'
import type { KafkaTopic } from '../../../streams/kafka-topic.ts'
import type { Clock, Log, LogRecord } from '../../../streams/ports.ts'
import { readPieces } from '../../../streams/read-range.ts'
import { type OnUnreadable, readRecords } from '../../../streams/read-record.ts'
import { SealGuard } from '../../../streams/seal-guard.ts'

const PARTITION = 0
const FETCH_BYTES = 4 * 1024 * 1024
const WAIT_MS = 5_000

export interface IntentChange {
  readonly key: AnchorKey
  readonly intent: AnchorIntent
}

/** An intent with its place in the topic. */
export interface PlacedIntent extends IntentChange {
  readonly offset: number
}

export interface IntentFollower {
  /**
   * Calls `changed` with the latest intent of each key up to the present end of the log, then with each new one, until the
   * signal. DONE is told only of keys that were told before. Rejects with LogError.
   */
  follow(changed: (change: PlacedIntent) => void, signal: AbortSignal): Promise<void>
  /** Deletes what lies before the oldest intent in force. */
  purge(): Promise<void>
}

export const textOf = ({ dataMarket, epochId, batchIndex }: AnchorKey): string =>
  `${dataMarket}/${epochId}/${batchIndex}`

export function createIntentFollower(
  log: Log,
  clock: Clock,
  topic: KafkaTopic<AnchorKey, AnchorIntent>,
  tell: OnUnreadable,
): IntentFollower {
  const at = { topic: topic.name, partition: PARTITION }
  /** Offset of the intent in force, by key. */
  const inForce = new Map<string, number>()
  let guard: SealGuard | undefined
  let position = 0
  let purged = 0

  const fetchChanges = async (signal: AbortSignal): Promise<PlacedIntent[]> => {
    const options = { maxWaitMs: WAIT_MS, maxBytesPerPartition: FETCH_BYTES, signal }
    const [fetched] = await log.fetch([{ ...at, offset: position }], options)
    const { records, next, start, outOfRange } = fetched!
    position = outOfRange ? Math.max(start, position) : next
    return changesIn(records)
  }

  const changesIn = (records: readonly LogRecord[]): PlacedIntent[] =>
    [...readRecords(topic, PARTITION, records, tell, { guard })].map(({ offset, key, value }) => {
      const change = { key, intent: value!, offset }
      if (change.intent.step === 'DONE') inForce.delete(textOf(change.key))
      else inForce.set(textOf(change.key), offset)
      return change
    })

  return {
    async follow(changed, signal) {
      const [bounds] = await log.bounds([at])
      position = bounds!.start
      inForce.clear()
      guard = topic.seals && new SealGuard(topic.name, PARTITION, topic.seals) // of a topic that is read from its start
      const latest = new Map<string, PlacedIntent>()
      const past = { pieceBytes: FETCH_BYTES, passesDeleted: true }
      for await (const records of readPieces({ log, signal }, { ...at, offset: position }, bounds!.stable, past))
        for (const change of changesIn(records)) latest.set(textOf(change.key), change)
      if (signal.aborted) return
      position = Math.max(position, bounds!.stable)
      for (const change of latest.values()) if (change.intent.step !== 'DONE') changed(change)
      while (!signal.aborted) {
        const before = position
        for (const change of await fetchChanges(signal)) changed(change)
        if (position === before) await clock.sleep(0, signal) // a log that answers at once must not keep the event loop
      }
    },
    async purge() {
      const offset = Math.min(position, ...inForce.values())
      if (offset <= purged) return
      await log.deleteRecords([{ ...at, offset }])
      purged = offset
    },
  }
}
