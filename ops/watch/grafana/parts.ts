import { type Dashboard, OF_MARKET, type Panel } from './panel.ts'

const series = (
  title: string,
  help: string,
  unit: NonNullable<Panel['unit']>,
  ...queries: Panel['queries']
): Panel => ({
  title,
  help,
  kind: 'series',
  queries,
  unit,
  width: 12,
})

const quantile = (of: number, bucket: string, by: string, matchers = '') =>
  `histogram_quantile(${of}, sum by (${by}, le) (rate(${bucket}${matchers}[$__rate_interval])))`
const perSecond = (by: string, counter: string, matchers = '') =>
  `sum by (${by}) (rate(${counter}${matchers}[$__rate_interval]))`

export const chain: Dashboard = {
  uid: 'sequencer-chain',
  title: 'Sequencer: chain and anchoring',
  help: 'The clock, the EVM nodes, the stores, the transactions and what the validators say.',
  rows: [
    {
      title: 'The clock and the nodes',
      panels: [
        series(
          'Blocks',
          'Head as the node reports it, and the newest block with ticks.',
          'none',
          { expr: 'max(seq_chain_head)', legend: 'head' },
          { expr: 'max(seq_chain_cursor)', legend: 'ticks' },
        ),
        series(
          'Age of the newest block',
          'Since the clock wrote ticks; and of the block itself, up to which slots are known.',
          's',
          { expr: 'time() - max(seq_chain_advanced_timestamp_seconds)', legend: 'ticks written' },
          { expr: 'time() - max(seq_slot_table_timestamp_seconds)', legend: 'slots known' },
        ),
        series('Requests to nodes', 'By outcome. `failed` is no answer.', 'reqps', {
          expr: perSecond('node, outcome', 'seq_rpc_requests_total'),
          legend: 'node {{node}} {{outcome}}',
        }),
        series('Time of a request, p99', 'Per node.', 's', {
          expr: quantile(0.99, 'seq_rpc_seconds_bucket', 'node'),
          legend: 'node {{node}}',
        }),
        series(
          'Reorganizations, slot changes, ticks sent again',
          'Per hour.',
          'short',
          { expr: 'sum(increase(seq_reorgs_total[1h]))', legend: 'reorganizations' },
          { expr: 'sum(increase(seq_slot_changes_total[1h]))', legend: 'slot changes' },
          { expr: 'sum(increase(seq_ticks_resent_total[1h]))', legend: 'ticks sent again' },
        ),
      ],
    },
    {
      title: 'Batches on their way',
      panels: [
        series('Batches', 'Per second, by how far they come.', 'reqps', {
          expr: `sum by (state) (max by (market, state) (rate(seq_batch_total{${OF_MARKET}}[$__rate_interval])))`,
          legend: '{{state}}',
        }),
        series('Time in each phase, p99', 'COUNTING is close → batch.', 's', {
          expr: quantile(0.99, 'seq_epoch_phase_seconds_bucket', 'phase', `{${OF_MARKET}}`),
          legend: '{{phase}}',
        }),
        series('Stores', 'Attempts per second, by store and outcome.', 'reqps', {
          expr: perSecond('provider, outcome', 'seq_ipfs_puts_total'),
          legend: '{{provider}} {{outcome}}',
        }),
        series('Time to store a batch, p99', 'Read back included.', 's', {
          expr: quantile(0.99, 'seq_ipfs_put_seconds_bucket', 'provider'),
          legend: '{{provider}}',
        }),
        series(
          'Transactions in no block',
          'How many, and for how long the oldest.',
          'short',
          { expr: 'max(seq_tx_pending)', legend: 'pending' },
          { expr: 'max(seq_tx_oldest_pending_seconds)', legend: 'oldest, seconds' },
        ),
        series('Sending to block, p99', 'Fee bumps included.', 's', {
          expr: quantile(0.99, 'seq_tx_confirm_seconds_bucket', 'market', `{${OF_MARKET}}`),
          legend: '{{market}}',
        }),
        series(
          'Failures',
          'Per hour.',
          'short',
          { expr: 'sum by (code) (increase(seq_tx_reverts_total[1h])) > 0', legend: 'refused: {{code}}' },
          { expr: 'sum(increase(seq_tx_gas_bumps_total[1h]))', legend: 'fee bumps' },
          { expr: 'sum(increase(seq_tx_delayed_accept_total[1h]))', legend: 'too late' },
          { expr: 'sum by (step) (increase(seq_anchor_retries_total[1h])) > 0', legend: 'tried again: {{step}}' },
        ),
        series('Attestations', 'Per second, by whether they name our root.', 'reqps', {
          expr: `sum by (matches) (max by (market, matches) (rate(seq_attestations_total{${OF_MARKET}}[$__rate_interval])))`,
          legend: '{{matches}}',
        }),
      ],
    },
  ],
}

