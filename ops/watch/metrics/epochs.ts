/** The metrics of epochs, from what the role `api` reads of them in the topics. */

import { isBatch } from '../../../schemas/anchor-keys.ts'
import { sizeBytesOf } from '../../../schemas/batch-joiner.ts'
import type { Anchor, ProjectFinalization } from '../../../schemas/types.ts'
import { PHASES_UNDER_WAY } from '../../reading/epoch-phases.ts'
import { isReleased } from '../../reading/epoch-progress.ts'
import { EPOCHS_KEPT } from '../../reading/progress.ts'
import type { FollowedEpoch, Moment, ProgressListener } from '../../reading/progress-listener.ts'
import { forget, type Metrics } from './create.ts'
import { UnfinishedEpochs, type UnfinishedEvents } from './unfinished-epochs.ts'

export interface EpochMetricsOptions {
  readonly now: () => number
}

export function epochMetrics(metrics: Metrics, { now }: EpochMetricsOptions): ProgressListener {
  const { markets, servedLabel } = metrics
  const unfinished = new UnfinishedEpochs(endsIn(metrics))
  const transactions = createTransactions(metrics)
  const slots = createActiveSlots(metrics)
  const heads = createHeads(metrics)
  metrics.onScrape(() => {
    setStandings(metrics, unfinished, markets, now())
    transactions.refresh(markets, now())
  })
  return {
    wantsPast: true,
    released(epoch, when) {
      const market = servedLabel(epoch.dataMarket)
      heads.look(epoch)
      if (!when.past) metrics.epochsReleased.inc({ market })
      unfinished.released(epoch, when)
    },
    closed(epoch, when) {
      if (!when.past) metrics.epochsClosed.inc({ market: servedLabel(epoch.dataMarket) })
      unfinished.look(epoch, when)
    },
    withdrawn(epoch, when) {
      heads.look(epoch)
      unfinished.look(epoch, when)
    },
    finalized(dataMarket, epochId, project) {
      const market = servedLabel(dataMarket)
      metrics.equivocations.inc({ market }, project.equivocations.length)
      if (project.part === 0) countVotes(metrics, market, project)
      slots.add(market, epochId, project)
    },
    batched(dataMarket, batch) {
      const market = servedLabel(dataMarket)
      metrics.batchProjects.observe({ market }, batch.projectIds.length)
      metrics.batchBytes.observe({ market }, sizeBytesOf(batch))
    },
    summarised(epoch, when) {
      const { counted, projects } = epoch.progress
      const market = servedLabel(epoch.dataMarket)
      metrics.epochSubmissions.set({ market }, counted ?? 0)
      metrics.epochProjects.set({ market }, projects)
      unfinished.look(epoch, when)
    },
    anchorChanged(epoch, batchIndex, anchor, before, when) {
      if (!when.past) countAnchor(metrics, servedLabel(epoch.dataMarket), batchIndex, anchor, before)
      transactions.look(epoch, batchIndex, anchor, when)
      unfinished.look(epoch, when)
    },
    verdict: (market, { reason }) => metrics.verdicts.inc({ market: metrics.marketLabel(market), reason }),
  }
}

const endsIn = (metrics: Metrics): UnfinishedEvents => ({
  left: ({ dataMarket }, phase, seconds) =>
    metrics.epochPhaseSeconds.observe({ market: metrics.servedLabel(dataMarket), phase }, seconds),
  ended({ dataMarket, epochId }, end, value) {
    const market = metrics.servedLabel(dataMarket)
    if (end !== 'ANCHORED') return metrics.epochsMissed.inc({ market, outcome: end })
    metrics.epochsAnchored.inc({ market })
    const exemplarLabels = { epoch: String(epochId) }
    if (value !== undefined) metrics.epochReleaseToAnchor.observe({ labels: { market }, value, exemplarLabels })
  },
})

/** The newest epoch of each market whose release is on the chain; no value where none is known any more. */
function createHeads(metrics: Metrics) {
  const released = new Set<FollowedEpoch>()
  return {
    look(epoch: FollowedEpoch): void {
      released.delete(epoch)
      if (isReleased(epoch.progress)) released.add(epoch)
      if (released.size > EPOCHS_KEPT) released.delete(released.values().next().value!)
      const ofMarket = [...released].filter(({ dataMarket }) => dataMarket === epoch.dataMarket)
      const market = metrics.servedLabel(epoch.dataMarket)
      if (ofMarket.length === 0) metrics.epochHead.remove({ market })
      else
        metrics.epochHead.set(
          { market },
          ofMarket.reduce((newest, { epochId }) => Math.max(newest, epochId), 0),
        )
    },
  }
}

