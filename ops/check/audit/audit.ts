/**
 * Recomputes every epoch from the log with a second, plain implementation of the rules and compares. It shares with the
 * sequencer what a record looks like (schemas, topics) and nothing of how it is processed.
 */
import type { EpochTick } from '../../../schemas/types.ts'
import { partitionFor } from '../../../streams/partitioner.ts'
import type { Log, PartitionBounds } from '../../../streams/ports.ts'
import type { ProtocolRules } from '../../../topology/rules.ts'
import { epochScope, type Topics } from '../../../topology/topics.ts'
import { readMarketRows } from '../../reading/market-rows.ts'
import { partitionsOf } from '../../reading/scan.ts'
import { createKeccak256 } from '../verify/keccak.ts'
import { createSignatureReader } from '../verify/signature.ts'
import { readHistories } from './anchor-history.ts'
import { indexBatches, readAnchors } from './anchored.ts'
import type { ChainReader } from './chain.ts'
import { ChainView, nameOf } from './chain-view.ts'
import { compareReleases } from './compare-releases.ts'
import { compareTables } from './compare-tables.ts'
import { TickComparison } from './compare-ticks.ts'
import { compareVerdict } from './compare-verdict.ts'
import { PartitionCursor, type ReadMarker, type ReadSubmission, tickId } from './cursor.ts'
import { ContributionBuilder } from './days/contribution.ts'
import { DayAudit, readDaySources } from './days/day-audit.ts'
import { createKeeper, type Decision, type Entry, placeOf } from './entry.ts'
import { admitAll, auditEpoch } from './epoch-audit.ts'
import type { EpochSources } from './epoch-sources.ts'
import { nameForeign } from './foreign.ts'
import { Judge, type JudgeSources, type Outcome } from './judge.ts'
import type { TopicMadeAnew } from './made-anew.ts'
import { align, nextMarker } from './marker-order.ts'
import { newestHeads } from './newest-heads.ts'
import { readOwners } from './owners.ts'
import { type AuditReport, Findings } from './report.ts'
import { ServedMarkets } from './served-markets.ts'
import { readStages, writtenPartitions } from './stages.ts'
import { compareBlocks } from './stored-blocks.ts'
import { untilVisible } from './until-visible.ts'
import { readVerdicts, type VerdictIndex } from './verdict-index.ts'
import { WholeEpochs } from './whole-epochs.ts'

export interface AuditOptions {
  readonly topics: Topics
  readonly rules: ProtocolRules
  /** Prefix of the consumer groups. Without it every stage counts as past everything in the log. */
  readonly appId?: string
  readonly chain?: ChainReader
  /** Topics that are not those that were deployed. */
  readonly anew?: readonly TopicMadeAnew[]
  /** Folder of the batch store whose blocks are compared with their CIDs. */
  readonly blocks?: string
}

export async function auditLog(log: Log, options: AuditOptions): Promise<AuditReport> {
  const audit = await openAudit(log, options)
  if (options.blocks !== undefined) await compareBlocks(options.blocks, audit.findings)
  await audit.replay()
  await audit.compareReleases()
  await audit.days.finish(options.chain)
  return audit.report()
}

/**
 * The log may be in use. So what stages have committed is looked up first, then where what they wrote ends, once readers see
 * it; and where the submissions end last: then whatever is due is there, and whatever was decided has its cause in what is
 * replayed.
 */
async function openAudit(log: Log, { topics, rules, appId, chain, anew }: AuditOptions): Promise<Audit> {
  const findings = new Findings(anew)
  const stages = await readStages(log, topics, appId, findings)
  await compareTables(log, topics, { appId, chain }, findings)
  await untilVisible(log, await writtenPartitions(log, topics))
  const verdictBounds = await log.bounds(partitionsOf(topics.verdicts))
  const sources: EpochSources = {
    log,
    topics,
    stages,
    batches: await indexBatches(log, topics, rules, findings),
    anchors: await readAnchors(log, topics, findings),
    histories: await readHistories(log, topics, rules, findings),
    chain,
    keccak: await createKeccak256(),
    findings,
  }
  const daySources = await readDaySources(log, topics, { stages, findings, rules })
  await nameForeign(log, topics, rules, findings)
  const bounds = await log.bounds(partitionsOf(topics.submissions))
  const verdictIndex = await readVerdicts(log, topics, bounds, verdictBounds, findings)
  const isCut = bounds.some(({ start }) => start > 0)
  const markets = new ServedMarkets(rules, await readMarketRows(log, topics, findings.unreadable), isCut)
  const heads = await newestHeads(log, topics)
  const countsOwnBlocks = heads.some(({ contractBlock, blockNumber }) => contractBlock === blockNumber)
  const whole = new WholeEpochs(isCut, (dataMarket) => markets.rulesOf(dataMarket))
  const view = new ChainView(markets, findings, whole, { headsKept: rules.headsKept, countsOwnBlocks })
  const { key, partitions } = topics.submissions
  const judging: JudgeSources = {
    ownerAt: await readOwners(log, topics, findings),
    reader: await createSignatureReader(),
    partitionOf: ({ dataMarket, epochId, projectId }) =>
      partitionFor(key.encode({ dataMarket: dataMarket.toLowerCase(), epochId, projectId }), partitions),
  }
  const judge = new Judge(rules, markets, judging, whole)
  const days = new DayAudit(daySources, whole, (dataMarket) => markets.rulesOf(dataMarket))
  const audit = new Audit({ sources, markets, verdictIndex, view, judge, days, whole, bounds, rules })
  if (isCut) await audit.align()
  return audit
}

