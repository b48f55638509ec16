/** The state of things on one screen: what `sequencer status` prints, and the query API answers. Pure. */
import type { ProcessSigner } from '../../schemas/types.ts'
import type { Stage } from '../base/roles.ts'
import { isStage } from '../base/roles.ts'
import { type EpochOutcome, type EpochPhase, isAnchored } from './epoch-phases.ts'
import { outcomeOf, phaseOf, supportOf, timesOf } from './epoch-progress.ts'
import { acknowledgedIn, type Processes, type ProcessStatus, type RoleStatus, rolesOf, signerIn } from './processes.ts'
import type { EpochFacts, RecentEpochs } from './recent-epochs.ts'
import type { SignerFacts } from './signer-facts.ts'

/** Epochs of a market that are listed, and those that times and support are taken from. */
export const EPOCHS_SHOWN = 10
export const EPOCHS_MEASURED = 60

/** Times are ms since 1970. */
export interface StatusReport {
  readonly at: number
  /** Newest block that became a tick. */
  readonly chain: RecentEpochs['head']
  readonly markets: readonly MarketReport[]
  readonly roles: readonly RoleReport[]
  readonly processes: readonly ProcessStatus[]
  /** Processes that there was no room for. */
  readonly moreProcesses: number
  readonly signer: SignerReport
  /** Acknowledged by all intakes in the last minute; null: no intake runs. */
  readonly submissionsPerMinute: number | null
}

export interface MarketReport {
  readonly dataMarket: string
  readonly served: boolean
  /** Newest epoch that was released. */
  readonly headEpoch: number | null
  /** Newest first. */
  readonly epochs: readonly EpochReport[]
  /** Votes for winners as a share of all votes, in the newest epoch of which that is known. */
  readonly agreement: number | null
  readonly toAnchor: Percentiles | null
}

/** From the release to the end on the chain, seconds, of anchored epochs. */
export interface Percentiles {
  readonly p50: number
  readonly p95: number
  /** The number of epochs measured. */
  readonly epochs: number
}

export interface EpochReport {
  readonly dataMarket: string
  readonly epochId: number
  readonly phase: EpochPhase
  readonly outcome: EpochOutcome | null
  readonly releasedAt: number | null
  readonly closedAt: number | null
  /** When the batches of the epoch and its ending call were final. */
  readonly finalAt: number | null
  /** Acknowledged; null: not counted, as in a log that is read without the query API. */
  readonly submissions: number | null
  /** Submissions in its batches, and batches; null before they are cut. */
  readonly counted: number | null
  readonly batches: number | null
  /** With a winner, and without. */
  readonly projects: number
  readonly projectsWithoutQuorum: number
  readonly agreement: number | null
}

export interface RoleReport extends RoleStatus {
  /** Records that a stage has not taken; null: of a connector, or not known now. */
  readonly behind: number | null
}

export interface SignerReport extends SignerFacts {
  /** As the process says that sends; null: none has said so. */
  readonly address: ProcessSigner['address'] | null
  readonly balanceWei: ProcessSigner['balanceWei']
  readonly balanceAt: ProcessSigner['balanceAt']
}

export interface StatusFacts {
  readonly now: number
  readonly chain: StatusReport['chain']
  readonly markets: readonly { readonly dataMarket: string; readonly served: boolean }[]
  /** Newest first within a market. */
  readonly epochs: readonly EpochFacts[]
  readonly processes: Processes
  readonly lags: ReadonlyMap<Stage, number | null>
  readonly signer: SignerFacts
}

export function statusReport({ now, chain, markets, epochs, processes, lags, signer }: StatusFacts): StatusReport {
  const { items, more } = processes
  return {
    at: now,
    chain,
    markets: markets.map((market) => marketReport(market, epochs.filter(isOf(market)))),
    roles: rolesOf(items).map((role) => ({
      ...role,
      behind: isStage(role.role) ? (lags.get(role.role) ?? null) : null,
    })),
    processes: items,
    moreProcesses: more,
    signer: signerReport(signer, signerIn(items)),
    submissionsPerMinute: acknowledgedIn(items),
  }
}

const signerReport = (facts: SignerFacts, told: ReturnType<typeof signerIn>): SignerReport => ({
  address: told?.address ?? null,
  balanceWei: told?.balanceWei ?? null,
  balanceAt: told?.balanceAt ?? null,
  ...facts,
  nonce: highest(facts.nonce, told?.nonce ?? null),
})

const isOf =
  (market: { readonly dataMarket: string }) =>
  ({ dataMarket }: EpochFacts): boolean =>
    dataMarket === market.dataMarket

const highest = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.max(a, b)

function marketReport(market: StatusFacts['markets'][number], facts: readonly EpochFacts[]): MarketReport {
  const reports = facts.map(epochReport)
  return {
    dataMarket: market.dataMarket,
    served: market.served,
    headEpoch: reports.find(({ releasedAt }) => releasedAt !== null)?.epochId ?? null,
    epochs: reports.slice(0, EPOCHS_SHOWN),
    agreement: reports.find(({ agreement }) => agreement !== null)?.agreement ?? null,
    toAnchor: percentilesOf(reports.slice(0, EPOCHS_MEASURED)),
  }
}

export function epochReport({ dataMarket, progress, submissions }: EpochFacts): EpochReport {
  const { epochId, releasedAt, closedAt, counted, batches, projects, projectsWithoutQuorum } = progress
  return {
    dataMarket,
    epochId,
    phase: phaseOf(progress),
    outcome: outcomeOf(progress),
    releasedAt,
    closedAt,
    finalAt: timesOf(progress).finalAt,
    submissions,
    counted,
    batches,
    projects,
    projectsWithoutQuorum,
    agreement: supportOf(progress),
  }
}

/** Counts the epochs that are anchored. */
export function percentilesOf(epochs: readonly EpochReport[]): Percentiles | null {
  const seconds = epochs.flatMap((epoch) => {
    const { releasedAt, finalAt } = epoch
    return releasedAt === null || finalAt === null || !isAnchored(epoch)
      ? []
      : [Math.max(0, finalAt - releasedAt) / 1_000]
  })
  if (seconds.length === 0) return null
  seconds.sort((a, b) => a - b)
  const at = (share: number): number => seconds[Math.ceil(share * seconds.length) - 1]!
  return { p50: at(0.5), p95: at(0.95), epochs: seconds.length }
}
