/** Turns what the parts say of themselves into metrics. */
import type { AnchorObserver } from '../connectors/evm/anchor-options.ts'
import type { ClockObserver } from '../connectors/evm/clock.ts'
import type { IntakeObserver } from '../connectors/libp2p/intake.ts'
import type { Anchor } from '../schemas/types.ts'
import type { RuntimeObserver } from '../streams/ports.ts'
import type { Health } from './health.ts'
import type { Metrics } from './metrics.ts'
import { type ProgressListener, secondsToAnchor } from './progress.ts'

export function runtimeMetrics(metrics: Metrics): RuntimeObserver {
  return {
    processed(stage, _partition, records, elapsedMs) {
      metrics.streamRecords.inc({ stage }, records)
      metrics.streamProcessSeconds.inc({ stage }, elapsedMs / 1000)
    },
    committed(stage, _partition, outcome, _records, elapsedMs) {
      metrics.streamCommits.inc({ stage, outcome })
      metrics.streamCommitSeconds.observe({ stage }, elapsedMs / 1000)
    },
    restored: (stage, _partition, _records, elapsedMs) => metrics.restoreSeconds.set({ stage }, elapsedMs / 1000),
    rebalanced: (stage) => metrics.rebalances.inc({ stage }),
    deadLettered: (topic) => metrics.poison.inc({ topic }),
    lag: (stage, topic, partition, lag) => metrics.streamLag.set({ stage, topic, partition: String(partition) }, lag),
    taskFailed: (stage) => metrics.taskFailures.inc({ stage }),
  }
}

export function clockMetrics(metrics: Metrics, health: Health): ClockObserver {
  return {
    answered: (endpoint, _method, outcome) => metrics.rpcRequests.inc({ node: String(endpoint), outcome }),
    advanced({ head, cursor, lag }) {
      metrics.chainHead.set(head)
      metrics.chainCursor.set(cursor)
      metrics.chainLagBlocks.set(lag)
      metrics.slotTableBlock.set(cursor)
      health.set('clock', true, `block ${cursor}`)
    },
    reorged: (_first, blocks) => metrics.reorgDepth.set(blocks),
    failed: (error, retryInMs) => health.set('clock', false, `${reasonOf(error)}; next try in ${retryInMs} ms`),
    recovered: () => health.set('clock', true),
  }
}

export function anchorMetrics(metrics: Metrics, health: Health): AnchorObserver {
  return {
    owning: (owns) => health.set('anchor-effects', true, owns ? 'this process sends' : 'standing by'),
    waiting: (step, reason, retryInMs) =>
      health.set('anchor-effects', false, `${step}: ${reason.message}; next try in ${retryInMs} ms`),
    answered: () => health.set('anchor-effects', true, 'this process sends'),
    pending: (transactions) => metrics.txPending.set(transactions),
    signed: (nonce) => metrics.txNonce.set(nonce),
    balance: (wei) => metrics.signerBalanceWei.set(Number(wei)),
    lowBalance: (wei, needed) => health.set('anchor-effects', false, `the signer has ${wei} wei and needs ${needed}`),
    reverted: (code) => metrics.txReverts.inc({ code }),
    feeBumped: () => metrics.txGasBumps.inc(),
    lateAccepted: () => metrics.txDelayedAccept.inc(),
  }
}

export function intakeMetrics(metrics: Metrics, health: Health): IntakeObserver {
  let failing = false
  return {
    sampled({ taken, malformed, oversize, bytes, shed }, { connections, streams, inflightBytes, stopped }) {
      metrics.intakeMessages.inc({ verdict: 'taken' }, taken)
      metrics.intakeMessages.inc({ verdict: 'malformed' }, malformed)
      metrics.intakeMessages.inc({ verdict: 'oversize' }, oversize)
      metrics.intakeBytes.inc(bytes)
      for (const [reason, count] of Object.entries(shed)) metrics.intakeShed.inc({ reason }, count)
      metrics.connections.set(connections)
      metrics.streams.set(streams)
      metrics.intakeInflightBytes.set(inflightBytes)
      if (!failing) health.set('intake', true, stopped ? 'back-pressure: nothing is read until the log catches up' : '')
    },
    appended(_records, _bytes, elapsedMs) {
      failing = false
      metrics.intakeAckSeconds.observe(elapsedMs / 1000)
    },
    appendFailed(error, retryInMs) {
      failing = true
      health.set('intake', false, `${reasonOf(error)}; next try in ${retryInMs} ms`)
    },
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const BATCH_STAGES: Partial<Record<Anchor['state'], string>> = {
  PLANNED: 'built',
  STORED: 'stored',
  SENT: 'submitted',
  MINED: 'mined',
  FINAL: 'confirmed',
  LATE: 'late',
  FAILED: 'failed',
}

export function progressMetrics(metrics: Metrics): ProgressListener {
  return {
    released({ dataMarket: market, epochId }) {
      metrics.epochHead.set({ market }, epochId)
      metrics.epochsOpen.inc({ market })
    },
    closed({ dataMarket: market }) {
      metrics.epochsOpen.dec({ market })
      metrics.epochsClosed.inc({ market })
    },
    anchorChanged(_epoch, batchIndex, anchor, before) {
      if (batchIndex >= 0 && anchor.state !== before?.state)
        metrics.batches.inc({ stage: BATCH_STAGES[anchor.state] ?? 'signed' })
      const news = anchor.attestations.slice(before?.attestations.length ?? 0)
      for (const { matches } of news) metrics.attestations.inc({ matches: String(matches) })
    },
    anchored(epoch) {
      const market = epoch.dataMarket
      metrics.epochsAnchored.inc({ market })
      const seconds = secondsToAnchor(epoch)
      if (seconds !== undefined) metrics.epochReleaseToAnchor.observe({ market }, seconds)
    },
    verdict: (market, { reason }) => metrics.verdicts.inc({ market: market || 'none', reason }),
  }
}

/** One listener that tells several. */
export function allListeners(listeners: readonly ProgressListener[]): Required<ProgressListener> {
  const tell =
    <E extends keyof ProgressListener>(event: E) =>
    (...said: Parameters<NonNullable<ProgressListener[E]>>): void => {
      for (const listener of listeners) (listener[event] as ((...args: typeof said) => void) | undefined)?.(...said)
    }
  return {
    released: tell('released'),
    closed: tell('closed'),
    summarised: tell('summarised'),
    anchorChanged: tell('anchorChanged'),
    anchored: tell('anchored'),
    verdict: tell('verdict'),
  }
}