interface AuditParts {
  readonly sources: EpochSources
  readonly markets: ServedMarkets
  readonly verdictIndex: VerdictIndex
  readonly view: ChainView
  readonly judge: Judge
  readonly days: DayAudit
  readonly whole: WholeEpochs
  readonly bounds: readonly PartitionBounds[]
  readonly rules: ProtocolRules
}

class Audit {
  private readonly sources: EpochSources
  readonly findings: Findings
  readonly days: DayAudit
  private readonly markets: ServedMarkets
  private readonly verdictIndex: VerdictIndex
  private readonly view: ChainView
  private readonly judge: Judge
  private readonly whole: WholeEpochs
  private readonly cursors: readonly PartitionCursor[]
  private readonly ticks: TickComparison
  /** Valid submissions of each epoch that is not closed yet. */
  private readonly valid = new Map<string, { readonly entries: Entry[]; readonly keep: (entry: Entry) => Entry }>()
  private acknowledged = 0
  private pending = 0
  private early = 0
  private beyondRetention = 0
  private notWhole = 0
  private anchored = 0
  private onChain = 0
  private blocks: { first: number; last: number } | undefined

  constructor({ sources, markets, verdictIndex, view, judge, days, whole, bounds, rules }: AuditParts) {
    this.sources = sources
    this.days = days
    this.findings = sources.findings
    this.markets = markets
    this.verdictIndex = verdictIndex
    this.view = view
    this.judge = judge
    this.whole = whole
    this.ticks = new TickComparison(sources.log, sources.topics, this.findings, rules)
    const ports = { ...sources, rules, onUnreadable: this.findings.unreadable }
    this.cursors = bounds.map(({ stable }, partition) => new PartitionCursor(ports, partition, stable))
  }

  async align(): Promise<void> {
    await align(this.cursors, () => this.beyondRetention++)
  }

  /** From marker to marker: what lies before a marker in any partition is judged by the state before it. */
  async replay(): Promise<void> {
    const judge = (read: ReadSubmission): void => {
      this.acknowledged++
      this.whole.saw(read.submission.receivedAt)
      for (const outcome of this.judge.judge(read)) this.take(outcome, () => read.offset)
    }
    for (;;) {
      const stops: (ReadMarker | undefined)[] = []
      for (const cursor of this.cursors) stops.push(await cursor.untilMarker(judge))
      if (stops.every((stop) => stop === undefined)) break
      for (const [at, stop] of stops.entries()) stops[at] = stop ?? (await this.cursors[at]!.readOn(judge))
      const next = nextMarker(stops)
      await this.applyMarker(next, stops)
    }
    this.finish()
  }

  private async applyMarker(tick: EpochTick, stops: readonly (ReadMarker | undefined)[]): Promise<void> {
    const id = tickId(tick)
    for (const [partition, stop] of stops.entries()) {
      if (stop && tickId(stop.marker.tick) === id) this.cursors[partition]!.takeMarker()
      else
        this.findings
          .of(1_000 * tick.blockTimestamp, 'submissions')
          .add('skipped', `submissions[${partition}]`, `the marker ${id} is missing, which other partitions have`)
    }
    await this.ticks.compare(tick)
    if (tick.kind === 'OPEN') this.whole.opened(tick)
    this.view.apply(tick)
    this.days.apply(tick)
    if (tick.kind === 'HEAD') this.blocks = { first: this.blocks?.first ?? tick.blockNumber, last: tick.blockNumber }
    const offsetOf = ({ partition, offset }: Entry) => stops[partition]?.offset ?? offset
    for (const outcome of this.judge.onTick(tick)) this.take(outcome, offsetOf)
    if (tick.kind === 'CLOSE') await this.closeEpoch(tick)
  }

