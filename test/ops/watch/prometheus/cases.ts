/** For every alert: what makes it fire, and what comes close and must not. As `promtool test rules` takes series: 30 s a step. */
import { REFUSAL_REASONS } from '../../../../connectors/evm/anchor-effects/anchor-refusal.ts'
import { DOUBTS, SHED_REASONS } from '../../../../connectors/libp2p/counts.ts'
import { ROLES, STAGES } from '../../../../ops/base/roles.ts'
import { LEFT_OUT_REASONS } from '../../../../ops/reading/day.ts'
import { EPOCH_OUTCOMES, PHASES_UNDER_WAY } from '../../../../ops/reading/epoch-phases.ts'
import { REVERT_CODES } from '../../../../ops/watch/metrics/table/anchor.ts'
import { UNPAID_CAUSES } from '../../../../ops/watch/metrics/table/days.ts'
import { STORE_OUTCOMES } from '../../../../ops/watch/metrics/table/stores.ts'

/** Series → values. */
export type Series = Readonly<Record<string, string>>

export interface AlertCase {
  readonly fires: Series
  readonly silent: Series
  /** Others that rightly fire with it. */
  readonly also?: readonly string[]
}

const STEPS = 200
/** In minutes: where the cases look. */
export const LOOKS = [15, 22, 32, 42]
export const STEP = '30s'

const still = (value: number): string => `${value}x${STEPS}`
const growing = (perStep: number): string => `0+${perStep}x${STEPS}`
/** Nothing for so many steps, then as given. */
const after = (steps: number, before: number, then: string): string => `${before}x${steps - 1} ${then}`

const each = (values: readonly string[], series: (value: string) => string, samples: string): Series =>
  Object.fromEntries(values.map((value) => [series(value), samples]))

