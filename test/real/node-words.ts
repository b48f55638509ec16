/** What nodes and providers say when they do not do what they are asked, each in its own words. */

export interface NodeError {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}

const said = (messages: readonly string[], code = -32_000): readonly NodeError[] =>
  messages.map((message) => ({ code, message }))

/** Of eth_sendRawTransaction, by client. What they mean differs; whether the transaction is there anyway, none of them says. */
export const SEND_REFUSALS: Readonly<Record<string, readonly NodeError[]>> = {
  geth: said([
    'already known',
    'replacement transaction underpriced',
    'transaction underpriced: tip needed 1, tip permitted 0',
    'max fee per gas less than block base fee: address 0x.., maxFeePerGas: 1, baseFee: 2',
    'tx fee (1.63 ether) exceeds the configured cap (1.00 ether)',
    'transaction type not supported',
    'transaction gas limit too high (cap: 16777216, tx: 20000000)',
    'gapped-nonce tx from delegated accounts',
    'invalid chain id for signer: have 1 want 2',
    'nonce too low: next nonce 8, tx nonce 7',
    'nonce too high',
    'insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1',
    'intrinsic gas too low: have 20000, want 21000',
    'exceeds block gas limit',
    'txpool is full',
    'oversized data',
    'future transaction tries to replace pending',
  ]),
  nitro: said(['execution reverted', 'nonce too low: address 0x.., tx: 7 state: 8', 'oversized data', 'queue is full']),
  nethermind: said(
    [
      'OldNonce, Current nonce: 8, nonce of rejected tx: 7',
      'AlreadyKnown',
      'FeeTooLow',
      'FeeTooLowToCompete',
      'InsufficientFunds, Account balance: 0, cumulative cost: 1',
      'GasLimitExceeded',
      'OwnNonceAlreadyUsed',
    ],
    -32_010,
  ),
  erigon: said([
    'INTERNAL_ERROR: existing tx with same hash',
    'fee too low',
    'pending sub-pool is full',
    'nonce too low',
    'underpriced',
  ]),
  besu: [
    { code: -32_001, message: 'Nonce too low' },
    { code: -32_009, message: 'Gas price below current base fee' },
    { code: -32_000, message: 'Transaction fee cap exceeded' },
    { code: -32_000, message: 'Known transaction' },
    { code: -32_004, message: 'Upfront cost exceeds account balance' },
  ],
  reth: said(['already known', 'txpool is full', 'transaction underpriced', 'nonce too low: next nonce 8, tx nonce 7']),
  parity: said(
    [
      'Transaction with the same hash was already imported.',
      'There is another transaction with same nonce in the queue. Try increasing the gas price or incrementing the nonce.',
      'Transaction nonce is too low. Try incrementing the nonce.',
    ],
    -32_010,
  ),
  provider: [
    { code: -32_000, message: 'tx already exist' },
    { code: -32_005, message: 'daily request count exceeded, request rate limited' },
    { code: -32_603, message: 'Internal error' },
    { code: -32_003, message: 'transaction rejected' },
    { code: -32_601, message: 'the method eth_sendRawTransaction does not exist/is not available' },
  ],
}

/** The block is known, its state is gone. */
export const PRUNED: readonly NodeError[] = said([
  'missing trie node 5b9c1a (path ) state 0x12ab is not available',
  'No state available for block 12 (0xabc)',
  'State at block #3 is pruned',
  'World state unavailable',
  'This request is not supported because your node is running with state pruning. Run with --pruning=archive.',
  'old data not available due to pruning: requested block 12',
  'historical state 12ab is not available',
  'distance to target block exceeds maximum proof window',
])

export const NO_SUCH_BLOCK: readonly NodeError[] = said(['header not found', 'unknown block', 'Unknown block'])

export const RANGE_TOO_WIDE: readonly NodeError[] = [
  { code: -32_005, message: 'query returned more than 10000 results' },
  { code: -32_600, message: 'eth_getLogs is limited to a 10,000 range' },
  { code: -32_602, message: 'exceed maximum block range: 5000' },
  { code: -32_000, message: 'block range too large' },
  {
    code: -32_701,
    message: 'Please specify an address in your request or, to remove restrictions, order a dedicated full node',
  },
]

export const BATCH_TOO_LARGE: readonly NodeError[] = [
  { code: -32_600, message: 'batch too large' },
  { code: -32_000, message: 'batch limit 10 exceeded' },
  { code: -32_005, message: 'Batch size too large' },
]

export const INDEXING: NodeError = { code: -32_000, message: 'transaction indexing is in progress' }
export const NO_SUCH_METHOD: NodeError = {
  code: -32_601,
  message: 'the method eth_maxPriorityFeePerGas does not exist/is not available',
}
