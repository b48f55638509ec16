/** The connectors' reports about themselves, as metrics and as health. */
import type { AnchorObserver } from '../../../connectors/evm/anchor-effects/anchor-options.ts'
import type { RefusalReason } from '../../../connectors/evm/anchor-effects/anchor-refusal.ts'
import type { ClockObserver } from '../../../connectors/evm/clock/clock-options.ts'
import { NODE_FAULTS } from '../../../connectors/evm/nodes/node-states.ts'
import type { RpcObserver } from '../../../connectors/evm/nodes/rpc.ts'
import type { IntakeObserver } from '../../../connectors/libp2p/intake.ts'
import { LogError } from '../../../streams/ports.ts'
import type { Health } from '../../base/health.ts'
import { forget, type Metrics } from './create.ts'
import { OTHER } from './definition.ts'
import { ANCHOR_STEPS, REVERT_CODES } from './table/anchor.ts'
import { RPC_METHODS } from './table/chain.ts'
import { TALKER_RANKS } from './table/intake.ts'

/** An acknowledgement counts as late after this; the objective is 99.9 % before. */
const ACK_LATE_MS = 1_000

export interface OwnerMetrics<O> {
  readonly observer: O
  /** This process has the part now, or no longer. */
  readonly owning: (owns: boolean) => void
}

/** Only the process that owns the clock exports these; a former owner's values are dropped. */
export function clockMetrics(metrics: Metrics, health: Health, now: () => number): OwnerMetrics<ClockObserver> {
  const { chainHead, chainCursor, chainLagBlocks, chainAdvanced, chainBlockTime, slotTableBlock, slotTableTime } =
    metrics
  const { releasesMissing } = metrics
  const blocks = [chainHead, chainCursor, chainLagBlocks, chainAdvanced, chainBlockTime]
  const gauges = [...blocks, slotTableBlock, slotTableTime, releasesMissing]
  let owner = false
  let cursorBefore = -1
  const observer: ClockObserver = {
    ...rpcMetrics(metrics),
    advanced({ head, cursor, cursorTime, lag }) {
      if (!owner) return
      chainHead.set(head)
      chainCursor.set(cursor)
      chainLagBlocks.set(lag)
      chainBlockTime.set(cursorTime)
      slotTableBlock.set(cursor)
      slotTableTime.set(cursorTime)
      if (cursor !== cursorBefore) chainAdvanced.set(now() / 1000)
      cursorBefore = cursor
      health.set('clock', true, `block ${cursor}`)
    },
    wrote: (kind, ticks) => metrics.ticks.inc({ kind }, ticks),
    resent: (ticks) => metrics.ticksResent.inc(ticks),
    slotsChanged: (rows) => metrics.slotChanges.inc(rows),
    reorged(_first, blocks) {
      metrics.reorgs.inc()
      metrics.reorgDepth.set(blocks)
    },
    stateMissing: () => metrics.stateMissing.inc(),
    releasesMissing(gap) {
      if (owner) releasesMissing.set(gap ? gap.toEpoch - gap.fromEpoch + 1 : 0)
    },
    epochsSkipped: (market, from, to) =>
      metrics.epochsSkipped.inc({ market: metrics.servedLabel(market) }, to - from + 1),
    epochRefused: ({ dataMarket }) => metrics.epochsRefused.inc({ market: metrics.servedLabel(dataMarket) }),
    foundLate(_block, releases, slots) {
      metrics.foundLate.inc({ event: 'release' }, releases)
      metrics.foundLate.inc({ event: 'slot' }, slots)
    },
    registryChanged: () => metrics.registryChanges.inc(),
    failed(error, retryInMs) {
      metrics.clockFailures.inc()
      health.set('clock', false, `${reasonOf(error)}; next try in ${retryInMs} ms`)
    },
    recovered: () => health.set('clock', true),
  }
  return {
    observer,
    owning(owns) {
      owner = owns
      if (owns) chainAdvanced.set(now() / 1000)
      else for (const gauge of gauges) forget(gauge)
      health.set('clock', true, owns ? 'this process follows the chain' : 'standing by', owns)
    },
  }
}