export const HEALTHY: Series = {
  'up{job="sequencer",instance="a"}': still(1),
  'process_start_time_seconds{job="sequencer",instance="a"}': still(1000),
  'seq_build_info{instance="a"}': still(1),
  ...each(ROLES, (role) => `seq_role_up{instance="a",role="${role}"}`, still(1)),
  seq_log_reachable: still(1),
  seq_event_loop_blocks_total: still(0),
  'seq_partition_parked{topic="submissions",partition="0"}': still(0),
  'seq_intake_messages_total{verdict="taken"}': growing(100),
  seq_intake_acked_total: growing(100),
  seq_intake_acked_late_total: still(0),
  seq_intake_append_failures_total: still(0),
  seq_intake_stopped: still(0),
  ...each(SHED_REASONS, (reason) => `seq_intake_shed_total{reason="${reason}"}`, still(0)),
  ...each(DOUBTS, (reason) => `seq_intake_refused_total{reason="${reason}"}`, still(0)),
  seq_chain_advanced_timestamp_seconds: growing(30),
  seq_slot_table_timestamp_seconds: growing(30),
  seq_chain_lag_blocks: still(0),
  seq_chain_releases_missing: still(0),
  'seq_rpc_requests_total{node="1",method="eth_call",outcome="ok"}': growing(100),
  'seq_rpc_requests_total{node="1",method="eth_call",outcome="failed"}': still(0),
  'seq_rpc_requests_total{node="2",method="eth_call",outcome="ok"}': growing(100),
  'seq_rpc_requests_total{node="2",method="eth_call",outcome="failed"}': still(0),
  seq_signer_balance_wei: still(1e6),
  seq_tx_cost_wei: still(1),
  ...each(REVERT_CODES, (code) => `seq_tx_reverts_total{code="${code}"}`, still(0)),
  ...each(
    REFUSAL_REASONS.filter((reason) => reason !== 'unreachable'),
    (reason) => `seq_tx_refusals_total{reason="${reason}"}`,
    still(0),
  ),
  seq_tx_delayed_accept_total: still(0),
  'seq_tx_oldest_pending_seconds{market="m"}': still(5),
  ...each(STORE_OUTCOMES, (outcome) => `seq_ipfs_puts_total{provider="file",outcome="${outcome}"}`, still(0)),
  'seq_ipfs_puts_total{provider="file",outcome="stored"}': growing(5),
  seq_stores_spare: still(1),
  'seq_store_working{provider="file"}': still(1),
  'seq_store_lacking{provider="file"}': still(0),
  'seq_epochs_anchored_total{market="m"}': growing(2),
  ...each(EPOCH_OUTCOMES, (outcome) => `seq_epoch_missed_total{market="m",outcome="${outcome}"}`, still(0)),
  ...each(PHASES_UNDER_WAY, (phase) => `seq_epoch_oldest_seconds{market="m",phase="${phase}"}`, still(20)),
  ...each(PHASES_UNDER_WAY, (phase) => `seq_epochs_unfinished{market="m",phase="${phase}"}`, still(1)),
  'seq_epoch_phase_seconds_bucket{market="m",phase="COUNTING",le="1"}': growing(2),
  'seq_epoch_phase_seconds_bucket{market="m",phase="COUNTING",le="30"}': growing(2),
  'seq_epoch_phase_seconds_bucket{market="m",phase="COUNTING",le="+Inf"}': growing(2),
  'seq_batches_diverged_total{market="m"}': still(0),
  'seq_day_unclosed_days{market="m"}': still(0),
  ...each(UNPAID_CAUSES, (cause) => `seq_day_unpaid_slots{market="m",cause="${cause}"}`, still(0)),
  ...each(LEFT_OUT_REASONS, (reason) => `seq_day_drift_slots{market="m",reason="${reason}"}`, still(0)),
  'seq_attestations_total{market="m",matches="true"}': growing(4),
  'seq_attestations_total{market="m",matches="false"}': still(0),
  ...each(STAGES, (stage) => `seq_task_failures_total{stage="${stage}"}`, still(0)),
  ...each(STAGES, (stage) => `seq_consumer_lag{stage="${stage}",topic="t",partition="0"}`, still(20)),
  ...each(STAGES, (stage) => `seq_consumer_offset{stage="${stage}",topic="t",partition="0"}`, growing(50)),
  ...each(STAGES, (stage) => `seq_stream_refused_tasks{stage="${stage}"}`, still(0)),
  'seq_stable_offset_held_seconds{topic="submissions",partition="0"}': still(3),
  'seq_log_throttled_seconds_total{instance="a"}': still(0),
  'seq_poison_total{topic="submissions",reason="undecodable"}': still(0),
  'seq_poison_total{topic="epoch-ticks",reason="forged"}': still(0),
  'seq_unreadable_records_total{reader="anchor-effects",topic="anchor-intents",reason="forged"}': still(0),
  'seq_stream_commits_total{stage="admit",outcome="committed"}': growing(20),
  'seq_stream_commits_total{stage="admit",outcome="aborted"}': still(0),
}

const UNCLOSED = 'seq_day_unclosed_days{market="m"}'
const unpaid = (cause: string): string => `seq_day_unpaid_slots{market="m",cause="${cause}"}`
const drift = (reason: string): string => `seq_day_drift_slots{market="m",reason="${reason}"}`
const LATE = 'seq_epoch_missed_total{market="m",outcome="LATE"}'
const FAILED = 'seq_epoch_missed_total{market="m",outcome="FAILED"}'
const ANCHORED = 'seq_epochs_anchored_total{market="m"}'
const MATCHES_NOT = 'seq_attestations_total{market="m",matches="false"}'
const VALIDATE = 'seq_role_up{instance="a",role="validate"}'
const LAG = 'seq_consumer_lag{stage="consensus",topic="t",partition="0"}'
const OFFSET = 'seq_consumer_offset{stage="consensus",topic="t",partition="0"}'
const START = 'process_start_time_seconds{job="sequencer",instance="a"}'

