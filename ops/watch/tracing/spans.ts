/**
 * The parts of a trace: the id of the submission, and the times of its steps. Times go in as dates: the library takes small
 * numbers for times since the process began.
 */
import { createHash } from 'node:crypto'
import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AlwaysOnSampler, BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'

export interface Spans {
  /** Writes the whole trace of a submission; times are ms. */
  write(traceId: string, attributes: Attributes, steps: readonly Step[]): void
  close(): Promise<void>
}

/** Spans beyond it, while the collector is away, are dropped. */
const QUEUE_MAX = 8_192
const EXPORT_MS_MAX = 5_000
const EXPORT_EVERY_MS = 1_000

export function createSpans(url: string, version: string): Spans {
  let next = { traceId: '', spanId: '' }
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: EXPORT_MS_MAX })
  const limits = { maxQueueSize: QUEUE_MAX, scheduledDelayMillis: EXPORT_EVERY_MS, exportTimeoutMillis: EXPORT_MS_MAX }
  const provider = new TracerProvider({
    sampler: new AlwaysOnSampler(), // the choice was made before, by the id
    resource: resourceFromAttributes({ 'service.name': 'sequencer', 'service.version': version }),
    idGenerator: { generateTraceId: () => next.traceId, generateSpanId: () => next.spanId },
    spanProcessors: [new BatchSpanProcessor({ exporter, ...limits })],
  })
  const tracer = provider.getTracer('sequencer', version)
  return {
    write(traceId, attributes, steps) {
      const spanId = spanIdOf(traceId, 'submission')
      next = { traceId, spanId }
      const startTime = new Date(steps[0]!.from)
      const root = tracer.startSpan('submission', { root: true, startTime, attributes }, ROOT_CONTEXT)
      const within = trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED })
      for (const step of steps) {
        next = { traceId, spanId: spanIdOf(traceId, step.name) }
        writeStep(tracer, within, step)
      }
      if (steps.some(({ failed }) => failed)) root.setStatus({ code: SpanStatusCode.ERROR })
      root.end(new Date(steps.reduce((end, { from, to }) => Math.max(end, from, to), 0)))
    },
    close: () => provider.shutdown().catch(() => {}), // a collector that is away loses the last spans, no more
  }
}

function writeStep(tracer: Tracer, within: Context, { name, from, to, attributes = {}, failed = false }: Step): void {
  const span = tracer.startSpan(name, { startTime: new Date(from), attributes }, within)
  if (failed) span.setStatus({ code: SpanStatusCode.ERROR })
  span.end(new Date(Math.max(from, to)))
}

/** The same in every process that tells of the submission. */
const spanIdOf = (traceId: string, name: string): string =>
  createHash('sha256').update(`${traceId}/${name}`).digest('hex').slice(0, 16)

/** A span of a trace; times in ms. */
export interface Step {
  readonly name: 'intake' | 'verdict' | 'batch' | 'anchor'
  readonly from: number
  readonly to: number
  readonly attributes?: Readonly<Record<string, string | number>>
  readonly failed?: boolean
}
