import { type Alerts, HOUR, MINUTE } from '../alert.ts'

export const anchorAlerts: Alerts = (times) => [...transactionAlerts(times), ...storeAlerts(times)]

const transactionAlerts: Alerts = ({ range, age }) => [
  {
    name: 'SignerCannotPay',
    severity: 'page',
    expr: 'max(seq_signer_balance_wei) / max(seq_tx_cost_wei) < 1',
    for: MINUTE,
    summary: 'The signer cannot pay for its next transaction',
    description: 'Nothing is anchored until it has a balance. Send it some; it goes on by itself.',
  },
  {
    name: 'SignerBalanceLow',
    severity: 'ticket',
    expr: 'max(seq_signer_balance_wei) / max(seq_tx_cost_wei) < 200',
    for: 10 * MINUTE,
    summary: 'The signer can pay for {{ $value | humanize }} more transactions',
    description: 'At the highest fee that the newest one may cost. An epoch takes one per batch, and one more.',
    explainedBy: ['SignerCannotPay'],
  },
  {
    name: 'TransactionStuck',
    severity: 'page',
    expr: `max by (market) (seq_tx_oldest_pending_seconds) > ${age(10 * MINUTE)}`,
    for: MINUTE,
    summary: 'A transaction of {{ $labels.market }} is in no block',
    description:
      'It was sent {{ $value | humanizeDuration }} ago, and later ones wait behind it. Compare `seq_tx_max_fee_per_gas_wei` with what the chain asks, and `anchoring.maxFeePerGasMax` with both.',
    explainedBy: ['LogUnreachable', 'RoleDown', 'ChainStalled', 'SignerCannotPay'],
  },
  {
    name: 'ChainWentBack',
    severity: 'page',
    expr: `sum(increase(seq_tx_reorged_total[${range(30 * MINUTE)}])) > 0`,
    summary: 'The chain went back behind final transactions',
    description:
      '{{ $value | humanize }} transactions that were final are no longer on the chain. They are sent again, or their batches decided anew; see that it ends. `anchor.confirmations` is too low for this chain, or a node lost blocks.',
  },
  {
    name: 'AnchoringStandsStill',
    severity: 'ticket',
    expr: `max(seq_tx_standstill_seconds) > ${age(3 * MINUTE)}`,
    for: MINUTE,
    summary: 'Nothing is anchored any more',
    description:
      'For {{ $value | humanizeDuration }} the signer’s next nonce has not moved, or no call got into a block, and others wait. /readyz of anchor-effects says which.',
    explainedBy: ['LogUnreachable', 'RoleDown', 'ChainStalled', 'SignerCannotPay', 'TransactionStuck'],
  },
  {
    name: 'ContractRefuses',
    severity: 'ticket',
    expr: `sum by (code) (increase(seq_tx_reverts_total{code!="E38"}[${range(30 * MINUTE)}])) > 0`, // DayUnpaid tells of that
    summary: 'The contract refuses calls with {{ $labels.code }}',
    description: 'E04: the signer is not a sequencer of the market; have it added. The others are in the runbook.',
  },
  {
    name: 'IntentRefused',
    severity: 'page',
    expr: `sum by (step) (increase(seq_anchor_intents_refused_total[${range(30 * MINUTE)}])) > 0`,
    summary: 'An intent to {{ $labels.step }} cannot be carried out',
    description:
      'It lies outside of the limits, or nothing can be done about it: nothing of it was signed or sent. Either a limit was lowered, or somebody beside the stage anchor writes anchor-intents. The log line intent-refused has its offset and the reason.',
  },
]

const storeAlerts: Alerts = ({ range }) => [
  {
    name: 'TransactionRefused',
    severity: 'page',
    expr: `sum by (reason) (increase(seq_tx_refusals_total{reason=~"gas-limit|fee-cap|pool|type|size|chain|busy|other"}[${range(5 * MINUTE)}])) > 3`,
    for: 2 * MINUTE,
    summary: 'No node takes a transaction ({{ $labels.reason }})',
    description:
      'Later ones wait behind it. It goes on by itself: with a higher fee, then with a filler in its place. The log has the words of the nodes (event transaction-refused); the runbook says what to do by reason.',
    explainedBy: ['ChainStalled', 'SignerCannotPay'],
  },
  {
    name: 'BatchesWaitForStores',
    severity: 'page',
    expr: 'min(seq_stores_spare) < 0',
    for: 30,
    summary: 'Too few stores take batches, so none is anchored',
    description:
      '{{ $value | humanize }} stores beyond the number that must hold a batch (`storage.required`). Nothing is lost while the submission windows on the chain are open; what waits longer is LATE. /readyz of anchor-effects has the words of each store at `storage`, `sequencer doctor` says what to do.',
  },
  {
    name: 'IpfsPutFailing',
    severity: 'ticket',
    expr: 'min by (provider) (seq_store_working) == 0',
    for: MINUTE,
    summary: 'Store {{ $labels.provider }} takes no batches',
    description:
      'Others hold them, and it is given what it lacks once it works. Look at its disk, at the Kubo node, or at the account of the service; /readyz of anchor-effects has its words at `storage`.',
    explainedBy: ['BatchesWaitForStores'],
  },
  {
    name: 'BatchesMissingInStore',
    severity: 'ticket',
    expr: 'max by (provider) (seq_store_lacking) > 0',
    for: 30 * MINUTE,
    summary: 'Store {{ $labels.provider }} lacks {{ $value | humanize }} batches',
    description:
      'Others hold them. It is given them in the background, one at a time, and has not taken them all for half an hour. The log says why (event store-failing); `sequencer batches heal` lists them.',
    explainedBy: ['BatchesWaitForStores', 'IpfsPutFailing'],
  },
  {
    name: 'IpfsMismatch',
    severity: 'page',
    expr: `sum by (provider) (increase(seq_ipfs_puts_total{outcome="mismatch"}[${range(HOUR)}])) > 0`,
    summary: 'Store {{ $labels.provider }} gives batches another CID, or other bytes',
    description:
      'The copy in that store does not count. The node is set up to cut or hash files otherwise, or its disk is damaged. Take the store out until it is mended.',
  },
]