function setStandings(metrics: Metrics, unfinished: UnfinishedEpochs, markets: readonly string[], now: number): void {
  forget(metrics.epochOldest)
  for (const market of markets)
    for (const phase of PHASES_UNDER_WAY) {
      metrics.epochsUnfinished.set({ market, phase }, 0)
      metrics.epochOldestSeconds.set({ market, phase }, 0)
    }
  for (const { dataMarket, phase, epochs, oldest, since } of unfinished.standings()) {
    const market = metrics.servedLabel(dataMarket)
    metrics.epochsUnfinished.set({ market, phase }, epochs)
    metrics.epochOldest.set({ market, phase }, oldest)
    metrics.epochOldestSeconds.set({ market, phase }, Math.max(0, now - since) / 1000)
  }
}

function countVotes(metrics: Metrics, market: string, project: ProjectFinalization): void {
  const { snapshotCid: winner, votes, voters, candidates } = project
  metrics.consensusProjects.inc({ market })
  metrics.consensusVotes.inc({ market, agreed: 'true' }, winner === '' ? 0 : votes)
  metrics.consensusVotes.inc({ market, agreed: 'false' }, winner === '' ? voters : voters - votes)
  if (winner === '') metrics.consensusNoQuorum.inc({ market })
  if (voters === 1) metrics.consensusSingleSource.inc({ market })
  if (winner !== '' && candidates[1]?.votes === votes) metrics.consensusTies.inc({ market })
}

function countAnchor(
  metrics: Metrics,
  market: string,
  batchIndex: number,
  anchor: Anchor,
  before: Anchor | undefined,
): void {
  const { state } = anchor
  if (isBatch({ batchIndex }) && state !== before?.state) metrics.batches.inc({ market, state })
  if (anchor.attested && !before?.attested) metrics.batchesAttested.inc({ market })
  if (anchor.diverged && !before?.diverged) metrics.batchesDiverged.inc({ market })
  for (const { matches } of anchor.attestations.slice(before?.attestations.length ?? 0))
    metrics.attestations.inc({ market, matches: matches === null ? 'unknown' : matches ? 'true' : 'false' })
}

/** Transactions that are sent and in no block, by batch; a fee bump is the same one. */
function createTransactions(metrics: Metrics) {
  const sent = new Map<string, { readonly market: string; readonly at: number }>()
  return {
    look({ dataMarket, epochId }: FollowedEpoch, batchIndex: number, anchor: Anchor, when: Moment): void {
      const market = metrics.servedLabel(dataMarket)
      const id = `${dataMarket}/${epochId}/${batchIndex}`
      if (anchor.state === 'SENT') {
        if (!sent.has(id)) sent.set(id, { market, at: when.at })
        return
      }
      const one = sent.get(id)
      if (!one || !sent.delete(id) || when.past || anchor.state !== 'MINED') return
      const exemplarLabels = { epoch: String(epochId), batch: String(batchIndex) }
      metrics.txConfirmSeconds.observe({ labels: { market }, value: (when.at - one.at) / 1000, exemplarLabels })
    },
    refresh(markets: readonly string[], now: number): void {
      const oldest = new Map(markets.map((market) => [market, now]))
      for (const { market, at } of sent.values()) oldest.set(market, Math.min(oldest.get(market) ?? now, at))
      for (const [market, at] of oldest) metrics.txOldestPendingSeconds.set({ market }, Math.max(0, now - at) / 1000)
    },
  }
}

/** Distinct slots among the ballots of the newest epoch, per market. */
function createActiveSlots(metrics: Metrics) {
  const newest = new Map<string, { readonly epochId: number; readonly slots: Set<number> }>()
  return {
    add(market: string, epochId: number, { ballots }: ProjectFinalization): void {
      let at = newest.get(market)
      if (at && at.epochId > epochId) return
      if (at?.epochId !== epochId) {
        at = { epochId, slots: new Set() }
        newest.set(market, at)
      }
      for (const { slotId } of ballots) at.slots.add(slotId)
      metrics.epochActiveSlots.set({ market }, at.slots.size)
    },
  }
}
