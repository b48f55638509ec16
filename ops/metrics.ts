/**
 * Every metric, in one place: name, help, labels. Labels are bounded: closed reasons, configured markets, stages, steps;
 * never a slot, a peer or a CID.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]

export type Metrics = ReturnType<typeof createMetrics>

export function createMetrics(version: string) {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name, help, labelNames, registers: [registry] })
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge({ name, help, labelNames, registers: [registry] })
  const histogram = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Histogram({ name, help, labelNames, buckets: SECONDS, registers: [registry] })

  const metrics = {
    registry,
    buildInfo: gauge('seq_build_info', 'Always 1; the labels name the version.', ['version']),
    intakeMessages: counter(
      'seq_intake_messages_total',
      'Messages taken from streams, by what the intake did with them.',
      ['verdict'],
    ),
    intakeBytes: counter('seq_intake_bytes_total', 'Bytes read from streams.'),
    intakeAckSeconds: histogram('seq_intake_ack_seconds', 'Time to append one group of submissions to the log.'),
    intakeInflightBytes: gauge('seq_intake_inflight_bytes', 'Bytes read from streams and not yet in the log.'),
    intakeShed: counter('seq_intake_shed_total', 'Streams and dead letters turned away at a limit.', ['reason']),
    connections: gauge('seq_p2p_connections', 'Open libp2p connections.'),
    streams: gauge('seq_p2p_streams', 'Open /collect streams.'),
    verdicts: counter('seq_submission_verdict_total', 'Final verdicts.', ['market', 'reason']),
    slotTableBlock: gauge('seq_slot_table_block_height', 'Block up to which the slot table is complete.'),
    epochHead: gauge('seq_epoch_head', 'Newest released epoch.', ['market']),
    epochsOpen: gauge('seq_epochs_open', 'Epochs released and not yet closed.', ['market']),
    epochsClosed: counter('seq_epochs_closed_total', 'Epochs closed.', ['market']),
    epochsAnchored: counter('seq_epochs_anchored_total', 'Epochs whose batches are all on the chain and ended.', [
      'market',
    ]),
    epochReleaseToAnchor: histogram(
      'seq_epoch_release_to_anchor_seconds',
      'From the tick of the release to the end of the epoch on the chain.',
      ['market'],
    ),
    batches: counter('seq_batch_total', 'Batches reaching a stage of their life.', ['stage']),
    batchProjects: histogram('seq_batch_projects', 'Projects in a batch.'),
    batchBytes: gauge('seq_batch_bytes', 'Bytes of the newest batch.'),
    txPending: gauge('seq_tx_pending', 'Transactions sent and not yet mined.'),
    txNonce: gauge('seq_tx_nonce', 'Newest nonce used by the signer.'),
    txReverts: counter('seq_tx_reverts_total', 'Calls that the contract refused.', ['code']),
    txGasBumps: counter('seq_tx_gas_bumps_total', 'Transactions sent again at a higher fee.'),
    txDelayedAccept: counter('seq_tx_delayed_accept_total', 'Batches that the contract took too late and dropped.'),
    signerBalanceWei: gauge('seq_signer_balance_wei', 'Balance of the signer.'),
    attestations: counter('seq_attestations_total', 'Attestations seen.', ['matches']),
    ipfsPutSeconds: histogram('seq_ipfs_put_seconds', 'Time to store one batch.', ['provider']),
    chainHead: gauge('seq_chain_head', 'Newest block of the anchor chain that the node reported.'),
    chainCursor: gauge('seq_chain_cursor', 'Newest block turned into ticks.'),
    chainLagBlocks: gauge('seq_chain_lag_blocks', 'Blocks between the two.'),
    rpcRequests: counter('seq_rpc_requests_total', 'Requests to EVM nodes.', ['node', 'outcome']),
    reorgDepth: gauge('seq_reorg_depth', 'Depth of the last reorganisation.'),
    streamLag: gauge('seq_stream_lag', 'Records between a task and the end of its input.', [
      'stage',
      'topic',
      'partition',
    ]),
    partitionParked: gauge('seq_partition_parked', '1 while a partition waits for a schema that its records name.', [
      'topic',
      'partition',
    ]),
    streamRecords: counter('seq_stream_records_total', 'Records processed.', ['stage']),
    streamProcessSeconds: counter('seq_stream_process_seconds_total', 'Time spent in processors.', ['stage']),
    streamCommits: counter('seq_stream_commits_total', 'Burst transactions, by outcome.', ['stage', 'outcome']),
    streamCommitSeconds: histogram('seq_stream_commit_seconds', 'Time of one burst transaction.', ['stage']),
    rebalances: counter('seq_rebalance_total', 'Assignments received.', ['stage']),
    restoreSeconds: gauge('seq_state_restore_seconds', 'Time of the last restore of a task.', ['stage']),
    loopBlocks: counter('seq_event_loop_blocks_total', 'Times the event loop stood still for a second or more.'),
    loopLagSeconds: gauge('seq_event_loop_lag_seconds', 'How late the last turn of the watchdog came.'),
    poison: counter('seq_poison_total', 'Records put aside as dead letters by a stage.', ['topic']),
    taskFailures: counter('seq_task_failures_total', 'Tasks stopped by an error.', ['stage']),
  }
  metrics.buildInfo.set({ version }, 1)
  return metrics
}
