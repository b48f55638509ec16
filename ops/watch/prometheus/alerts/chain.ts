import { type Alerts, MINUTE } from '../alert.ts'

export const chainAlerts: Alerts = (times) => [...clockAlerts(times), ...nodeAlerts(times)]

const clockAlerts: Alerts = ({ range, age }) => [
  {
    name: 'ReleasesMissing',
    severity: 'page',
    expr: 'max(seq_chain_releases_missing) > 0',
    for: MINUTE,
    summary: 'No node has the logs of {{ $value }} released epochs',
    description:
      'The contract counts them, and the logs that the nodes give do not tell of them. The clock waits: nothing opens or closes until a node has them. /readyz of the clock names the market, the epochs and the block.',
    explainedBy: ['LogUnreachable'],
  },
  {
    name: 'EpochRefused',
    severity: 'page',
    expr: `max by (market) (increase(seq_epochs_refused_total[${range(10 * MINUTE)}])) > 0`,
    for: 0,
    summary: 'Releases of {{ $labels.market }} open no epoch',
    description:
      'Its submission window, or another number of the contract, is none that can be: the votes of these epochs come to nothing. The log line epoch-refused of the clock says which number. The owner of the market has to set it right; the next release opens an epoch again.',
  },
  {
    name: 'ChainStalled',
    severity: 'page',
    expr: `time() - max(seq_chain_advanced_timestamp_seconds) > ${age(2 * MINUTE)}`,
    for: MINUTE / 2,
    summary: 'The clock sees no new block',
    description:
      'The last one was {{ $value | humanizeDuration }} ago. Epochs neither open nor close meanwhile, and nothing is anchored. Look at the EVM nodes; /readyz of the clock says what it hears from them.',
    explainedBy: ['LogUnreachable', 'ReleasesMissing'],
  },
  {
    name: 'ChainBehind',
    severity: 'ticket',
    expr: 'max(seq_chain_lag_blocks) > 30',
    for: 5 * MINUTE,
    summary: 'The clock is {{ $value }} blocks behind the head',
    description: 'Epochs close late by as much. The node answers slowly, or the clock has just begun far back.',
    explainedBy: ['ChainStalled', 'LogUnreachable'],
  },
  {
    name: 'TicksSentAgain',
    severity: 'ticket',
    expr: `sum(increase(seq_ticks_resent_total[${range(10 * MINUTE)}])) > 0`,
    for: 30 * MINUTE,
    summary: 'tick-fanout goes on asking for ticks: {{ $value }} were sent again in 10 minutes',
    description:
      'It asks for each missing or refused tick a bounded number of times, so this ends by itself unless somebody else writes to epoch-ticks or tick-requests. The log lines ticks-asked and tick-refused of the clock say for which tick.',
  },
  {
    name: 'SlotTableOld',
    severity: 'ticket',
    expr: `time() - max(seq_slot_table_timestamp_seconds) > ${age(15 * MINUTE)}`,
    for: 5 * MINUTE,
    summary: 'Slots are judged by old owners',
    description:
      'The newest block of the slot table is {{ $value | humanizeDuration }} old, though blocks come: the node is syncing, or its chain stands still.',
    explainedBy: ['ChainStalled', 'ChainBehind', 'LogUnreachable'],
  },
]

const nodeAlerts: Alerts = ({ range }) => [
  {
    name: 'RpcNodeFailing',
    severity: 'ticket',
    expr: `sum by (node) (rate(seq_rpc_requests_total{outcome="failed"}[${range(5 * MINUTE)}])) / sum by (node) (rate(seq_rpc_requests_total[${range(5 * MINUTE)}])) > 0.5`,
    for: 5 * MINUTE,
    summary: 'EVM node {{ $labels.node }} does not answer',
    description:
      '{{ $value | humanizePercentage }} of the requests to it fail; another node answers. Mend it before that one fails too.',
    explainedBy: ['ChainStalled'],
  },
  {
    name: 'RpcNodeSetAside',
    severity: 'ticket',
    expr: 'max by (node, fault) (seq_rpc_node_set_aside{fault!="down"}) == 1',
    for: 10 * MINUTE,
    summary: 'EVM node {{ $labels.node }} is not trusted: {{ $labels.fault }}',
    description:
      'It serves another chain, or its answers are malformed, differ from the answers of the nodes that agree, or come late (`slow`). It is asked only when no other is left. The log line node-set-aside says what it answered.',
  },
  {
    name: 'NodesDisagree',
    severity: 'ticket',
    expr: `sum by (node) (increase(seq_rpc_disagreements_total[${range(10 * MINUTE)}])) > 5`,
    for: 5 * MINUTE,
    summary: 'EVM node {{ $labels.node }} says otherwise than others',
    description:
      'Again and again in the last minutes, and not for one reorganization. While too few nodes agree (`chain.agreement`) no epoch opens or closes and nothing is final.',
  },
]
