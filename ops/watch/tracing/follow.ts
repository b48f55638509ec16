/**
 * Traces of a share of the submissions, put together from the topics by a reader: the stages know nothing of it. A trace is
 * written once, when it is final what became of the submission.
 */
import type { Submission, Verdict } from '../../../schemas/types.ts'
import type { Clock, Log } from '../../../streams/ports.ts'
import type { Topics } from '../../../topology/topics.ts'
import { isAccepted } from '../../../topology/verdict.ts'
import type { Closeable } from '../../base/lifecycle.ts'
import { submissionIdsIn } from '../../reading/anchors.ts'
import { isEnd } from '../../reading/epoch-phases.ts'
import type { ProgressListener } from '../../reading/progress-listener.ts'
import { lookedUp } from '../../reading/read.ts'
import { readAt } from '../../reading/scan.ts'
import type { Spans, Step } from './spans.ts'

export interface TracingOptions {
  readonly topics: Topics
  readonly sampleShare: number
  readonly spans: Spans
}

/** Submissions whose end is awaited; the oldest are forgotten. */
const WAITING_MAX = 10_000
/** Traces that wait for their submission to be read from the log; more are dropped. */
const READING_MAX = 1_000

interface Waiting {
  readonly dataMarket: string
  verdict?: Verdict
  verdictAt?: number
  batch?: { readonly epochId: number; readonly batchIndex: number; readonly cutAt: number }
}

/** The id of a submission as that of a trace; undefined when it is no UUID, or all zeros, which no trace may have. */
export function traceIdOf(submissionId: string): string | undefined {
  const hex = submissionId.replaceAll('-', '').toLowerCase()
  return /^[0-9a-f]{32}$/.test(hex) && !/^0+$/.test(hex) ? hex : undefined
}

/** By the id alone, so that everybody takes the same ones. */
export const isSampled = (traceId: string, share: number): boolean =>
  Number.parseInt(traceId.slice(-8), 16) < share * 2 ** 32

function followTraces({ topics, sampleShare, spans }: TracingOptions, ports: { log: Log; clock: Clock }) {
  const waiting = new Map<string, Waiting>()
  let reading = 0

  const stateOf = (traceId: string, dataMarket: string): Waiting => {
    const state = waiting.get(traceId) ?? { dataMarket }
    waiting.set(traceId, state)
    if (waiting.size > WAITING_MAX) waiting.delete(waiting.keys().next().value!)
    return state
  }

  const write = async (traceId: string, state: Waiting, anchor?: Step): Promise<void> => {
    waiting.delete(traceId)
    const { dataMarket, verdict, verdictAt, batch } = state
    if (!verdict || verdictAt === undefined || reading >= READING_MAX) return
    reading++
    try {
      const { partition, offset } = verdict.position
      const record = await readAt(ports.log, { topic: topics.submissions.name, partition }, offset)
      const submission = record && (lookedUp(topics.submissions, partition, record)?.value as Submission | undefined)
      if (!submission) return
      const { slotId, projectId, reason } = verdict
      const { epochId } = submission
      const attributes = { market: dataMarket, epoch: epochId, slot: slotId, project: projectId, reason }
      const steps = stepsOf(submission.receivedAt, record.timestamp, verdict, verdictAt, batch)
      spans.write(traceId, attributes, anchor ? [...steps, anchor] : steps)
    } catch {
      // a trace is not worth stopping for: the log is read again for the next one
    } finally {
      reading--
    }
  }

  const listener: ProgressListener = {
    verdict(dataMarket, verdict) {
      const traceId = traceIdOf(verdict.submissionId)
      if (traceId === undefined || !isSampled(traceId, sampleShare)) return
      const state = stateOf(traceId, dataMarket)
      state.verdict = verdict
      state.verdictAt = ports.clock.now()
      // a batch holds the outvoted ones too
      const goesOn = verdict.reason === 'OUTVOTED' || (isAccepted(verdict.reason) && verdict.reason !== 'SIMULATION')
      if (!goesOn) void write(traceId, state)
    },
    batched(dataMarket, batch) {
      const { epochId, batchIndex } = batch
      const cutAt = ports.clock.now()
      for (const id of submissionIdsIn(batch)) {
        const traceId = traceIdOf(id)
        if (traceId !== undefined && isSampled(traceId, sampleShare))
          stateOf(traceId, dataMarket).batch = { epochId, batchIndex, cutAt }
      }
    },
    anchorChanged({ dataMarket, epochId }, batchIndex, { state: end, cid, transactionHash, blockNumber }, before) {
      if (end === before?.state || !isEnd(end)) return
      const attributes = { state: end, cid, transaction: transactionHash, block: blockNumber }
      for (const [traceId, state] of waiting) {
        const { batch } = state
        if (state.dataMarket !== dataMarket || batch?.epochId !== epochId || batch.batchIndex !== batchIndex) continue
        const to = ports.clock.now()
        void write(traceId, state, { name: 'anchor', from: batch.cutAt, to, attributes, failed: end !== 'FINAL' })
      }
    },
  }
  return listener
}

function stepsOf(
  receivedAt: number,
  appended: number,
  { reason, stage }: Verdict,
  verdictAt: number,
  batch: Waiting['batch'],
): readonly Step[] {
  const steps: Step[] = [
    { name: 'intake', from: receivedAt, to: appended },
    { name: 'verdict', from: appended, to: verdictAt, attributes: { reason, stage } },
  ]
  if (batch) steps.push({ name: 'batch', from: appended, to: batch.cutAt, attributes: { batch: batch.batchIndex } })
  return steps
}

export interface Tracing extends Closeable {
  readonly listener: ProgressListener
}

/** Loads what sends traces only here, so that who has none pays nothing. */
export async function startTracing(
  { otlpUrl, sampleShare }: { readonly otlpUrl: string; readonly sampleShare: number },
  { topics, version, log, clock }: { topics: Topics; version: string; log: Log; clock: Clock },
): Promise<Tracing> {
  const { createSpans } = await import('./spans.ts')
  const spans = createSpans(otlpUrl, version)
  return { listener: followTraces({ topics, sampleShare, spans }, { log, clock }), close: () => spans.close() }
}
