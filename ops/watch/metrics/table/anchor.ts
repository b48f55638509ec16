import { REFUSAL_REASONS } from '../../../../connectors/evm/anchor-effects/anchor-refusal.ts'
import type { Role } from '../../../base/roles.ts'
import { type Definition, OTHER } from '../definition.ts'
import { STORES } from './stores.ts'

const roles = ['anchor-effects'] as const satisfies readonly Role[]

/** The steps that are tried again while something is down: the steps of an intent, and the role's actions beside them. */
export const ANCHOR_STEPS = [
  'STORE',
  'PREPARE',
  'SIGN',
  'SEND',
  'WATCH',
  'KEEP',
  'log',
  'head',
  'purge',
  OTHER,
] as const

/** Codes of the contract (`require` messages) as far as a call of ours can meet them. */
export const REVERT_CODES = ['E02', 'E04', 'E23', 'E24', 'E25', 'E38', 'E39', 'E43', 'E47', 'E48', OTHER] as const

/** Metrics of the one process that stores and sends; a process that stands by has none of the gauges. */
export const ANCHOR = {
  txPending: {
    type: 'gauge',
    name: 'seq_tx_pending',
    help: 'Transactions sent and in no block yet.',
    unit: 'transactions',
    roles,
    use: 'At most `anchoring.noncesInFlightMax`.',
  },
  txNonce: { type: 'gauge', name: 'seq_tx_nonce', help: 'Newest nonce that was signed.', unit: 'nonce', roles },
  txFee: {
    type: 'gauge',
    name: 'seq_tx_max_fee_per_gas_wei',
    help: 'Highest fee per gas of the newest transaction that was signed.',
    unit: 'wei',
    roles,
    use: 'No transaction is signed above `anchoring.maxFeePerGasMax`.',
  },
  txCost: {
    type: 'gauge',
    name: 'seq_tx_cost_wei',
    help: 'The most that the newest transaction may cost: its gas limit at its highest fee.',
    unit: 'wei',
    roles,
  },
  signerBalanceWei: {
    type: 'gauge',
    name: 'seq_signer_balance_wei',
    help: 'Balance of the signer, read before each transaction.',
    unit: 'wei',
    roles,
    use: 'Divided by `seq_tx_cost_wei` it is the number of transactions that are paid for.',
  },
  txGasBumps: {
    type: 'counter',
    name: 'seq_tx_gas_bumps_total',
    help: 'Transactions that were in no block for long and are signed again at a higher fee.',
    unit: 'transactions',
    roles,
  },
  txReverts: {
    type: 'counter',
    name: 'seq_tx_reverts_total',
    help: 'Calls that the contract refused for good, in a dry run or in a block.',
    unit: 'calls',
    roles,
    labels: { code: REVERT_CODES },
    use: 'E04: the signer is not a sequencer of the market.',
  },
  txRefusals: {
    type: 'counter',
    name: 'seq_tx_refusals_total',
    help: 'Times that no node took a transaction, by what was found out about it: from the dry run, the balance and the block first, else from the words.',
    unit: 'refusals',
    roles,
    labels: { reason: REFUSAL_REASONS.filter((reason) => reason !== 'unreachable') },
    use: '`known` and `nonce` are usual: it is in a pool already, or was mined a moment ago. A transaction that comes through to no node was refused by none: `seq_tx_standstill_seconds` tells of it.',
  },
  intentsRefused: {
    type: 'counter',
    name: 'seq_anchor_intents_refused_total',
    help: 'Intents that were not carried out, since they lie outside of the limits of the process that has the key, or nothing can be done about them.',
    unit: 'intents',
    roles,
    labels: { step: ANCHOR_STEPS },
    use: 'Any is a record that the stage `anchor` did not write, or a limit that was lowered. The log line `intent-refused` says where the record lies and why.',
  },
  txKept: {
    type: 'gauge',
    name: 'seq_tx_kept',
    help: 'Final transactions that are watched, and would be sent again if their blocks left the chain.',
    unit: 'transactions',
    roles,
    use: 'About as many as lie in `anchor.reorgDepthMax` blocks, and those whose attestations are awaited; at most `anchoring.noncesKept`, and `anchoring.watchEpochs` epochs.',
  },
  txReorged: {
    type: 'counter',
    name: 'seq_tx_reorged_total',
    help: 'Final transactions whose blocks left the chain. Each is sent again, or its batch decided anew.',
    unit: 'transactions',
    roles,
    use: 'Never, with enough `anchor.confirmations`.',
  },
  txGaps: {
    type: 'counter',
    name: 'seq_tx_gaps_total',
    help: 'Nonces before the nonces of waiting transactions for which nobody had a transaction; a transaction to oneself takes the place.',
    unit: 'nonces',
    roles,
  },
  txStandstill: {
    type: 'gauge',
    name: 'seq_tx_standstill_seconds',
    help: 'For how long the signer’s next nonce has been the same while transactions wait for it, or nothing got to the chain while calls wait; 0 below `anchor.standstillMs`.',
    unit: 'seconds',
    roles,
    use: '/readyz of anchor-effects says which nonce it is.',
  },
  txDelayedAccept: {
    type: 'counter',
    name: 'seq_tx_delayed_accept_total',
    help: 'Transactions that came after the window: the contract took them, kept nothing, and did not revert.',
    unit: 'transactions',
    roles,
  },
  anchorRetries: {
    type: 'counter',
    name: 'seq_anchor_retries_total',
    help: 'Attempts at a step that failed for an outage, or for what is not definite yet. Each is repeated, with pauses of up to 15 s. `STORE`: attempts at a store while too few hold the batch.',
    unit: 'attempts',
    roles,
    labels: { step: ANCHOR_STEPS },
  },
  ...STORES,
} as const satisfies Record<string, Definition>
