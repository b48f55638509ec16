import type {
  AnchorIntent,
  AnchorKey,
  AnchorResult,
  AnchorStep,
  Batch,
  EpochSummary,
  MarketKey,
  Payout,
} from '../../../schemas/types.ts'
import type { KafkaTopic } from '../../../streams/kafka-topic.ts'
import type { Clock, Log } from '../../../streams/ports.ts'
import type { Unreadable } from '../../../streams/read-record.ts'
import type { ContractBlockSource } from '../contract/chain-reader.ts'
import type { Endpoint, RpcOptions } from '../nodes/ask.ts'
import { RPC_DEFAULTS, type RpcObserver } from '../nodes/rpc.ts'
import type { TransactionType } from './anchor-price.ts'
import type { RefusalReason } from './anchor-refusal.ts'

export interface AnchorTopics {
  readonly batches: KafkaTopic<MarketKey, Batch | EpochSummary>
  readonly payouts: KafkaTopic<MarketKey, Payout>
  readonly anchorIntents: KafkaTopic<AnchorKey, AnchorIntent>
  readonly anchorResults: KafkaTopic<AnchorKey, AnchorResult>
}

export interface AnchorOptions extends Partial<AnchorTuning> {
  /** The role's group and transactional id is `<appId>-anchor-effects`. */
  readonly appId: string
  /** Name of this process within the group. */
  readonly instanceId: string
  readonly topics: AnchorTopics
  /** RPC URLs in order of preference. */
  readonly urls: readonly string[]
  readonly chainId: number
  /** ProtocolState of each data market. */
  readonly protocolStateOf: (dataMarket: string) => string
  /** The key that signs what is planned from now on, 0x and 64 hex digits; see `readSignerKey`. */
  readonly signerKey: string
  /** Keys that signed before: they end what was begun under them, since a nonce belongs to its account. */
  readonly formerSignerKeys?: readonly string[]
  /** Nothing is signed or sent outside of these. */
  readonly limits: SigningLimits
  readonly observer?: AnchorObserver
}

export interface SigningLimits {
  /** Wei per gas that a transaction pays, decimal: at most this, its tip within it. */
  readonly maxFeePerGasMax: string
  /** A nonce lies at most so far beyond the chain's next one. */
  readonly noncesAheadMax: number
}

export interface AnchorTuning {
  /** Blocks on top of a transaction's before it is final. */
  readonly confirmations: number
  /** A final transaction is watched until it lies so many blocks behind the head; what is lost before that is sent again. */
  readonly reorgDepthMax: number
  /** After so long without a move of the signer's next nonce, while transactions wait for it, anchoring stands still. */
  readonly standstillMs: number
  readonly pollMs: number
  /** A transaction that could be next is STUCK after so many new blocks and so long. */
  readonly stuckBlocks: number
  readonly stuckMs: number
  /** Without a receipt it is broadcast again so often. */
  readonly rebroadcastMs: number
  /** The form of what is signed. */
  readonly transactionType: TransactionType
  /** A tip that a node suggests is believed up to this. Wei, decimal. */
  readonly tipMax: string
  /** Gas that one transaction may have, where the chain has such a limit beside that of the block; 0 for none. */
  readonly transactionGasMax: number
  /** Gas limit = estimate × this, rounded up, + GAS_HEADROOM (anchor-prepare.ts). */
  readonly gasMargin: number
  /** Batches given to one store at once, and dry runs or signatures made at once. */
  readonly stepsAtOnce: number
  /** Blocks of one request for logs, at most. */
  readonly logRangeBlocks: number
  /** For one RPC call. */
  readonly timeoutMs: number
  /** A node that takes longer for a reading is overtaken by the next one. */
  readonly slowMs: number
  /** Calls per JSON-RPC batch; 1 for nodes without batches. */
  readonly rpcBatchMax: number
  /** Nodes that must say the same of what became of a transaction (decision 0027). */
  readonly agreement: number
  /** First and longest pause between two attempts at what failed. */
  readonly backoffMs: number
  readonly backoffMsMax: number
  readonly purgeIntervalMs: number
  /** How the contract counts blocks: on Arbitrum Nitro chains `l1BlockNumber` (window.ts). */
  readonly contractBlock: ContractBlockSource
}

export const ANCHOR_DEFAULTS: AnchorTuning = {
  confirmations: 6,
  reorgDepthMax: 256,
  standstillMs: 120_000,
  pollMs: 500,
  stuckBlocks: 6,
  stuckMs: 30_000,
  rebroadcastMs: 15_000,
  transactionType: 'auto',
  tipMax: '3000000000',
  transactionGasMax: 0,
  gasMargin: 1.25,
  stepsAtOnce: 4,
  logRangeBlocks: RPC_DEFAULTS.logRangeBlocks,
  timeoutMs: RPC_DEFAULTS.timeoutMs,
  slowMs: RPC_DEFAULTS.slowMs,
  rpcBatchMax: RPC_DEFAULTS.batchMax,
  agreement: RPC_DEFAULTS.agreement,
  backoffMs: 250,
  backoffMsMax: 15_000,
  purgeIntervalMs: 60_000,
  contractBlock: 'number',
}

