/** The metrics of one process: the metrics of its roles, in a registry of its own. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { MARKETS_MAX } from '../../../topology/rules.ts'
import { isStage, type Role } from '../../base/roles.ts'
import {
  type Definition,
  type LabelValues,
  MARKET,
  MARKET_OR_OTHER,
  type MetricOf,
  OTHER,
  SECONDS,
} from './definition.ts'
import { METRICS } from './table/index.ts'

export interface MetricsOptions {
  readonly version: string
  readonly roles: readonly Role[]
  /** Data markets, lower case. */
  readonly markets: readonly string[]
}

type Table = { readonly [N in keyof typeof METRICS]: MetricOf<(typeof METRICS)[N]> }

export interface Metrics extends Table {
  readonly contentType: string
  /** The answer to a scrape, in OpenMetrics. */
  text(): Promise<string>
  /** Called before each answer, to set what is cheaper to look up than to follow. */
  onScrape(refresh: () => void): void
  /** Data markets that are labels: configured, or learned; at most MARKETS_MAX. */
  readonly markets: readonly string[]
  /** The label of a market: itself when it is one of `markets`, since the others are whatever somebody writes. */
  marketLabel(dataMarket: string): string
  /** The same for a market that is served, so it becomes one of `markets` when there is room. */
  servedLabel(dataMarket: string): string
}

/** Metrics of roles that the process does not have can be set like the others; nobody sees them. */
export function createMetrics({ version, roles, markets }: MetricsOptions): Metrics {
  const registry = new Registry()
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as unknown as typeof registry.contentType)
  collectDefaultMetrics({ register: registry })
  const known = [...markets]
  const stages = roles.filter(isStage)
  const isOurs = (definition: Definition): boolean => definition.roles?.some((role) => roles.includes(role)) ?? true
  const every = Object.entries<Definition>(METRICS).map(([key, definition]) => {
    const metric = metricOf(definition, isOurs(definition) ? [registry] : [])
    startAtZero(metric, definition, { markets, stages })
    return { key, definition, metric }
  })
  const table = Object.fromEntries<unknown>(every.map(({ key, metric }) => [key, metric])) as Table
  table.buildInfo.set({ version, node: process.versions.node }, 1)
  const refreshes: (() => void)[] = []
  const marketLabel = (dataMarket: string): string => (known.includes(dataMarket) ? dataMarket : OTHER)
  return {
    ...table,
    contentType: registry.contentType,
    async text() {
      for (const refresh of refreshes) refresh()
      return registry.metrics()
    },
    onScrape: (refresh) => void refreshes.push(refresh),
    markets: known,
    marketLabel,
    servedLabel(dataMarket) {
      if (!known.includes(dataMarket) && known.length < MARKETS_MAX) {
        known.push(dataMarket)
        for (const { definition, metric } of every)
          if (Object.values(definition.labels ?? {}).some((of) => of === MARKET || of === MARKET_OR_OTHER))
            if (!(metric instanceof Gauge)) startAtZero(metric, definition, { markets: [dataMarket], stages })
      }
      return marketLabel(dataMarket)
    },
  }
}

/** Takes every value of a gauge away: what it said is not so any more, and nothing else is known. */
export function forget(gauge: Gauge): void {
  gauge.reset()
  if (gauge instanceof Unlabelled) gauge.remove()
}

/** A single value, which is not there until it is set. */
class Unlabelled extends Gauge {}

type AnyMetric = Counter | Gauge | Histogram

function metricOf(definition: Definition, registers: Registry[]): AnyMetric {
  const { type, name, help, labels = {}, buckets = SECONDS, exemplars: enableExemplars = false } = definition
  const common = { name, help, labelNames: Object.keys(labels), registers }
  if (type === 'counter') return new Counter(common)
  if (type === 'histogram') return new Histogram({ ...common, buckets: [...buckets], enableExemplars })
  return common.labelNames.length === 0 ? new Unlabelled(common) : new Gauge(common)
}

interface Known {
  readonly markets: readonly string[]
  readonly stages: readonly string[]
}

/**
 * Counters and histograms begin at 0 for every value that their labels can have, so that the first event is an increase. A
 * gauge is not there until it is known: 0 would be a value.
 */
function startAtZero(metric: AnyMetric, { labels = {} }: Definition, known: Known): void {
  if (metric instanceof Gauge) {
    forget(metric)
    return
  }
  for (const combination of combinations(Object.entries(labels).map(([name, of]) => [name, valuesOf(name, of, known)])))
    if (metric instanceof Counter) metric.inc(combination, 0)
    else metric.zero(combination)
}

/** None when only running shows them. */
function valuesOf(name: string, of: LabelValues, { markets, stages }: Known): readonly string[] {
  if (of === MARKET) return markets
  if (of === MARKET_OR_OTHER) return [...markets, OTHER]
  if (typeof of === 'string') return []
  return name === 'stage' && stages.length > 0 && isStage(of[0] as Role) ? stages : of
}

const combinations = (labels: readonly (readonly [string, readonly string[]])[]): Record<string, string>[] =>
  labels.reduce<Record<string, string>[]>(
    (sets, [name, values]) => sets.flatMap((set) => values.map((value) => ({ ...set, [name]: value }))),
    [{}],
  )
