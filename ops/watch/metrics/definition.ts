/**
 * The definition of a metric: one entry of the table from which the registry, docs/metrics.md and the checks of rules and
 * dashboards come.
 */
import type { Counter, Gauge, Histogram } from 'prom-client'
import type { Role } from '../../base/roles.ts'

/** The closed set of values, or in words what bounds them. */
export type LabelValues = readonly string[] | string

/** Values that only the configuration knows. */
export const MARKET = 'a data market, lower case: configured, or added at run time; `other` above 64 of them'
export const MARKET_OR_OTHER = 'a data market as above; `other` for all that are not served'
export const OTHER = 'other'

export interface Definition {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly name: string
  readonly help: string
  /** Unit of the value: seconds, bytes, records, … */
  readonly unit: string
  /** Roles whose processes have it; none = every process. */
  readonly roles?: readonly Role[]
  readonly labels?: Readonly<Record<string, LabelValues>>
  /** Upper bounds of a histogram; seconds by default. */
  readonly buckets?: readonly number[]
  /** For a histogram: an observation may name its epoch, which no label may. */
  readonly exemplars?: true
  /** The action to take, or the value to compare it with. */
  readonly use?: string
}

type LabelNames<D extends Definition> = D extends { readonly labels: infer L } ? Extract<keyof L, string> : never

export type MetricOf<D extends Definition> = D['type'] extends 'counter'
  ? Counter<LabelNames<D>>
  : D['type'] extends 'gauge'
    ? Gauge<LabelNames<D>>
    : Histogram<D extends { readonly exemplars: true } ? string : LabelNames<D>>

/** Upper bounds, seconds: from a group commit to an epoch that waits for an outage to end. */
export const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