export const stages: Dashboard = {
  uid: 'sequencer-stages',
  title: 'Sequencer: intake and stages',
  help: 'Input, and how the engine works it off.',
  rows: [
    {
      title: 'Intake',
      panels: [
        series('Messages', 'Per second, by what the intake made of them.', 'reqps', {
          expr: perSecond('verdict', 'seq_intake_messages_total'),
          legend: '{{verdict}}',
        }),
        series(
          'Read to in the log',
          'The objective is 99.9 % within a second.',
          's',
          {
            expr: 'histogram_quantile(0.5, sum by (le) (rate(seq_intake_ack_seconds_bucket[$__rate_interval])))',
            legend: 'p50',
          },
          {
            expr: 'histogram_quantile(0.999, sum by (le) (rate(seq_intake_ack_seconds_bucket[$__rate_interval])))',
            legend: 'p99.9',
          },
        ),
        series(
          'Connections and streams',
          'Open now.',
          'short',
          { expr: 'sum(seq_p2p_connections)', legend: 'connections' },
          { expr: 'sum(seq_p2p_streams)', legend: 'streams' },
        ),
        series('Turned away', 'Per second, by the limit.', 'reqps', {
          expr: `${perSecond('reason', 'seq_intake_shed_total')} > 0`,
          legend: '{{reason}}',
        }),
        series('Not yet in the log', 'Per process. Near 24 MiB reading stops.', 'bytes', {
          expr: 'seq_intake_inflight_bytes',
          legend: '{{instance}}',
        }),
      ],
    },
    {
      title: 'Stages',
      panels: [
        series('Records', 'Processed per second.', 'reqps', {
          expr: perSecond('stage', 'seq_stream_records_total'),
          legend: '{{stage}}',
        }),
        series('Lag', 'Committed to end of input, per partition.', 'short', {
          expr: 'max by (stage, partition) (seq_consumer_lag) > 0',
          legend: '{{stage}}/{{partition}}',
        }),
        series('Busy', 'Share of one core in processors.', 'percentunit', {
          expr: perSecond('stage', 'seq_stream_process_seconds_total'),
          legend: '{{stage}}',
        }),
        series('Tasks', 'Per stage and process.', 'none', {
          expr: 'sum by (stage, instance) (seq_stream_tasks)',
          legend: '{{stage}} {{instance}}',
        }),
        series(
          'Bytes',
          'Read and written per second.',
          'Bps',
          { expr: 'sum(rate(seq_stream_fetched_bytes_total[$__rate_interval]))', legend: 'read' },
          { expr: 'sum(rate(seq_stream_written_bytes_total[$__rate_interval]))', legend: 'written' },
        ),
        series('Transactions that did not go through', 'Per second.', 'reqps', {
          expr: `${perSecond('stage, outcome', 'seq_stream_commits_total', '{outcome!="committed"}')} > 0`,
          legend: '{{stage}} {{outcome}}',
        }),
        series('Time of a transaction, p99', 'Per stage.', 's', {
          expr: quantile(0.99, 'seq_stream_commit_seconds_bucket', 'stage'),
          legend: '{{stage}}',
        }),
        series('Signatures of one fetch, p99', 'Worker threads included.', 's', {
          expr: 'histogram_quantile(0.99, sum by (le) (rate(seq_sigverify_seconds_bucket[$__rate_interval])))',
          legend: 'p99',
        }),
        series(
          'Rebalances and restores',
          'Assignments per hour, and the time of the last restore.',
          'short',
          { expr: 'sum by (stage) (increase(seq_rebalance_total[1h]))', legend: '{{stage}} assignments' },
          { expr: 'max by (stage) (seq_state_restore_seconds)', legend: '{{stage}} seconds' },
        ),
      ],
    },
    {
      title: 'Processes',
      panels: [
        series('CPU', 'Cores, per process.', 'short', {
          expr: 'rate(process_cpu_seconds_total{job="sequencer"}[$__rate_interval])',
          legend: '{{instance}}',
        }),
        series('Memory', 'Resident, per process.', 'bytes', {
          expr: 'process_resident_memory_bytes{job="sequencer"}',
          legend: '{{instance}}',
        }),
        series('Event loop', 'How late its turns come.', 's', {
          expr: 'seq_event_loop_lag_seconds',
          legend: '{{instance}}',
        }),
      ],
    },
  ],
}
