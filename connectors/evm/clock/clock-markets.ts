/**
 * Which data markets the clock follows: the configured ones, and what the operator has asked for since. It alone answers
 * requests, with a HEAD that says so to everybody and a row of the topic markets in the same transaction (decision 0017).
 */
import type { MarketChange, MarketRequest, ServedMarket } from '../../../schemas/types.ts'
import { EvmError } from '../errors.ts'
import type { ClockMarket, OpenEpoch } from './chain-state.ts'

export interface MarketLimits {
  /** Measure of the submission window of markets that are added. */
  readonly addedWindowUnit: ClockMarket['windowUnit']
  /** Markets served at one time. */
  readonly marketsMax: number
}

export interface AskedMarket extends MarketRequest {
  /** Lower case. */
  readonly dataMarket: string
}

/** Why the contract does not have the market, or undefined when it does. Rejects when no node can say. */
export type CheckMarket = (dataMarket: string) => Promise<string | undefined>

/** The content of one transaction: the words of its first HEAD, and the rows. */
export interface MarketNews {
  readonly changes: readonly MarketChange[]
  readonly rows: ReadonlyMap<string, ServedMarket>
}

/** A check that fails is made again with each step, so often; then the request is refused. */
export const CHECKS_MAX = 20
const UNTOUCHED: ServedMarket = { serving: 'CONFIGURED', sinceBlock: 0, lastEpoch: 0, requestId: '', refused: '' }

export class ClockMarkets {
  private readonly configured: ReadonlyMap<string, ClockMarket>
  private readonly limits: MarketLimits
  private readonly rows = new Map<string, ServedMarket>()
  /** Decided and not yet in the log: the newest request of each market, and why it is refused. */
  private readonly decided = new Map<string, AskedMarket & { readonly refused: string }>()
  /** Rows as they are to be, where the log has another that is not the clock's. */
  private readonly mended = new Map<string, ServedMarket>()
  private checksFailed = 0

  constructor(configured: readonly ClockMarket[], limits: MarketLimits) {
    this.configured = new Map(configured.map((market) => [market.dataMarket, market]))
    this.limits = limits
  }

  /** Takes a row as it lies in the log. */
  load(dataMarket: string, row: ServedMarket): void {
    this.rows.set(dataMarket, row)
  }

  /**
   * Takes a row in the place of one in the log that rests on no request: it is written with the next news.
   * @param row undefined when the log has none that does
   */
  mend(dataMarket: string, row: ServedMarket | undefined): void {
    this.mended.set(dataMarket, row ?? UNTOUCHED)
  }

  unitOf(dataMarket: string): ClockMarket['windowUnit'] {
    return this.configured.get(dataMarket)?.windowUnit ?? this.limits.addedWindowUnit
  }

  /**
   * Whether a release from the next block on is taken up: the market is served by then, or this epoch was open when it was
   * removed, and a reorganisation releases it again.
   */
  follows(dataMarket: string, epochId: number): boolean {
    if (this.willBeServed(dataMarket)) return true
    const row = this.rows.get(dataMarket)
    return row?.serving === 'REMOVED' && epochId <= row.lastEpoch
  }

  /** Whether any release of the market may be taken up. */
  isOurs(dataMarket: string): boolean {
    return this.willBeServed(dataMarket) || this.rows.get(dataMarket)?.serving === 'REMOVED'
  }

  /** Markets whose releases from the next block on are taken up. */
  served(): string[] {
    const known = new Set([...this.configured.keys(), ...this.rows.keys(), ...this.decided.keys()])
    return [...known].filter((market) => this.willBeServed(market))
  }

  /** Decides on requests, in their order. Rejects, and has taken none, when a market cannot be checked now. */
  async decide(asked: readonly AskedMarket[], check: CheckMarket): Promise<void> {
    const newest = new Map(asked.map((request) => [request.dataMarket, request]))
    const decided = await Promise.all(
      [...newest.values()].map(async (one) => ({ ...one, refused: await this.why(one, check) })),
    )
    this.checksFailed = 0
    for (const one of decided) this.decided.set(one.dataMarket, one)
  }

  /** True when a row must be written although nothing changes for any reader. */
  get hasOnlyRefusals(): boolean {
    return this.decided.size > 0 && [...this.decided.values()].every((one) => !this.changes(one))
  }

  /**
   * The news to be written with the block. News of a block that has left the chain are said again.
   * @param newest number of the newest block that has ticks
   */
  news(block: number, newest: number | undefined, open: readonly OpenEpoch[]): MarketNews {
    const rows = new Map(this.mended)
    for (const [dataMarket, row] of this.rows)
      if (row.serving !== 'CONFIGURED' && row.sinceBlock > (newest ?? -1))
        rows.set(dataMarket, { ...row, sinceBlock: block })
    for (const one of this.decided.values()) {
      const { dataMarket, requestId, refused, served } = one
      const before = rows.get(dataMarket) ?? this.rows.get(dataMarket) ?? UNTOUCHED
      if (!this.changes(one)) rows.set(dataMarket, { ...before, requestId, refused })
      else if (served) rows.set(dataMarket, { serving: 'ADDED', sinceBlock: block, lastEpoch: 0, requestId, refused })
      else
        rows.set(dataMarket, {
          serving: 'REMOVED',
          sinceBlock: block,
          lastEpoch: Math.max(
            0,
            ...open.filter((epoch) => epoch.dataMarket === dataMarket).map(({ epochId }) => epochId),
          ),
          requestId,
          refused,
        })
    }
    const said = [...rows].filter(([, { serving, sinceBlock }]) => serving !== 'CONFIGURED' && sinceBlock === block)
    return { rows, changes: said.map(([dataMarket, { serving }]) => ({ dataMarket, served: serving === 'ADDED' })) }
  }

  /** The news is in the log. */
  written({ rows }: MarketNews): void {
    for (const [dataMarket, row] of rows) this.rows.set(dataMarket, row)
    this.decided.clear()
    this.mended.clear()
  }

  private isServed(dataMarket: string): boolean {
    const { serving } = this.rows.get(dataMarket) ?? UNTOUCHED
    return serving === 'CONFIGURED' ? this.configured.has(dataMarket) : serving === 'ADDED'
  }

  private willBeServed(dataMarket: string): boolean {
    const decided = this.decided.get(dataMarket)
    return decided && this.changes(decided) ? decided.served : this.isServed(dataMarket)
  }

  private changes({ dataMarket, served, refused }: AskedMarket & { readonly refused: string }): boolean {
    return refused === '' && served !== this.isServed(dataMarket)
  }

  private async why({ dataMarket, served }: AskedMarket, check: CheckMarket): Promise<string> {
    if (!served || this.willBeServed(dataMarket)) return ''
    const count = this.served().length
    if (count >= this.limits.marketsMax) return `${count} markets are served, at most ${this.limits.marketsMax} can be`
    try {
      return (await check(dataMarket)) ?? ''
    } catch (error) {
      const mayPass = error instanceof EvmError && error.retriable
      if (mayPass && ++this.checksFailed < CHECKS_MAX) throw error
      return `it could not be checked: ${(error as Error).message}`
    }
  }
}