export function anchorMetrics(metrics: Metrics, health: Health): AnchorObserver {
  const { txPending, txNonce, txFee, txCost, signerBalanceWei } = metrics
  const { txKept, txReorged, txGaps, txStandstill } = metrics
  const gauges = [txPending, txNonce, txFee, txCost, signerBalanceWei, txKept, txStandstill]
  const rpc = rpcMetrics(metrics)
  const waits = createWaits(health)
  return {
    ...rpc,
    answered(endpoint, method, outcome, elapsedMs) {
      rpc.answered(endpoint, method, outcome, elapsedMs)
      if (outcome === 'ok') waits.over(...NODE_STEPS)
    },
    owning(owns) {
      if (!owns) for (const gauge of gauges) forget(gauge)
      waits.owning(owns)
    },
    waiting(step, reason, retryInMs) {
      // attempts of a store are counted where they are made, and told here now and then
      if (step !== 'STORE' || reason instanceof LogError) metrics.anchorRetries.inc({ step: oneOf(ANCHOR_STEPS, step) })
      if (step === 'purge') return // it costs only space, and is tried again
      // every step reads its intent and writes its answer: when the log is away, no store or node is at fault
      const [what, name] = reason instanceof LogError ? [LOG_STEP, 'LOG'] : [step, step]
      waits.begin(what, `${name}: ${reason.message}; next try in ${retryInMs} ms`)
    },
    concluded: (_key, { step, outcome }) => waits.over(LOG_STEP, ...(isWaiting(step, outcome) ? [] : [step])),
    intentRefused: (_key, { step }) => metrics.intentsRefused.inc({ step: oneOf(ANCHOR_STEPS, step) }),
    pending: (transactions) => txPending.set(transactions),
    signed(nonce, maxFeePerGas, gasLimit) {
      txNonce.set(nonce)
      txFee.set(Number(maxFeePerGas))
      txCost.set(Number(maxFeePerGas) * gasLimit)
    },
    balance: (wei) => signerBalanceWei.set(Number(wei)),
    lowBalance(wei, needed) {
      signerBalanceWei.set(Number(wei))
      txCost.set(Number(needed))
    },
    transactionRefused(_key, { reason, words, nonce, retryInMs }) {
      if (reason !== 'unreachable') metrics.txRefusals.inc({ reason }) // nobody has refused it
      if (!USUAL_REFUSALS.includes(reason))
        waits.begin('SEND', `SEND: nonce ${nonce} is refused (${reason}): ${words}; next try in ${retryInMs} ms`)
    },
    reverted: (code) => metrics.txReverts.inc({ code: oneOf(REVERT_CODES, code) }),
    feeBumped: () => metrics.txGasBumps.inc(),
    kept: (transactions) => txKept.set(transactions),
    wentBack: (transactions) => txReorged.inc(transactions),
    gapFound: () => txGaps.inc(),
    standstill(ms, words) {
      txStandstill.set(ms / 1_000)
      if (words === '') waits.over(STANDSTILL)
      else waits.begin(STANDSTILL, words)
    },
    lateAccepted: () => metrics.txDelayedAccept.inc(),
  }
}

/** The stage is told what stores say so far; they are tried on. */
const isWaiting = (step: string, outcome: string): boolean => step === 'STORE' && outcome === 'FAILED'

/** The transaction is in a pool already, or was mined a moment ago: nothing is waited for but the next block. */
const USUAL_REFUSALS: readonly RefusalReason[] = ['known', 'nonce']

/** The step of what waits for the log. */
const LOG_STEP = 'log'

/** Standstill of the nonce that everything else waits for. */
const STANDSTILL = 'standstill'

/** Steps that wait for nothing but a node: any answer of it ends that. The others wait until one of their kind concludes. */
const NODE_STEPS = ['WATCH', 'KEEP', 'head']