  private take(outcome: Outcome, offsetOf: (entry: Entry) => number): void {
    if (outcome.kind === 'beyond') this.beyondRetention++
    else if (outcome.kind === 'refused') {
      const { partition } = outcome.decision.entry
      this.compareVerdict(outcome.decision, this.sources.stages.validated(partition, offsetOf(outcome.decision.entry)))
    } else if (outcome.kind === 'valid') {
      const { dataMarket, submission } = outcome.entry
      const scope = epochScope(dataMarket, submission.epochId)
      const epoch = this.valid.get(scope) ?? { entries: [], keep: createKeeper() }
      this.valid.set(scope, epoch)
      epoch.entries.push(epoch.keep(outcome.entry))
    }
  }

  private async closeEpoch(tick: EpochTick): Promise<void> {
    const { dataMarket, epochId } = tick
    const scope = epochScope(dataMarket, epochId)
    const epoch = this.view.epoch(dataMarket, epochId)
    const market = this.markets.rulesOf(dataMarket)
    const entries = this.valid.get(scope)?.entries ?? []
    this.valid.delete(scope)
    if (!epoch) return this.days.close(tick, undefined)
    if (!this.whole.has(dataMarket, epochId)) {
      this.beyondRetention += entries.length
      this.notWhole++
      return this.days.close(tick, undefined)
    }
    const settled = this.sources.stages.settled(scope)
    const contribution = new ContributionBuilder()
    const decide = (decision: Decision): void => {
      this.compareVerdict(decision, settled)
      contribution.take(decision)
    }
    const ports = { decide, timeOf: (hash: string) => this.judge.timeOf(hash) }
    const { anchored, onChain } = await auditEpoch(epoch, entries, market, this.sources, ports)
    if (anchored) this.anchored++
    if (onChain) this.onChain++
    await this.days.close(tick, contribution.votes)
  }

  private compareVerdict(decision: Decision, isDue: boolean): void {
    const { dataMarket, submission } = decision.entry
    if (!this.whole.has(dataMarket, submission.epochId)) this.beyondRetention++
    else if (compareVerdict(decision, isDue, this.verdictIndex, this.findings)) this.pending++
  }

  /** The open submissions: the quota has decided for good, the rest waits and has no verdict yet. */
  private finish(): void {
    for (const { entries } of this.valid.values()) {
      const market = this.markets.rulesOf(entries[0]!.dataMarket)
      const admitted = admitAll(entries, market, (decision) => this.compareVerdict(decision, false))
      for (const entry of admitted) this.expectNone(entry)
    }
    for (const entry of this.judge.waiting()) {
      this.early++
      this.expectNone(entry)
    }
    for (const epoch of this.view.epochs.values()) {
      const scope = epochScope(epoch.dataMarket, epoch.epochId)
      if (!epoch.close && this.sources.batches.has(scope))
        this.findings.of(undefined, 'submissions').add('mismatches', nameOf(epoch), OPEN_WITH_BATCHES)
    }
  }

  private expectNone(entry: Entry): void {
    this.pending++
    if (!this.whole.has(entry.dataMarket, entry.submission.epochId)) return
    const found = this.verdictIndex.reasonAt(entry.partition, entry.offset)
    if (found !== undefined)
      this.findings.add('mismatches', placeOf(entry), `a verdict, ${found}, though nothing is decided yet`)
  }

  compareReleases(): Promise<void> {
    const { view, markets, findings } = this
    return compareReleases({ view, markets, findings, chain: this.sources.chain }, this.blocks)
  }

  report(): AuditReport {
    return {
      epochsReleased: this.view.released,
      epochsClosed: this.view.closed,
      epochsPassedOver: this.view.passedOver,
      epochsAnchored: this.anchored,
      acknowledged: this.acknowledged,
      verdicts: this.verdictIndex.size,
      pending: this.pending,
      early: this.early,
      beyondRetention: this.beyondRetention,
      epochsNotWhole: this.notWhole,
      windowsUnchecked: this.view.windowsUnchecked,
      releasesLost: this.findings.told,
      ...this.findings.counts,
      epochsOnChain: this.sources.chain ? this.onChain : null,
      ...this.days.figures(),
      differences: this.findings.differences(),
      notes: this.findings.notes(),
    }
  }
}

const OPEN_WITH_BATCHES = 'it has batches, though it was not closed'
