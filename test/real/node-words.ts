/** What nodes and providers say when they do not do what they are asked, each in its own words. */

import { REFUSAL_WORDS } from '../connectors/evm/anchor-effects/refusal-words.ts'

export interface NodeError {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}

/** `Nitro sequencer` is one of Nitro. */
const familyOf = (client: string): string => client.split(' ')[0]!.toLowerCase()
/** Nethermind and Parity have codes of their own for transactions. */
const codeOf = (family: string): number => (['nethermind', 'parity'].includes(family) ? -32_010 : -32_000)

const said = (messages: readonly string[], code = -32_000): readonly NodeError[] =>
  messages.map((message) => ({ code, message }))

/** Of eth_sendRawTransaction, by client. What they mean differs; whether the transaction is there anyway, none of them says. */
export const SEND_REFUSALS: Readonly<Record<string, readonly NodeError[]>> = Object.fromEntries(
  [...new Set(REFUSAL_WORDS.map(([client]) => familyOf(client)))].map((family) => [
    family,
    REFUSAL_WORDS.filter(([client]) => familyOf(client) === family).map(
      ([, message]): NodeError => ({ code: codeOf(family), message }),
    ),
  ]),
)

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