/** The role is ready while nothing that it does waits for something outside; else it says for what. */
function createWaits(health: Health) {
  const waiting = new Map<string, string>()
  let owner = false
  const tell = (): void => {
    if (owner)
      health.set('anchor-effects', waiting.size === 0, [...waiting.values()].at(-1) ?? 'this process sends', true)
    else health.set('anchor-effects', true, 'standing by', false)
  }
  return {
    begin(step: string, words: string): void {
      waiting.delete(step)
      waiting.set(step, words)
      tell()
    },
    over(...steps: readonly string[]): void {
      let changed = false
      for (const step of steps) changed = waiting.delete(step) || changed
      if (changed) tell()
    },
    owning(owns: boolean): void {
      owner = owns
      waiting.clear()
      tell()
    },
  }
}

function rpcMetrics(metrics: Metrics): Required<RpcObserver> {
  return {
    answered(endpoint, method, outcome, elapsedMs) {
      const node = String(endpoint + 1)
      metrics.rpcRequests.inc({ node, method: oneOf(RPC_METHODS, method), outcome })
      metrics.rpcSeconds.observe({ node }, elapsedMs / 1000)
    },
    nodeChanged(endpoint, { fault }) {
      const node = String(endpoint + 1)
      for (const one of NODE_FAULTS) metrics.rpcNodeAside.set({ node, fault: one }, one === fault ? 1 : 0)
    },
    disagreed: (endpoint) => metrics.rpcDisagreements.inc({ node: String(endpoint + 1) }),
    stoodStill: () => {}, // the time of the newest block tells
    unexpected: () => metrics.rpcUnexpected.inc(),
  }
}

/** @param blockAge ms; undefined before the first block */
export function intakeMetrics(
  metrics: Metrics,
  health: Health,
  blockAge: () => number | undefined = () => undefined,
): IntakeObserver {
  let failing = false
  metrics.onScrape(() => {
    const age = blockAge()
    if (age === undefined) forget(metrics.intakeBlockAge)
    else metrics.intakeBlockAge.set(age / 1000)
  })
  return {
    sampled({ taken, malformed, oversize, unfinished, bytes, shed, refused, bans, holds }, now) {
      metrics.intakeMessages.inc({ verdict: 'taken' }, taken)
      for (const [reason, count] of Object.entries(refused)) {
        metrics.intakeMessages.inc({ verdict: 'refused' }, count)
        metrics.intakeRefused.inc({ reason }, count)
      }
      metrics.intakeBans.inc(bans)
      metrics.intakeHolds.inc(holds)
      if (now.behind === undefined) forget(metrics.intakeBehind)
      else metrics.intakeBehind.set(now.behind)
      for (const [at, rank] of TALKER_RANKS.entries()) {
        metrics.intakeTopMessages.set({ rank }, now.talkers[at]?.messages ?? 0)
        metrics.intakeTopRefused.set({ rank }, now.talkers[at]?.refused ?? 0)
      }
      metrics.intakeMessages.inc({ verdict: 'malformed' }, malformed)
      metrics.intakeMessages.inc({ verdict: 'oversize' }, oversize)
      metrics.intakeMessages.inc({ verdict: 'unfinished' }, unfinished)
      metrics.intakeBytes.inc(bytes)
      for (const [reason, count] of Object.entries(shed)) metrics.intakeShed.inc({ reason }, count)
      metrics.connections.set(now.connections)
      metrics.streams.set(now.streams)
      metrics.intakeInflightBytes.set(now.inflightBytes)
      metrics.intakePartialBytes.set(now.partialBytes)
      metrics.intakeStopped.set(now.stopped ? 1 : 0)
      const { stopped } = now
      if (!failing) health.set('intake', true, stopped ? 'back-pressure: nothing is read until the log catches up' : '')
    },
    appended(records, _bytes, waitedMs) {
      failing = false
      metrics.intakeAcked.inc(records)
      if (waitedMs > ACK_LATE_MS) metrics.intakeAckedLate.inc(records)
      metrics.intakeAckSeconds.observe(waitedMs / 1000)
    },
    appendFailed(error, retryInMs) {
      failing = true
      metrics.intakeAppendFailures.inc()
      health.set('intake', false, `${reasonOf(error)}; next try in ${retryInMs} ms`)
    },
  }
}

/** A label has no other values than these. */
const oneOf = (known: readonly string[], value: string): string => (known.includes(value) ? value : OTHER)

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
