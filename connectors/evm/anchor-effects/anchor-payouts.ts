/** Reads payouts by their offset, and runs by the offset of their first. Rejects with BatchGone, or with LogError. */
import type { MarketKey, Payout } from '../../../schemas/types.ts'
import type { KafkaTopic } from '../../../streams/kafka-topic.ts'
import type { Log } from '../../../streams/ports.ts'
import { readRecord } from '../../../streams/read-record.ts'
import { BatchGone, keep, notYet, recordAt, recordsBehind } from './anchor-batches.ts'

type PayoutTopic = KafkaTopic<MarketKey, Payout>

/** Each is read for the dry run, for the signature and for what became of it. */
const KEPT = 8
/** For the first dry runs of a run; one market's is some megabytes at most. */
const RUNS_KEPT = 2

export interface PayoutReader {
  one(dataMarket: string, offset: number, signal: AbortSignal): Promise<Payout>
  /** All payouts of the run whose first lies at the offset. */
  run(dataMarket: string, firstOffset: number, signal: AbortSignal): Promise<readonly Payout[]>
}

export function createPayoutReader(log: Log, topic: PayoutTopic): PayoutReader {
  const payouts = new Map<number, Payout>()
  const runs = new Map<number, readonly Payout[]>()
  return {
    async one(dataMarket, offset, signal) {
      return payouts.get(offset) ?? keep(payouts, offset, await readOne(log, topic, dataMarket, offset, signal), KEPT)
    },
    async run(dataMarket, firstOffset, signal) {
      const found = runs.get(firstOffset)
      return found ?? keep(runs, firstOffset, await readRun(log, topic, dataMarket, firstOffset, signal), RUNS_KEPT)
    },
  }
}

async function readOne(
  log: Log,
  topic: PayoutTopic,
  dataMarket: string,
  offset: number,
  signal: AbortSignal,
): Promise<Payout> {
  const record = await recordAt(log, topic, offset, signal)
  const read = record?.offset === offset ? readRecord(topic, 0, record, () => {}) : undefined
  if (read?.key.dataMarket !== dataMarket || !read.value) throw gone(topic, offset)
  return read.value
}

/** Reads the payouts of a run. They came into the log together, so all are there; payouts of other markets may lie between them. */
async function readRun(
  log: Log,
  topic: PayoutTopic,
  dataMarket: string,
  firstOffset: number,
  signal: AbortSignal,
): Promise<readonly Payout[]> {
  const first = await readOne(log, topic, dataMarket, firstOffset, signal)
  const run = [first]
  if (first.parts === 1) return run
  for await (const record of recordsBehind(log, topic, firstOffset, signal)) {
    const read = readRecord(topic, 0, record, () => {})
    if (read?.key.dataMarket !== dataMarket || !read.value) continue
    if (!isNext(first, run.length, read.value)) throw gone(topic, firstOffset)
    run.push(read.value)
    if (run.length === first.parts) return run
  }
  throw notYet(topic, firstOffset)
}

const isNext = (first: Payout, part: number, { epochId, payoutOf, purpose, part: found }: Payout): boolean =>
  epochId === first.epochId && payoutOf === first.payoutOf && purpose === first.purpose && found === part

const gone = ({ name }: PayoutTopic, offset: number): BatchGone =>
  new BatchGone(`there is no payout of the market at offset ${offset} of ${name} any more`)
