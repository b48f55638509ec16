import type { Role } from '../../roles.ts'
import { type Definition, OTHER } from '../definition.ts'

const roles = ['clock'] as const satisfies readonly Role[]
const callers = ['clock', 'anchor-effects'] as const satisfies readonly Role[]

/** The methods that we call; a test compares them with the code. */
export const RPC_METHODS = [
  'eth_blockNumber',
  'eth_call',
  'eth_chainId',
  'eth_estimateGas',
  'eth_feeHistory',
  'eth_gasPrice',
  'eth_getBalance',
  'eth_getBlockByHash',
  'eth_getBlockByNumber',
  'eth_getLogs',
  'eth_getTransactionByHash',
  'eth_getTransactionCount',
  'eth_getTransactionReceipt',
  'eth_maxPriorityFeePerGas',
  'eth_sendRawTransaction',
  OTHER,
] as const

/** Of the one process that is the clock; one that stands by has none of the gauges. */
export const CHAIN = {
  chainHead: {
    type: 'gauge',
    name: 'seq_chain_head',
    help: 'Newest block of the anchor chain that the node reported.',
    unit: 'block',
    roles,
  },
  chainCursor: {
    type: 'gauge',
    name: 'seq_chain_cursor',
    help: 'Newest block turned into ticks.',
    unit: 'block',
    roles,
  },
  chainLagBlocks: {
    type: 'gauge',
    name: 'seq_chain_lag_blocks',
    help: 'Blocks between the two, less the depth that is waited for.',
    unit: 'blocks',
    roles,
  },
  chainAdvanced: {
    type: 'gauge',
    name: 'seq_chain_advanced_timestamp_seconds',
    help: 'When the clock last turned a new block into ticks; at first, when it began to try.',
    unit: 'seconds since 1970',
    roles,
  },
  chainBlockTime: {
    type: 'gauge',
    name: 'seq_chain_cursor_timestamp_seconds',
    help: 'Timestamp of the newest block turned into ticks.',
    unit: 'seconds since 1970',
    roles,
    use: 'Far behind the wall clock while blocks come: the node is syncing.',
  },
  clockFailures: {
    type: 'counter',
    name: 'seq_clock_failures_total',
    help: 'Steps of the clock that failed, at a node or at the log. Each is repeated, with pauses of up to 15 s.',
    unit: 'attempts',
    roles,
  },
  ticks: {
    type: 'counter',
    name: 'seq_ticks_total',
    help: 'Ticks written.',
    unit: 'records',
    roles,
    labels: { kind: ['HEAD', 'OPEN', 'CLOSE', 'ORPHAN'] },
  },
  reorgs: {
    type: 'counter',
    name: 'seq_reorgs_total',
    help: 'Reorganizations of blocks that had ticks.',
    unit: 'times',
    roles,
    use: 'Many of them: let the clock wait longer (clock.depth).',
  },
  reorgDepth: {
    type: 'gauge',
    name: 'seq_reorg_depth',
    help: 'Blocks with ticks that left the chain in the last of them.',
    unit: 'blocks',
    roles,
  },
  stateMissing: {
    type: 'counter',
    name: 'seq_chain_state_missing_total',
    help: 'Times no node had the state of a block any more and it was read as of the newest one.',
    unit: 'times',
    roles,
    use: 'Slots may then be judged by a later owner. Configure a node with more history.',
  },
  slotTableBlock: {
    type: 'gauge',
    name: 'seq_slot_table_block_height',
    help: 'Block up to which the slot table is complete.',
    unit: 'block',
    roles,
  },
  slotTableTime: {
    type: 'gauge',
    name: 'seq_slot_table_timestamp_seconds',
    help: 'Timestamp of that block: submissions are judged by the owners of then.',
    unit: 'seconds since 1970',
    roles,
  },
  slotChanges: {
    type: 'counter',
    name: 'seq_slot_changes_total',
    help: 'Rows written to the slot table.',
    unit: 'records',
    roles,
  },
  rpcRequests: {
    type: 'counter',
    name: 'seq_rpc_requests_total',
    help: 'Requests to EVM nodes. `refused`: the node is well, but the contract, or the rules for transactions, say no. `failed`: no answer, or another error.',
    unit: 'requests',
    roles: callers,
    labels: {
      node: 'number of the URL in `chain.rpcUrls`, from 1 (the URL may hold a secret)',
      method: RPC_METHODS,
      outcome: ['ok', 'refused', 'failed'],
    },
  },
  rpcSeconds: {
    type: 'histogram',
    name: 'seq_rpc_seconds',
    help: 'Time of one request.',
    unit: 'seconds',
    roles: callers,
    labels: { node: 'as above' },
  },
} as const satisfies Record<string, Definition>
