/** The content of a panel, as data; build.ts makes Grafana's JSON of it. */

export interface Query {
  readonly expr: string
  /** Name of a series, e.g. `{{stage}}`; in a table the name of its column. */
  readonly legend?: string
}

export interface Panel {
  readonly title: string
  /** The question that it answers, and the bad sign. */
  readonly help: string
  readonly kind: 'stat' | 'series' | 'table' | 'timeline'
  readonly queries: readonly Query[]
  /** Grafana's name of it. */
  readonly unit?: 's' | 'bytes' | 'Bps' | 'short' | 'percentunit' | 'none' | 'reqps' | 'dateTimeFromNow'
  /** Share of 24. */
  readonly width: number
  /** From when on a stat is yellow, and red; the other way round when the second is lower. */
  readonly limits?: readonly [yellow: number, red: number]
  readonly stacked?: true
}

export interface Row {
  readonly title: string
  readonly panels: readonly Panel[]
}

export interface Dashboard {
  readonly uid: string
  readonly title: string
  readonly help: string
  readonly rows: readonly Row[]
}

/** Selects one market, or all. */
export const OF_MARKET = 'market=~"$market"'