export interface AnchorPorts {
  readonly log: Log
  readonly clock: Clock
  readonly storage: AnchorStorage
  /** Opens an RPC endpoint; the default speaks HTTP. */
  readonly connect?: (url: string, options: RpcOptions) => Endpoint
}

/** The place where batches are kept. It tries each store without end; when that makes no sense any more is decided here. */
export interface AnchorStorage {
  /** Begins to keep a batch, or goes on with it when the id is known; until the signal. */
  keep(id: string, read: () => Promise<Uint8Array>, signal: AbortSignal): BatchKeeping
}

export interface BatchKeeping {
  /** Resolves with the CID by our own computation, once enough stores hold the batch and gave it back. */
  readonly held: Promise<string>
  /** A store was tried without success. */
  readonly failing: boolean
  /** The number of stores that hold the batch, and the reasons why the others do not. */
  describe(): string
  /** Nobody needs it any more. */
  drop(): void
}

/** Told as it happens; none of it is needed for the work. */
export interface AnchorObserver extends RpcObserver {
  /** This process executes the intents (or no longer does). */
  owning?(owns: boolean): void
  concluded?(key: AnchorKey, result: AnchorResult): void
  /** An intent is not carried out: it lies outside of the limits, or nothing can be done about it. Its answer is FAILED. */
  intentRefused?(key: AnchorKey, refused: IntentRefused): void
  /** Something is down or not yet so; it is tried again. `step` is the intent's, or `log`. */
  waiting?(step: string, reason: Error, retryInMs: number): void
  /** A record of the intents is none; the anchor goes on without it. */
  unreadable?(unreadable: Unreadable): void
  /** Transactions sent and not yet mined. */
  pending?(transactions: number): void
  signed?(nonce: number, maxFeePerGas: bigint, gasLimit: number): void
  balance?(wei: bigint): void
  /** The signer cannot pay; nothing goes on until it can. */
  lowBalance?(wei: bigint, needed: bigint): void
  /** No node takes a transaction. It is looked at again with every block, and sent again after the pause. */
  transactionRefused?(key: AnchorKey, refused: TransactionRefused): void
  /**
   * A transaction could be the next, and is in no block for `stuckMs`, or for some blocks with no node that has it; told once of each. It is
   * sent again meanwhile.
   */
  transactionUnmined?(key: AnchorKey, unmined: TransactionUnmined): void
  /** The contract refuses the call, in a dry run or in a block. */
  reverted?(code: string, key: AnchorKey): void
  feeBumped?(): void
  /** The owner forced the completion of a batch without a majority of validators: the contract does not finalize it. */
  notFinalized?(key: AnchorKey): void
  /** Final transactions that are watched. */
  kept?(transactions: number): void
  /** Final transactions are no longer on the chain, the first of them in this block. */
  wentBack?(transactions: number, block: number): void
  /** Nobody has a transaction for a nonce, and ours wait behind it, the first with `next`: fillers take it, or those are given back. */
  gapFound?(nonce: number, signer: string, next: number): void
  /**
   * How long the signer's next nonce has not moved while transactions wait for it, or nothing got to the chain while calls wait;
   * 0 when neither is for long. Then which, in words.
   */
  standstill?(ms: number, words: string): void
  /** The contract took a batch too late and kept nothing of it. */
  lateAccepted?(key: AnchorKey): void
}

export interface IntentRefused {
  /** Where the intent lies in `anchor-intents`. */
  readonly offset: number
  readonly step: AnchorStep
  readonly why: string
}

export interface TransactionRefused {
  readonly reason: RefusalReason
  /** The words of the nodes. */
  readonly words: string
  readonly nonce: number
  readonly retryInMs: number
  /** The refusal before it was for another reason, or there was none. */
  readonly isNew: boolean
}

/** The observed state of a transaction without a receipt. */
export interface TransactionUnmined {
  readonly nonce: number
  /** Time since the transaction's nonce became the next one. */
  readonly ms: number
  /** Newest block; the transaction is in none up to it. */
  readonly block: number
  /** Next nonce of the signer, at the newest block. */
  readonly nextNonce: number
  /** A node has it in the pool, or another transaction with its nonce. */
  readonly inPool: boolean
  /** A node took it at some time. */
  readonly taken: boolean
  /** The block that it was in, and that the node does not have any more. */
  readonly lostBlock: number | undefined
}

export type AnchorSettings = AnchorOptions & AnchorTuning