export const CASES: Readonly<Record<string, AlertCase>> = {
  LogUnreachable: {
    fires: { seq_log_reachable: after(20, 1, still(0)) },
    silent: { seq_log_reachable: after(20, 1, `0x1 ${still(1)}`), 'seq_log_reachable{instance="b"}': still(1) },
  },
  RoleDown: {
    fires: { [VALIDATE]: after(20, 1, still(0)) },
    // a restart of a minute, and another process that stands by
    silent: { [VALIDATE]: after(20, 1, `stale _x1 ${still(1)}`), 'seq_role_up{instance="b",role="clock"}': still(0) },
  },
  ProcessDown: {
    fires: { 'up{job="sequencer",instance="b"}': after(20, 1, still(0)) },
    silent: { 'up{job="sequencer",instance="b"}': after(20, 1, `0x6 ${still(1)}`), 'up{job="other"}': still(0) },
  },
  RestartLoop: {
    fires: {
      [START]: `1000x20 1001x4 1002x4 1003x4 1004x4 1005x4 1006x4 1007x4 ${Array.from({ length: 40 }, (_, i) => `${1008 + i}x4`).join(' ')}`,
    },
    silent: { [START]: `1000x20 1001x4 1002x80 ${still(1003)}` },
  },
  EventLoopBlocked: {
    fires: { seq_event_loop_blocks_total: after(20, 0, growing(1)) },
    silent: { seq_event_loop_blocks_total: after(20, 0, `1x20 2x40 ${still(3)}`) },
  },
  TaskFailed: {
    fires: { 'seq_task_failures_total{stage="admit"}': after(20, 0, growing(0.1)) },
    silent: { 'seq_task_failures_total{stage="admit"}': `0x20 stale _x3 ${still(0)}` },
  },
  StageStalled: {
    fires: { [LAG]: still(500), [OFFSET]: after(10, 5, still(500)) },
    // nothing to do; and slow, but it moves
    silent: {
      [LAG]: still(0),
      [OFFSET]: still(500),
      'seq_consumer_lag{stage="settle",topic="t",partition="0"}': still(500),
    },
  },
  StageLagGrowing: {
    fires: { [LAG]: '0+500x200' },
    silent: { [LAG]: '100000-400x200' },
  },
  PositionsLost: {
    fires: { 'seq_stream_refused_tasks{stage="validate"}': after(20, 0, still(1)) },
    silent: { 'seq_stream_refused_tasks{stage="validate"}': still(0) },
  },
  TransactionHangs: {
    fires: { 'seq_stable_offset_held_seconds{topic="submissions",partition="0"}': after(10, 3, growing(30)) },
    silent: { 'seq_stable_offset_held_seconds{topic="submissions",partition="0"}': still(31) },
  },
  PartitionParked: {
    fires: { 'seq_partition_parked{topic="submissions",partition="0"}': after(20, 0, still(1)) },
    silent: { 'seq_partition_parked{topic="submissions",partition="0"}': after(20, 0, `1x2 ${still(0)}`) },
  },
  RecordsForged: {
    fires: { 'seq_poison_total{topic="epoch-ticks",reason="forged"}': after(20, 0, growing(1)) },
    silent: {
      'seq_unreadable_records_total{reader="anchor-effects",topic="anchor-intents",reason="forged"}': still(17),
    },
  },
  PoisonRecords: {
    fires: { 'seq_poison_total{topic="submissions",reason="undecodable"}': after(20, 0, growing(1)) },
    silent: { 'seq_poison_total{topic="submissions",reason="undecodable"}': still(17) },
  },
  LogThrottled: {
    fires: { 'seq_log_throttled_seconds_total{instance="a"}': growing(15) },
    silent: { 'seq_log_throttled_seconds_total{instance="a"}': growing(1) },
  },
  CommitsAborting: {
    fires: { 'seq_stream_commits_total{stage="admit",outcome="aborted"}': growing(10) },
    silent: { 'seq_stream_commits_total{stage="admit",outcome="aborted"}': growing(1) },
  },
  IntakeNotAcking: {
    fires: {
      seq_intake_append_failures_total: growing(6),
      seq_intake_acked_total: still(0),
    },
    silent: { seq_intake_append_failures_total: growing(1) },
  },
  IntakeBackpressure: {
    fires: { seq_intake_stopped: after(20, 0, still(1)) },
    silent: { seq_intake_stopped: Array.from({ length: 50 }, () => '1 0 0 0').join(' ') },
  },
  IntakeShedding: {
    fires: { 'seq_intake_shed_total{reason="host-connections"}': growing(60) },
    silent: { 'seq_intake_shed_total{reason="host-connections"}': growing(10) },
  },
  IntakeRefusing: {
    fires: { 'seq_intake_refused_total{reason="bad-signature"}': growing(60) },
    // less than one a second for ever, and a burst of three minutes
    silent: {
      'seq_intake_refused_total{reason="copy"}': growing(20),
      'seq_intake_refused_total{reason="bad-signature"}': after(20, 0, `0+600x6 ${still(3600)}`),
    },
  },
  ChainStalled: {
    fires: { seq_chain_advanced_timestamp_seconds: '0+30x20 600x200' },
    // a minute and a half, then it goes on; another clock stands by and says nothing
    silent: { seq_chain_advanced_timestamp_seconds: '0+30x20 600x3 720+30x200' },
  },
  IntakeClockWrong: {
    fires: { seq_intake_block_age_seconds: after(20, 2, still(400)), seq_chain_cursor_timestamp_seconds: '0+30x200' },
    // the chain is read ten minutes late for a while, and the clock is right
    silent: {
      seq_intake_block_age_seconds: after(20, 2, `600x20 ${still(-3)}`),
      seq_chain_cursor_timestamp_seconds: '0x39 1200+30x160',
    },
  },
  ReleasesMissing: {
    fires: { seq_chain_releases_missing: after(20, 0, still(9)) },
    silent: { seq_chain_releases_missing: after(20, 0, `1x2 ${still(0)}`) },
  },
  ChainBehind: {
    fires: { seq_chain_lag_blocks: after(20, 0, still(31)) },
    silent: { seq_chain_lag_blocks: after(20, 0, `500x8 ${still(2)}`) },
  },
  SlotTableOld: {
    fires: { seq_slot_table_timestamp_seconds: '0x60 30+30x200' },
    silent: { seq_slot_table_timestamp_seconds: '0x20 30+30x200' },
  },
  RpcNodeFailing: {
    fires: { 'seq_rpc_requests_total{node="2",method="eth_call",outcome="failed"}': growing(150) },
    // many refusals of the contract are no fault of the node
    silent: {
      'seq_rpc_requests_total{node="2",method="eth_call",outcome="failed"}': growing(50),
      'seq_rpc_requests_total{node="2",method="eth_call",outcome="refused"}': growing(900),
    },
  },
  RpcNodeSetAside: {
    fires: { 'seq_rpc_node_set_aside{node="2",fault="odd"}': still(1) },
    silent: { 'seq_rpc_node_set_aside{node="2",fault="down"}': still(1) },
  },
  TicksSentAgain: {
    fires: { seq_ticks_resent_total: growing(1) },
    silent: { seq_ticks_resent_total: after(20, 0, still(5_000)) },
  },
  EpochRefused: {
    fires: { 'seq_epochs_refused_total{market="0xa"}': growing(1) },
    silent: { 'seq_epochs_refused_total{market="0xa"}': still(3) },
  },
  NodesDisagree: {
    fires: { 'seq_rpc_disagreements_total{node="2"}': growing(6) },
    silent: { 'seq_rpc_disagreements_total{node="2"}': after(20, 0, still(3)) },
  },
  SignerCannotPay: {
    fires: { seq_signer_balance_wei: after(20, 1e6, still(0)) },
    silent: { seq_signer_balance_wei: after(20, 1e6, `0x1 ${still(1e6)}`) },
  },
  SignerBalanceLow: {
    fires: { seq_signer_balance_wei: after(20, 1e6, still(150)) },
    silent: { seq_signer_balance_wei: still(250) },
  },
  TransactionStuck: {
    fires: { 'seq_tx_oldest_pending_seconds{market="m"}': '0+30x200' },
    silent: { 'seq_tx_oldest_pending_seconds{market="m"}': `0+30x19 ${still(0)}` },
  },
  ChainWentBack: {
    fires: { seq_tx_reorged_total: after(20, 0, growing(1)) },
    silent: { seq_tx_reorged_total: still(3) },
  },
  AnchoringStandsStill: {
    fires: { seq_tx_standstill_seconds: '0+30x200' },
    silent: { seq_tx_standstill_seconds: `0+30x5 ${still(0)}` },
  },
  ContractRefuses: {
    fires: { 'seq_tx_reverts_total{code="E04"}': after(20, 0, growing(1)) },
    silent: { 'seq_tx_reverts_total{code="E04"}': still(7), 'seq_tx_reverts_total{code="E38"}': growing(1) },
  },
  IntentRefused: {
    fires: { 'seq_anchor_intents_refused_total{step="SIGN"}': after(20, 0, growing(1)) },
    silent: { 'seq_anchor_intents_refused_total{step="SIGN"}': still(7) },
  },
  TransactionRefused: {
    fires: { 'seq_tx_refusals_total{reason="fee-cap"}': growing(2) },
    // refused for a minute; and what is usual
    silent: {
      'seq_tx_refusals_total{reason="other"}': after(20, 0, `1+1x3 ${still(4)}`),
      'seq_tx_refusals_total{reason="known"}': growing(2),
    },
  },
  BatchesWaitForStores: {
    fires: { seq_stores_spare: still(-1), 'seq_store_working{provider="file"}': still(0) },
    silent: { seq_stores_spare: still(0) },
  },
  IpfsPutFailing: {
    fires: { seq_stores_spare: still(0), 'seq_store_working{provider="file"}': still(0) },
    silent: { 'seq_store_working{provider="file"}': after(20, 1, `0x1 ${still(1)}`) },
  },
  BatchesMissingInStore: {
    fires: { 'seq_store_lacking{provider="file"}': still(3) },
    silent: { 'seq_store_lacking{provider="file"}': `3x50 ${still(0)}` },
  },
  IpfsMismatch: {
    fires: { 'seq_ipfs_puts_total{provider="file",outcome="mismatch"}': after(20, 0, growing(1)) },
    silent: { 'seq_ipfs_puts_total{provider="file",outcome="mismatch"}': still(3) },
  },
  EpochStuck: {
    fires: { 'seq_epoch_oldest_seconds{market="m",phase="STORING"}': '0+30x200' },
    silent: {
      'seq_epoch_oldest_seconds{market="m",phase="STORING"}': `0+30x9 ${still(0)}`,
      'seq_epoch_oldest_seconds{market="m",phase="OPEN"}': '0+30x200',
    },
  },
  CloseToBatchSlow: {
    fires: { 'seq_epoch_phase_seconds_bucket{market="m",phase="COUNTING",le="1"}': growing(1) },
    silent: { 'seq_epoch_phase_seconds_bucket{market="m",phase="COUNTING",le="1"}': growing(1.99) },
  },
  NoSubmissions: {
    fires: { 'seq_intake_messages_total{verdict="taken"}': after(10, 50, still(50)) },
    silent: {
      'seq_intake_messages_total{verdict="taken"}': still(50),
      'seq_epochs_unfinished{market="m",phase="OPEN"}': still(0),
    },
  },
  DayNotClosed: {
    fires: { [UNCLOSED]: after(10, 0, '0.01+0.01x200') },
    silent: { [UNCLOSED]: after(10, 0, `0.01+0.01x20 ${still(0)}`) }, // closed in time
  },
  DayUnpaid: {
    fires: { [unpaid('unsent')]: after(20, 0, still(3)) },
    silent: { [UNCLOSED]: still(0.2) },
  },
  SlotsNotPaid: {
    fires: { [unpaid('not_whole')]: after(5, 0, still(3)) },
    silent: { [unpaid('left_out')]: after(5, 0, `3x10 ${still(0)}`) },
  },
  DayDrifts: {
    fires: { [drift('HIGHER_ON_CHAIN')]: still(2) },
    silent: { [drift('UNAVAILABLE')]: still(9) },
  },
  BatchLate: {
    fires: { [LATE]: after(20, 0, growing(1)) },
    silent: { [LATE]: still(12) },
    also: ['AnchoringBudgetBurnsFast'],
  },
  BatchFailed: {
    fires: { [FAILED]: after(20, 0, growing(1)) },
    silent: { [FAILED]: still(12), 'seq_epoch_missed_total{market="m",outcome="EMPTY"}': growing(1) },
    also: ['AnchoringBudgetBurnsFast'],
  },
  BatchDiverged: {
    fires: { 'seq_batches_diverged_total{market="m"}': after(20, 0, growing(1)) },
    silent: { 'seq_batches_diverged_total{market="m"}': still(1) },
  },
  AttestationMismatch: {
    fires: { [MATCHES_NOT]: after(20, 0, growing(1)) },
    silent: { [MATCHES_NOT]: still(1) },
  },
  AnchoringBudgetBurnsFast: {
    fires: { [FAILED]: growing(1) },
    silent: { [ANCHORED]: growing(100_000), [FAILED]: still(0), [LATE]: still(4) },
    also: ['BatchFailed'],
  },
  AnchoringBudgetBurnsSlowly: {
    fires: { [ANCHORED]: growing(1_000), [FAILED]: growing(1) },
    silent: { [ANCHORED]: growing(1_000), [FAILED]: still(1) },
    also: ['BatchFailed'],
  },
  AckBudgetBurnsFast: {
    fires: { seq_intake_acked_total: growing(1_000), seq_intake_acked_late_total: growing(20) },
    // one in forty, but only five in five minutes: the first ones of a process, or a small market
    silent: { seq_intake_acked_total: growing(20), seq_intake_acked_late_total: growing(0.5) },
  },
  AckBudgetBurnsSlowly: {
    fires: { seq_intake_acked_total: growing(1_000), seq_intake_acked_late_total: growing(10) },
    silent: { seq_intake_acked_total: growing(1_000), seq_intake_acked_late_total: growing(0.5) },
  },
}

/** Everything began when Prometheus had run for 20 minutes. */
export const freshStart = (): Series =>
  Object.fromEntries(
    Object.entries(HEALTHY).map(([series, values]) => {
      const begun = values.startsWith('0+30x') ? '1200+30x160' : values.replace(/x\d+$/, 'x160')
      return [series, `_x39 ${begun}`]
    }),
  )

/** Every process is started again, which takes a minute, twice: counters begin at 0, what stands stands. */
export const restarts = (): Series =>
  Object.fromEntries(
    Object.entries(HEALTHY).map(([series, values]) => {
      const from = (step: number) =>
        values.startsWith('0+30x') ? `${step * 30}+30x38` : values.replace(/x\d+$/, 'x38')
      const starts = series.startsWith('process_start_time') ? [0, 41, 82].map((step) => `${step * 30}x38`) : undefined
      const [first, second, third] = starts ?? [0, 41, 82].map(from)
      return [series, `${first} stale _x1 ${second} stale _x1 ${third}`]
    }),
  )
