import type { EpochTick, RefusedEpoch } from '../../../schemas/types.ts'
import type { Unreadable } from '../../../streams/read-record.ts'
import type { ContractBlockSource } from '../contract/chain-reader.ts'
import { RPC_DEFAULTS, type RpcObserver } from '../nodes/rpc.ts'
import type { ClockMarket } from './chain-state.ts'
import type { RecordsGone } from './clock-place.ts'
import type { ReleaseGap } from './release-check.ts'
import type { ClockTopics } from './tick-log.ts'
import type { TickRequestObserver } from './tick-requests.ts'

export interface ClockOptions extends Partial<ClockTuning> {
  /** The role's group and transactional id is `<appId>-clock`. */
  readonly appId: string
  readonly topics: ClockTopics
  /** RPC URLs in order of preference. */
  readonly urls: readonly string[]
  readonly chainId: number
  /** ProtocolState. */
  readonly protocolState: string
  /** The configured ones. */
  readonly markets: readonly ClockMarket[]
  /** Where the very first start begins; absent = at the head. Epochs released before it are not taken up. */
  readonly startBlock?: number
  readonly observer?: ClockObserver
}

export interface ClockTuning {
  /** Blocks behind the head that are waited for. */
  readonly depth: number
  readonly pollMs: number
  /** Blocks read and written in one step. */
  readonly rangeBlocks: number
  /** Heads kept in memory; a deeper reorganization is followed by what the log holds. */
  readonly reorgDepthMax: number
  /** For one RPC call. */
  readonly timeoutMs: number
  /** A node that takes longer for a reading is overtaken by the next one. */
  readonly slowMs: number
  /** The longest pause between two attempts. */
  readonly backoffMsMax: number
  /** Without a new block for so long, another RPC URL is preferred. */
  readonly stallMs: number
  /** Calls per JSON-RPC batch; 1 for nodes without batches. */
  readonly rpcBatchMax: number
  /** Nodes that must say the same of blocks, epochs and slots (decision 0027). */
  readonly agreement: number
  /** Blocks between two full readings of the slots, against events that a node left out; 0 = only the first. */
  readonly slotsRereadBlocks: number
  /** The logs of a block are asked for once more so many blocks later; 0 = never. At most `reorgDepthMax`. */
  readonly secondLookBlocks: number
  /** See SlotRules. */
  readonly slotHistoryBlocks: number
  readonly slotChangesMax: number
  /** Measure of the submission window of markets that are added at run time. */
  readonly addedWindowUnit: ClockMarket['windowUnit']
  /** Markets served at one time. */
  readonly marketsMax: number
  /** The newest blocks of a window that its CLOSE names, as many as validate knows (`headsKept`). A record must have room. */
  readonly acceptedHeadersMax: number
  /** How the contract counts blocks: on Arbitrum Nitro chains `l1BlockNumber` (window.ts). */
  readonly contractBlock: ContractBlockSource
}

export const CLOCK_DEFAULTS: ClockTuning = {
  depth: 2,
  pollMs: 500,
  rangeBlocks: 50,
  reorgDepthMax: 256,
  timeoutMs: RPC_DEFAULTS.timeoutMs,
  slowMs: RPC_DEFAULTS.slowMs,
  backoffMsMax: 15_000,
  stallMs: 30_000,
  rpcBatchMax: RPC_DEFAULTS.batchMax,
  agreement: RPC_DEFAULTS.agreement,
  slotsRereadBlocks: 0,
  secondLookBlocks: 16,
  slotHistoryBlocks: 604_800,
  slotChangesMax: 256,
  addedWindowUnit: 'blocks',
  marketsMax: 64,
  acceptedHeadersMax: 4_096,
  contractBlock: 'number',
}

export interface ClockObserver extends RpcObserver, TickRequestObserver {
  /**
   * Told after each step, also when there is no new block. `lag`: blocks between the head, less the depth, and the cursor;
   * `cursorTime`: timestamp of the cursor's block, seconds.
   */
  advanced?(progress: { head: number; cursor: number; cursorTime: number; lag: number }): void
  /** The log names no block to go on from: the ticks begin with this one. */
  began?(block: number): void
  wrote?(kind: EpochTick['kind'], ticks: number): void
  slotsChanged?(rows: number): void
  /** Blocks from `firstOrphaned` on left the chain, `blocks` of which had ticks. */
  reorged?(firstOrphaned: number, blocks: number): void
  /** The nodes no longer have the state of these blocks: it was read as of the newest one. */
  stateMissing?(fromBlock: number): void
  /** The contract counts epochs whose release is in no log of the blocks read: the clock waits. Undefined: none, or no longer. */
  releasesMissing?(gap: ReleaseGap | undefined): void
  /** The owner of a market skipped these epochs: the contract released none of them. */
  epochsSkipped?(dataMarket: string, fromEpoch: number, toEpoch: number): void
  /** A release opens no epoch, since a number of the contract is none that can be. */
  epochRefused?(refused: RefusedEpoch): void
  /** The contract does not say something as of a block: the clock goes on without, as with a contract that has no such thing. */
  notSaid?(what: string, why: string): void
  /** The second look at a block found what the first did not. */
  foundLate?(block: number, releases: number, slots: number): void
  /** The contract names another registry of slots: all of them were read anew. */
  registryChanged?(address: string, block: number): void
  /** The owner of a market has switched it off, or on again: while it is off the contract releases no epoch. */
  marketSwitched?(dataMarket: string, isOn: boolean): void
  /** A record of a topic that the clock reads is none of that topic; the clock goes on without it. */
  unreadable?(unreadable: Unreadable): void
  /** See PlaceObserver. */
  recordsGone?(gone: RecordsGone): void
  /** A step failed and is tried again. */
  failed?(error: unknown, retryInMs: number): void
  recovered?(): void
}
