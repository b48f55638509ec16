/** Which data markets are served at a place of the log, and in which blocks they were. */
import type { EpochTick, ServedMarket } from '../../../schemas/types.ts'
import type { MarketRules, ProtocolRules } from '../../../topology/rules.ts'

interface Change {
  readonly block: number
  readonly served: boolean
}

export class ServedMarkets {
  private readonly rules: ProtocolRules
  private readonly configured: ReadonlyMap<string, MarketRules>
  /** The markets that the clock keeps; needed where the ticks that said so have expired. */
  private readonly rows: ReadonlyMap<string, ServedMarket>
  private readonly isCut: boolean
  private readonly changes = new Map<string, Change[]>()
  private readonly added = new Map<string, MarketRules>()
  private firstBlock: number | undefined
  private readonly now = new Map<string, boolean>()

  constructor(rules: ProtocolRules, rows: ReadonlyMap<string, ServedMarket>, isCut: boolean) {
    this.rules = rules
    this.configured = new Map(rules.markets.map((market) => [market.dataMarket, market]))
    this.rows = rows
    this.isCut = isCut
  }

  /** Configured, or served at some time. */
  get all(): readonly string[] {
    return [...new Set([...this.configured.keys(), ...this.rows.keys(), ...this.changes.keys()])]
  }

  rulesOf(dataMarket: string): MarketRules {
    const known = this.configured.get(dataMarket) ?? this.added.get(dataMarket)
    if (known) return known
    const { chainId, protocolState } = this.rules.markets[0]!
    const rules = { ...this.rules.addedMarkets, dataMarket, chainId, protocolState }
    this.added.set(dataMarket, rules)
    return rules
  }

  /** Undefined when the log no longer reaches back to where that was said. */
  isServed(dataMarket: string): boolean | undefined {
    return this.now.get(dataMarket) ?? this.atBeginning(dataMarket)
  }

  /** The same as of the end of the log for a block of the chain as it ended. */
  wasServed(dataMarket: string, block: number): boolean | undefined {
    const last = this.changes.get(dataMarket)?.findLast((change) => change.block <= block)
    return last?.served ?? this.atBeginning(dataMarket)
  }

  /** The words of a HEAD hold also when its block leaves the chain; the chain as it ended says it once more, elsewhere. */
  apply({ kind, blockNumber, markets }: EpochTick): void {
    if (kind === 'ORPHAN')
      for (const [dataMarket, changes] of this.changes)
        this.changes.set(
          dataMarket,
          changes.filter(({ block }) => block < blockNumber),
        )
    if (kind !== 'HEAD') return
    this.firstBlock ??= blockNumber
    for (const { dataMarket, served } of markets) {
      const changes = this.changes.get(dataMarket) ?? []
      this.changes.set(dataMarket, [...changes, { block: blockNumber, served }])
      this.now.set(dataMarket, served)
    }
  }

  private atBeginning(dataMarket: string): boolean | undefined {
    const row = this.rows.get(dataMarket)
    if (!this.isCut || !row || row.serving === 'CONFIGURED') return this.configured.has(dataMarket)
    if (this.firstBlock === undefined || row.sinceBlock >= this.firstBlock) return undefined
    return row.serving === 'ADDED'
  }
}
