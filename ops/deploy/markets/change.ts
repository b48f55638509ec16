/** Adding and removing a data market: what is known before, the request, and what became of it. */
import { setTimeout } from 'node:timers/promises'
import type { MarketsAdmin } from '../../ground/markets-admin.ts'
import type { MarketStatus } from '../../reading/market-status.ts'
import { type ChainAnswer, firstEpochFrom } from './on-chain.ts'

export interface ChangeOptions {
  /** Lower case. */
  readonly dataMarket: string
  readonly action: 'add' | 'remove'
  readonly dryRun: boolean
  /** How long the answer of the clock is waited for, ms; 0: not at all. */
  readonly waitMs: number
}

/**
 * - `already`: it is so, nothing was asked for. `refused`: by the contract, or by the clock. `would`: a dry run.
 * - `done`: the clock has taken it. `pending`: it is in the log; the clock takes it as soon as one follows the chain. `unread`: it
 *   is in the log, behind a transaction that is open, so that no clock sees it yet.
 */
export type ChangeOutcome = 'already' | 'would' | 'refused' | 'done' | 'pending' | 'unread'

export interface ChangeReport {
  readonly dataMarket: string
  readonly action: 'add' | 'remove'
  readonly outcome: ChangeOutcome
  /** First block for which it holds; null: not known yet, or since ever. */
  readonly sinceBlock: number | null
  /** add: the first epoch of it here; null: the next one that the contract releases, whichever that is. */
  readonly firstEpoch: number | null
  /** remove: its epochs that still close and are anchored. */
  readonly finishing: readonly number[]
  /** The reason of the refusal, the fact that could not be found out, or why nobody can read the request yet. */
  readonly reason: string | null
}

export interface ChangePorts {
  readonly admin: MarketsAdmin
  /** Asks a node about the market. */
  readonly onChain: () => Promise<ChainAnswer>
}

const LOOK_MS = 250

export async function changeMarket(options: ChangeOptions, { admin, onChain }: ChangePorts): Promise<ChangeReport> {
  const { dataMarket, action, dryRun, waitMs } = options
  const served = action === 'add'
  const before = statusIn(await admin.statuses(), dataMarket)
  const report = { dataMarket, action, sinceBlock: null, firstEpoch: null, finishing: [], reason: null }
  if ((before?.served ?? false) === served && before?.pending == null)
    return {
      ...report,
      outcome: 'already',
      sinceBlock: before?.sinceBlock ?? null,
      ...effectOf(options, before),
      reason: notWhole(await admin.unread()),
    }
  const chain = served ? await onChain() : undefined
  const reason = chain && 'unasked' in chain ? `not checked (${chain.unasked}): the clock asks its own node` : null
  if (chain && 'refused' in chain) return { ...report, outcome: 'refused', reason: chain.refused }
  if (dryRun) return { ...report, ...effectOf(options, before), outcome: 'would', reason }
  const after = await untilAnswered(admin, dataMarket, await admin.ask(dataMarket, served), waitMs)
  if (!after) {
    const unread = await admin.unread()
    const outcome = unread === undefined ? 'pending' : 'unread'
    return { ...report, ...effectOf(options, before), outcome, reason: notWhole(unread) ?? reason }
  }
  if (after.refused !== null) return { ...report, outcome: 'refused', reason: after.refused }
  const { sinceBlock } = after
  const effect = effectOf(options, after)
  const firstEpoch = effect.firstEpoch ?? (served ? firstEpochFrom(sinceBlock ?? 0, await onChain()) : null)
  return { ...report, ...effect, outcome: 'done', sinceBlock, firstEpoch }
}

const notWhole = (unread: string | undefined): string | null =>
  unread === undefined ? null : `not all is known: ${unread}`

const statusIn = (statuses: readonly MarketStatus[], market: string): MarketStatus | undefined =>
  statuses.find(({ dataMarket }) => dataMarket === market)

const effectOf = ({ action }: ChangeOptions, status: MarketStatus | undefined) => ({
  firstEpoch: action === 'add' ? (status?.firstEpoch ?? null) : null,
  finishing: action === 'remove' ? (status?.unfinished ?? []) : [],
})

async function untilAnswered(
  admin: MarketsAdmin,
  dataMarket: string,
  requestId: string,
  waitMs: number,
): Promise<MarketStatus | undefined> {
  const until = performance.now() + waitMs
  while (performance.now() < until) {
    const status = statusIn(await admin.statuses(), dataMarket)
    if (status?.requestId === requestId) return status
    await setTimeout(LOOK_MS)
  }
  return undefined
}
