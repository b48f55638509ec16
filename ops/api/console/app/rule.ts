import type { HealthAnswer } from '../../health-schema.ts'
import type { AnchorItem, EpochSummary } from '../../schema.ts'
import type { Tone } from './words.ts'

export interface Assessment {
  readonly tone: Tone
  readonly title: string
  readonly detail: string
  /** The remedy; none when nothing is to be done. */
  readonly advice: string | undefined
  /** The epoch that it is about. */
  readonly epochId?: number
}

export interface MarketFacts {
  readonly health: HealthAnswer
  readonly dataMarket: string
  /** Newest first. */
  readonly epochs: readonly EpochSummary[]
  readonly pending: readonly AnchorItem[]
  readonly now: number
}

export type Rule = (facts: MarketFacts) => Assessment | undefined
