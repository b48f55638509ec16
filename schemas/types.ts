// Generated from schemas/*.avsc by schemas/generate.ts. Do not edit.

/** State of a batch (batchIndex -1: of the ending call) on its way to the chain; the last row of a key is its final state. */
export interface Anchor {
  /** FINAL, LATE and FAILED stay, unless the chain goes back behind them. LATE: the contract's window was over, so it kept nothing. REORGED: it was FINAL or LATE, and its block has left the chain; the row behind says what is done about it. */
  readonly state: AnchorState
  readonly batchOffset: number
  readonly cid: string
  readonly roothash: string
  readonly finalizedCidsRootHash: string
  readonly nonce: number
  readonly attempts: number
  readonly transactionHash: string
  readonly blockNumber: number
  readonly blockHash: string
  /** Why it is not further; the last failure. */
  readonly error: string
  readonly attestations: readonly Attestation[]
  /** The contract finalized the batch. */
  readonly attested: boolean
  /** The validators agreed on another root (TriggerBatchResubmission). */
  readonly diverged: boolean
  /** How often the chain went back behind it after it was FINAL or LATE. */
  readonly reorgs: number
}

export type AnchorState =
  | 'UNKNOWN'
  | 'PLANNED'
  | 'STORED'
  | 'READY'
  | 'SENT'
  | 'MINED'
  | 'FINAL'
  | 'LATE'
  | 'FAILED'
  | 'REORGED'

/** The next effect that the anchor connector is to carry out for a batch or a payout. Only committed intents are acted on; each can be repeated. */
export interface AnchorIntent {
  /** STORE: put the bytes on IPFS. PREPARE: dry-run the call, estimate gas and fees. SIGN: sign with the nonce given. SEND: broadcast the last raw transaction and follow all of them to the depth. WATCH: follow attestations, and see that its block stays on the chain. KEEP: see that its block stays. DONE: nothing. */
  readonly step: AnchorStep
  /** Counts the intents of the key from 1; a result answers the attempt it names. */
  readonly attempt: number
  /** SUBMIT: submitSubmissionBatch. END: endBatchSubmissions. REWARD: updateRewards. FILL: nothing, sent to oneself to use up a nonce. */
  readonly call: AnchorCall
  /** Wait before the effect. */
  readonly delayMs: number
  /** Offset of the Batch in batches, or of the Payout in payouts (partition 0); -1 for the ending call. */
  readonly batchOffset: number
  readonly cid: string
  /** What validators should attest. */
  readonly finalizedCidsRootHash: string
  /** Lower case; empty until a nonce is assigned. */
  readonly signer: string
  readonly nonce: number
  /** PREPARE: the limit that was not enough the last time, else 0. */
  readonly gasLimit: number
  /** Wei, decimal. */
  readonly maxFeePerGas: string
  /** Wei, decimal. */
  readonly maxPriorityFeePerGas: string
  /** Every signed form for this nonce, oldest first; the last is broadcast. An older one that is long has only its hash here. WATCH, KEEP: the hash of the one that was mined. */
  readonly rawTransactions: readonly string[]
  /** WATCH, KEEP: block in which it was mined; attestations lie in it or later. */
  readonly blockNumber: number
  /** WATCH, KEEP: hash of that block; empty when it is not known. */
  readonly blockHash: string
  readonly payout: null | PayoutOrder
}

export type AnchorStep =
  | 'STORE'
  | 'PREPARE'
  | 'SIGN'
  | 'SEND'
  | 'WATCH'
  | 'DONE'
  | 'KEEP'

export type AnchorCall =
  | 'SUBMIT'
  | 'END'
  | 'FILL'
  | 'REWARD'

/** What an intent for a payout needs beside it. */
export interface PayoutOrder {
  /** Offset in payouts of the first payout of its run. */
  readonly firstOffset: number
  /** PREPARE: to which the run is held; 0 while no call of it that pays is mined. SIGN, SEND: of the answer. */
  readonly quota: number
  /** PREPARE: block of the newest call for the market; the node must have it. -1 for none. */
  readonly afterBlock: number
  readonly afterHash: string
  /** SIGN, SEND: which slots of the payout are in the call, see PayoutAnswer. */
  readonly slots: Uint8Array
  /** SIGN, SEND: of the call. */
  readonly eligibleNodes: number
  /** SIGN, SEND: the contract's quota as of the dry run; with another one the contract is asked anew. 0: not said, by an older release. */
  readonly contractQuota: number
  /** SIGN, SEND: see PayoutAnswer; once that number is gone the contract is asked anew. */
  readonly numberFound: boolean
}

export interface AnchorKey {
  /** Data market contract, 0x and 40 lower-case hex digits. batchIndex -2: the signer. */
  readonly dataMarket: string
  /** Epoch of the market; of a payout the one of its CLOSE. batchIndex -2: the nonce. */
  readonly epochId: number
  /** Batch of the epoch, from 0; -1 is the call that ends the epoch's batches; -2 a nonce of the signer that no batch, no ending and no payout has; below that payouts, number 0 is -3. */
  readonly batchIndex: number
}

/** All that the anchor FSM knows of one batch, of the call that ends an epoch (batchIndex -1), of a nonce that nobody has (batchIndex -2), or of a payout (below that). */
export interface AnchorProgress {
  readonly key: AnchorKey
  /** WAITING: an ending call until the batches are settled, a payout until the one before it is mined. QUEUED: ready, but too many nonces are in flight. FINAL, LATE and FAILED stay, unless the chain goes back behind them. A nonce without a batch is FINAL when it is used up. A payout is LATE when a newer run has its counts, FAILED when it can never be sent. */
  readonly phase: AnchorPhase
  /** The intent in force: its step, its call, and its number from 1 (0: none yet). Results that name another are stale. */
  readonly step: AnchorStep
  readonly call: AnchorCall
  readonly attempt: number
  readonly delayMs: number
  /** Failures so far that count against retriesMax. */
  readonly retries: number
  readonly batchOffset: number
  /** The ending call: how many batches the epoch has. */
  readonly batches: number
  readonly cid: string
  readonly roothash: string
  readonly finalizedCidsRootHash: string
  readonly signer: string
  /** The signer's next nonce on the chain, as of the dry run. */
  readonly chainNonce: number
  /** The nonce assigned, -1 while none is. */
  readonly nonce: number
  readonly quote: AnchorQuote
  readonly rawTransactions: readonly string[]
  readonly transactionHash: string
  readonly blockNumber: number
  readonly blockHash: string
  readonly error: string
  readonly attestations: readonly Attestation[]
  readonly attested: boolean
  readonly diverged: boolean
  /** How often the chain went back behind it. */
  readonly reorgs: number
  readonly payout: null | PayoutProgress
}

export type AnchorPhase =
  | 'WAITING'
  | 'STORING'
  | 'PREPARING'
  | 'QUEUED'
  | 'SIGNING'
  | 'SENDING'
  | 'MINED'
  | 'FINAL'
  | 'LATE'
  | 'FAILED'

/** Gas and fees of one transaction; wei as decimals. */
export interface AnchorQuote {
  readonly gasLimit: number
  readonly maxFeePerGas: string
  readonly maxPriorityFeePerGas: string
}

export interface PayoutProgress {
  readonly day: number
  readonly purpose: PayoutPurpose
  readonly part: number
  readonly parts: number
  /** How many it has. */
  readonly slots: number
  /** Offset in payouts of the first payout of its run. */
  readonly firstOffset: number
  /** To which the dry run is held, see PayoutOrder. */
  readonly quota: number
  /** Likewise. */
  readonly afterBlock: number
  readonly afterHash: string
  /** Of the dry run, while it holds; in the end what became of the call. */
  readonly answer: null | PayoutAnswer
}

/** What came of an intent. Written only when it is definite; outages are waited out. */
export interface AnchorResult {
  readonly step: AnchorStep
  readonly attempt: number
  /** MINED: in a block. FINAL, LATE, FILLED, REVERTED, NONCE_TAKEN: at the depth. STUCK: not mined for long. REORGED: no longer in a block; of one that was final, `error` says why its call cannot be made now. REJECTED: no node will ever take the transaction. DIVERGED: the validators agree on another root. SETTLED: so deep that no reorganisation is expected to reach it. UNFILLED: nobody has a transaction for this nonce, and later ones of ours wait behind it. */
  readonly outcome: AnchorOutcome
  readonly cid: string
  /** READY: who will sign, lower case. */
  readonly signer: string
  /** READY, NONCE_TAKEN: the chain's next nonce for the signer. */
  readonly nonce: number
  readonly gasLimit: number
  /** READY, STUCK, UNFILLED: what the chain asks now. Wei, decimal. */
  readonly maxFeePerGas: string
  /** Likewise. */
  readonly maxPriorityFeePerGas: string
  readonly rawTransaction: string
  readonly transactionHash: string
  readonly blockNumber: number
  readonly blockHash: string
  /** Exx of the contract, or the failure in words. */
  readonly error: string
  readonly attestation: null | Attestation
  readonly payout: null | PayoutAnswer
}

export type AnchorOutcome =
  | 'UNKNOWN'
  | 'STORED'
  | 'READY'
  | 'ALREADY_ANCHORED'
  | 'SIGNED'
  | 'MINED'
  | 'FINAL'
  | 'LATE'
  | 'FILLED'
  | 'REVERTED'
  | 'STUCK'
  | 'REORGED'
  | 'NONCE_TAKEN'
  | 'REJECTED'
  | 'ATTESTED'
  | 'DIVERGED'
  | 'FAILED'
  | 'SETTLED'
  | 'UNFILLED'

export interface Attestation {
  /** Lower case. */
  readonly validator: string
  /** The validator attested the root that the sequencer sent; null when its call could not be read. */
  readonly matches: null | boolean
  readonly blockNumber: number
  /** With this one the contract finalized the batch. */
  readonly finalized: boolean
}

/** What the contract, as of one block, makes of a payout. READY: by it the call is made. ALREADY_ANCHORED: why none is needed. FINAL: slots of the call for which the contract has something else. */
export interface PayoutAnswer {
  /** Which slots of the payout are in the call: a bit each, in their order, lowest bit first. */
  readonly slots: Uint8Array
  /** Of the call; 0 when it carries none: nobody is to be paid, and there is no number yet, or nothing remains of it. FINAL: of the contract, where the call carries one. */
  readonly eligibleNodes: number
  /** To which the run is held, or would be from here on: with it a slot is one to be paid. 0 where the call carries a number, and no call of the run has paid or is to pay. */
  readonly quota: number
  /** Slots for which the contract has the same already. */
  readonly present: number
  readonly leftOut: readonly SlotLeftOut[]
  /** Slots of the payout that the contract had paid by then, by its events. FINAL: of these only the slots that the call was not to pay, and has. */
  readonly paidBefore: readonly number[]
  /** The contract's quota, as of the same block; 0: not said, by an older release. */
  readonly contractQuota: number
  /** The call carries a number that no call of the run has fixed: mostly of another sequencer. FINAL: one was fixed ahead of it, and is another than it carries. */
  readonly numberFound: boolean
  /** Slots of the payout that the contract had paid by then. FINAL: of these only the slots of the call. -1: nobody has looked, or by an older release. */
  readonly paid: number
}

/** A batch as it is stored and anchored. A large one takes several records, of which this is the part 0; the others have more of its texts and are empty but for epochId, batchIndex, batchCount, part and parts. They follow in one transaction; records of other epochs may lie between. */
export interface Batch {
  readonly epochId: number
  /** From 0. */
  readonly batchIndex: number
  /** Batches of this epoch. */
  readonly batchCount: number
  /** Empty, the bytes to store are made of the texts. Before there were texts: the exact bytes; of a large batch the piece that this part has. */
  readonly json: Uint8Array
  /** keccak256 of the submission-id tree's root, 0x hex. */
  readonly roothash: string
  /** keccak256 of the root over snapshotCids, 0x hex. */
  readonly finalizedCidsRootHash: string
  readonly projectIds: readonly string[]
  readonly snapshotCids: readonly string[]
  readonly submissions: number
  /** Leaves already in the epoch's submission-id tree; 0 with a fresh tree. */
  readonly leavesBefore: number
  readonly gasEstimate: number
  /** From 0. */
  readonly part: number
  /** Records that the batch takes. */
  readonly parts: number
  /** Part 0: bytes of the whole batch; 0 before there were parts. */
  readonly sizeBytes: number
  /** What the exact bytes are made of, with the roots and the lists; of a large batch those that this part has. */
  readonly texts: readonly BatchTexts[]
}

/** Some submissions, in the order of the batch. */
export interface BatchTexts {
  /** As they stand in the batch: JSON strings with commas between. */
  readonly submissionIds: string
  readonly slotIds: readonly number[]
  /** Which of the frames each text has. */
  readonly frameNumbers: readonly number[]
  readonly frames: readonly TextFrame[]
  /** 65 bytes for each text; zeros where the frame is the whole text. */
  readonly signatures: Uint8Array
}

/** A day of a market, over the epochs that have closed. */
export interface Day {
  /** All its epochs have closed. What comes all the same is late. */
  readonly ended: boolean
  /** The ledger has every epoch of the day, as far as it has come; frozen with the end of the day. Only a day that is whole is paid. */
  readonly whole: boolean
  /** dailySnapshotQuota as of the release of the newest epoch counted. */
  readonly quota: number
  /** Which epochs were counted, ascending, EPOCH_RANGES_MAX of them. Skipped ones are in them. */
  readonly epochs: readonly EpochRange[]
  /** There were more ranges; the lowest became one. */
  readonly merged: boolean
  /** Epochs that were counted. */
  readonly closed: number
  /** Of these the ones that closed when the day had ended: no payout has them. */
  readonly late: number
  /** Slots with an accepted vote. */
  readonly slots: number
  /** Sum over the slots. */
  readonly accepted: number
  /** Sum over the slots: the COUNTED verdicts of the day. */
  readonly counted: number
  /** Slots with as many counted as the quota. */
  readonly eligibleSlots: number
  /** The epoch that was counted last. */
  readonly lastEpoch: number
  /** Block of its CLOSE. */
  readonly closeBlock: number
  /** Lowest release block of the epochs counted. -1: not known, by an older ledger or clock. */
  readonly firstBlock: number
  /** Payouts written so far. */
  readonly payouts: number
  /** How many epochs were counted when the newest run of payouts was written. */
  readonly paidUpTo: number
}

export interface EpochRange {
  readonly first: number
  readonly last: number
}

export interface DayKey {
  /** Lower case. */
  readonly dataMarket: string
  /** Of the contract, from 1. */
  readonly day: number
}

export interface EpochKey {
  /** Data market contract, 0x and 40 lower-case hex digits. */
  readonly dataMarket: string
  /** Epoch of the market. */
  readonly epochId: number
}

/** A tick in the band of the submissions: its place in each partition decides what came before it. */
export interface EpochMarker {
  readonly tick: EpochTick
  /** Task that sent it. */
  readonly from: number
  /** How many tasks send it. */
  readonly of: number
  /** Data records of the marker's epoch that the sender put into this partition. */
  readonly count: number
  /** XOR of the CRC-32 of their value bytes. */
  readonly checksum: number
  /** CLOSE, from validate on: seconds of the blocks in acceptedHeaders. */
  readonly blockTimes: readonly number[]
}

/** Follows the last batch of an epoch; also written for an epoch without a batch. */
export interface EpochSummary {
  /** Epoch. */
  readonly summaryOf: number
  readonly releaseBlock: number
  readonly closeBlock: number
  readonly closeBlockHash: string
  readonly batches: number
  /** Projects with a winner. */
  readonly projects: number
  readonly projectsWithoutQuorum: number
  /** Submissions counted. */
  readonly submissions: number
}

/** Whose votes for a project count in the day, of one part of a finalization. An epoch's are all those before its CLOSE. */
export interface EpochTally {
  readonly talliedEpoch: number
  /** Slots whose vote is COUNTED, ascending. */
  readonly counted: readonly number[]
  /** Slots whose vote was taken and does not count: OUTVOTED, NO_QUORUM, UNANCHORABLE. */
  readonly uncounted: readonly number[]
}

/** What the clock says of the anchor chain. Ticks of one block come in the order HEAD, OPEN, CLOSE. */
export interface EpochTick {
  /** HEAD: a block is canonical. OPEN: an epoch was released in this block. CLOSE: this is the first block past an epoch's window. ORPHAN: this block and all after it left the chain. */
  readonly kind: TickKind
  /** Lower case; empty for HEAD and ORPHAN. */
  readonly dataMarket: string
  /** 0 for HEAD and ORPHAN. */
  readonly epochId: number
  readonly blockNumber: number
  /** 0x and 64 lower-case hex digits. */
  readonly blockHash: string
  readonly parentHash: string
  /** Seconds, from the block. */
  readonly blockTimestamp: number
  /** Offset in slots (partition 0) below which every slot change up to this block lies. */
  readonly slotsOffset: number
  /** HEAD, OPEN, CLOSE: the block as the contract counts it (block.number there), in which windows in blocks are measured: its own number on most chains, the parent chain's on Arbitrum Nitro. -1 in an ORPHAN and where an older clock did not say it. */
  readonly contractBlock: number
  /** OPEN, CLOSE: block of EpochReleased. */
  readonly releaseBlock: number
  /** OPEN: first source-chain block of the epoch. */
  readonly begin: number
  /** OPEN: last source-chain block of the epoch. */
  readonly end: number
  /** OPEN, and CLOSE since ticks carry days: first of the epochs up to this one that the market's owner skipped: the contract released none of them. 0 when none was skipped. */
  readonly skippedFrom: number
  /** OPEN, CLOSE: snapshotSubmissionWindow read at the release block, in the market's unit. */
  readonly submissionWindow: number
  /** CLOSE: hashes of the canonical blocks from the release block to this one; of a longer window the newest headsKept. */
  readonly acceptedHeaders: readonly string[]
  /** ORPHAN ticks up to and with this one, since the clock counts them; it says which entries of slots count. */
  readonly forks: number
  /** HEAD: data markets that are served, or no longer, from this block on. Stays true when the block leaves the chain. */
  readonly markets: readonly MarketChange[]
  /** OPEN, CLOSE: the market's dayCounter as of the release block; the epoch belongs to this day whenever it closes. 0: not said, by an older clock, or since the contract counts no days. */
  readonly day: number
  /** OPEN, CLOSE: dailySnapshotQuota as of the release block; 0 when the day is. */
  readonly dailyQuota: number
  /** CLOSE: every epoch of the market that was released in this day or an earlier one has closed, with this one. 0 when that can be said of no day. */
  readonly daysEnded: number
  /** HEAD: releases of served markets, in this block or found with it, that opened no epoch; at most 64 of a block. Gone when the block leaves the chain. */
  readonly refused: readonly RefusedEpoch[]
  /** OPEN, CLOSE: first of the epochs up to this one that opened none, since each of them was refused, or skipped by the market's owner. 0 when none of them was refused, or that was told longer ago than the clock keeps blocks. */
  readonly refusedFrom: number
}

export type TickKind =
  | 'HEAD'
  | 'OPEN'
  | 'CLOSE'
  | 'ORPHAN'

/** Where an epoch stands: released, closed, or (its release block was orphaned) awaited again. */
export interface EpochWindow {
  readonly dataMarket: string
  readonly epochId: number
  readonly state: EpochState
  readonly releaseBlock: number
  /** 0 until closed. */
  readonly closeBlock: number
  /** Of the contract, as of the release; 0 when no tick says it. */
  readonly day: number
}

export type EpochState =
  | 'AWAITED'
  | 'OPEN'
  | 'CLOSED'

export interface IntakeKey {
  /** The process with the role intake. */
  readonly instanceId: string
}

/** Who sends most to an intake, and whom it bans by itself. Written every few seconds; the newest counts. */
export interface IntakeReport {
  /** Ms since 1970. */
  readonly at: number
  /** Open now. */
  readonly connections: number
  /** Records that validate is behind, as the intake heard last. */
  readonly behind: null | number
  /** At most 20: most refused messages first, then most messages. */
  readonly talkers: readonly PeerTraffic[]
  /** Bans of its own that hold, the newest 100. */
  readonly bans: readonly IntakeBan[]
}

export interface PeerTraffic {
  readonly peerId: string
  /** The address, or the /64 of an IPv6 one. */
  readonly host: string
  /** Of late: what is five minutes old counts half. */
  readonly messages: number
  readonly refused: number
  readonly badSignatures: number
  /** Signed by an owner of its slot, for an epoch that is open or early, and no copy. */
  readonly votes: number
  /** Ms since 1970 until which its id or its address may not connect; 0: for good; null: not banned. */
  readonly bannedUntil: null | number
}

export interface IntakeBan {
  readonly subject: string
  /** Ms since 1970. */
  readonly until: number
  readonly reason: string
}

/** Where a submission lies in the topic submissions: its identity for verdicts and receipts. */
export interface LogPosition {
  readonly partition: number
  readonly offset: number
}

/** From this block on a data market is served, or no longer, because the operator asked for it at run time. */
export interface MarketChange {
  /** Data market contract, 0x and 40 lower-case hex digits. */
  readonly dataMarket: string
  readonly served: boolean
}

/** The epochs of one market in two numbers, and whether it is served. */
export interface MarketEpochs {
  /** Highest epoch released so far; 0 when none. */
  readonly newest: number
  /** Highest closed epoch whose row is gone; that epoch and all before it count as closed. */
  readonly forgotten: number
  /** Whether the market is served, as far as the ticks have told. */
  readonly serving: Serving
}

export interface MarketKey {
  /** Data market contract, 0x and 40 lower-case hex digits; empty for ticks of the whole chain. */
  readonly dataMarket: string
}

/** The operator asks for a data market to be served, or no longer. The newest of a market counts. */
export interface MarketRequest {
  /** UUID, repeated in the answer. */
  readonly requestId: string
  /** What is asked for. */
  readonly served: boolean
}

/** Who has a nonce and is not mined yet, and the ends of the queue behind them: first and next free number. */
export interface NonceWindow {
  readonly inFlight: readonly string[]
  readonly first: number
  readonly next: number
  /** Payouts that wait for a nonce, the first first; one of a market. */
  readonly payouts: readonly AnchorKey[]
  /** Nonces that others got while a payout waited. */
  readonly passed: number
}

/** A submission that waits for its epoch to open. */
export interface ParkedSubmission {
  /** With position and digest. */
  readonly submission: Submission
  /** Recovered address, lower case. */
  readonly signer: string
  /** Ms since 1970: when it came, by the log's time (topology/validate/early.ts). */
  readonly arrivedAt: number
  /** The slot was not the signer's as of the newest block when it came. */
  readonly stranger: boolean
}

/** State of a payout on its way to the chain; the last row of a key is its final state. */
export interface Payment {
  /** FINAL: the contract has it; without a transaction when it had it already. SUPERSEDED: a newer run of the day has the counts. UNPAID: it can never be sent, for the reason in error. REORGED: it was FINAL, and its block left the chain; the row behind says what is done about it. */
  readonly paymentState: PaymentState
  readonly purpose: PayoutPurpose
  /** Offset of the Payout in payouts (partition 0). */
  readonly payoutOffset: number
  readonly part: number
  readonly parts: number
  /** Slots of the payout. */
  readonly slots: number
  /** Of these the ones in the call. */
  readonly sent: number
  /** Of these the ones for which the contract had the same already. */
  readonly present: number
  /** Each is drift. Not more than slots. */
  readonly leftOut: readonly SlotLeftOut[]
  /** Slots of the payout that the contract had paid before the call: another sequencer of the market has, or a call of ours that was not seen to its end. */
  readonly paidBefore: readonly number[]
  /** FINAL: slots of the payout that the contract has paid, by this call and before. -1: nobody has looked, the state of that block was gone, or by an older release. */
  readonly paid: number
  /** The number that the call carries, or by the look at the final call the one that it was paid by; 0 when it carries none: nobody is to be paid, and there is no number yet, or nothing remains of it. */
  readonly eligibleNodes: number
  /** The contract's, to which the run is held; 0 until a dry run of it paid somebody. */
  readonly quota: number
  /** eligibleNodes was on the contract already, and no call of the run has fixed it: mostly another sequencer has. */
  readonly numberFound: boolean
  readonly nonce: number
  readonly attempts: number
  readonly transactionHash: string
  readonly blockNumber: number
  readonly blockHash: string
  /** Why it is not further; the last failure. */
  readonly error: string
  /** How often the chain went back behind it after it was FINAL. */
  readonly reorgs: number
}

export type PaymentState =
  | 'UNKNOWN'
  | 'PLANNED'
  | 'READY'
  | 'SENT'
  | 'MINED'
  | 'FINAL'
  | 'REORGED'
  | 'SUPERSEDED'
  | 'UNPAID'

/** A slot of the payout for which the contract has something else: another count, or no payment. */
export interface SlotLeftOut {
  readonly slotId: number
  /** Ours. */
  readonly counted: number
  /** The contract's. */
  readonly onChain: number
  /** UNAVAILABLE: the slot is burned, before the call or by the time it was mined. HIGHER_ON_CHAIN: the contract has more, and a count is not lowered. PAID_OTHERWISE: paid with another count. MARKED_UNPAID: the contract has marked it for the day and credited it nothing, by a call without a number of eligible nodes; nobody can pay it any more. NONE_REMAINING: as many were paid as eligibleNodes allows. QUOTA_LOWERED: since the number was fixed; of counts: a call without a number is not to tell a slot at the quota. QUOTA_RAISED: behind the last release of the day, or since the number was fixed. DAY_CLOSED: counts of a day that somebody is closing. DAY_OVER: the contract takes nothing of the day any more. */
  readonly reason: LeftOutReason
}

export type LeftOutReason =
  | 'UNKNOWN'
  | 'UNAVAILABLE'
  | 'HIGHER_ON_CHAIN'
  | 'PAID_OTHERWISE'
  | 'MARKED_UNPAID'
  | 'NONE_REMAINING'
  | 'QUOTA_LOWERED'
  | 'QUOTA_RAISED'
  | 'DAY_CLOSED'
  | 'DAY_OVER'

export interface PaymentKey {
  /** Lower case. */
  readonly dataMarket: string
  readonly day: number
  /** See Payout. */
  readonly epochId: number
  /** See Payout. */
  readonly number: number
}

/** Counts of some slots that are to be sent in one call of updateRewards. Payouts of one CLOSE and one purpose are a run. */
export interface Payout {
  /** Day. */
  readonly payoutOf: number
  /** The counts are those as of the CLOSE of this epoch. */
  readonly epochId: number
  /** Among the payouts of this CLOSE, from 0: market, epoch and number name it. */
  readonly number: number
  /** COUNTS: slots below the quota whose count has changed, in the course of the day. CLOSING: all slots of a day that has ended; the list is frozen. */
  readonly purpose: PayoutPurpose
  /** Of the run, from 0. The slots of all parts in this order are ascending. */
  readonly part: number
  readonly parts: number
  /** Ascending, as many as payoutGasMax lets into one call. */
  readonly slotIds: readonly number[]
  /** Their counts, in the same order; all above 0. */
  readonly submissions: readonly number[]
  /** Block of the CLOSE. */
  readonly closeBlock: number
  /** The day's, as of this CLOSE: a slot with as many has earned the day, whatever the contract's quota is by then. 0: by an older ledger. */
  readonly quota: number
  /** The day's, as of this CLOSE: events that tell who was paid for the day are looked for from there on. -1: not known, as in Day. */
  readonly firstBlock: number
}

export type PayoutPurpose =
  | 'UNKNOWN'
  | 'COUNTS'
  | 'CLOSING'

/** The operator bans somebody from every intake, or ends that. The newest of a subject counts. */
export interface PeerBan {
  /** False also ends bans that an intake gave by itself. */
  readonly banned: boolean
  /** Ms since 1970 at which the ban ends; 0 = never. Of no meaning without a ban. */
  readonly until: number
  /** In the words of the operator. */
  readonly reason: string
  /** When it was asked for, ms since 1970. */
  readonly at: number
}

export interface PeerBanKey {
  /** A peer id, an IP address, or a range of addresses in CIDR notation. */
  readonly subject: string
}

export interface ProcessKey {
  /** The name of the process, the same after a restart. */
  readonly instanceId: string
}

/** How a process is, by its own word: it is shown, and decides nothing. Written every few seconds; the newest counts, and a tombstone says that it has ended. */
export interface ProcessReport {
  /** Ms since 1970, by the clock of the process. */
  readonly at: number
  /** Ms since 1970, by the same clock. */
  readonly startedAt: number
  readonly version: string
  /** Name of the machine, as it calls itself. */
  readonly host: string
  readonly pid: number
  /** URL of metrics, and of the query API with the role api. */
  readonly ops: string
  /** URL of the probes. */
  readonly probes: string
  /** Multiaddrs of the role intake; none without it. */
  readonly intake: readonly string[]
  readonly roles: readonly ProcessRole[]
  /** Submissions that its intake acknowledged in the last minute; null without the role. */
  readonly acknowledged: null | number
  /** Of the process that works the role anchor-effects; null of every other. */
  readonly signer: null | ProcessSigner
}

export interface ProcessRole {
  /** Or a part of one that has a health of its own: storage, schemas. */
  readonly role: string
  readonly ready: boolean
  /** It does the work, or waits for something outside to do it; it does not stand by, and has not failed. */
  readonly works: boolean
  /** In words: what it waits for, or what went wrong last. */
  readonly detail: string
  /** Ms since 1970 since when it is ready, or is not. */
  readonly since: number
}

export interface ProcessSigner {
  /** Lower case. */
  readonly address: string
  /** Decimal; null before the first transaction. */
  readonly balanceWei: null | string
  /** When a node said so, ms since 1970. */
  readonly balanceAt: null | number
  /** The highest that it has signed. */
  readonly nonce: null | number
}

/** What became of one project at the close of an epoch, or a part of it: what is one value is the same in each part, and each list has a run of the project's entries. */
export interface ProjectFinalization {
  readonly projectId: string
  /** The winner; empty when there was no quorum. */
  readonly snapshotCid: string
  /** Slots that reported the winner. */
  readonly votes: number
  /** Slots that voted. */
  readonly voters: number
  readonly closeBlock: number
  /** One vote per slot, for whatever CID, ascending by slotId; empty when there was no quorum. A batch holds them all, so that anyone can recount it. */
  readonly ballots: readonly Ballot[]
  /** Empty. Before there were frames: the submissions of the ballots as they stand in the batch. */
  readonly texts: Uint8Array
  /** The votes for a project mostly differ in slot and signature alone, so their texts have these in common. */
  readonly frames: readonly TextFrame[]
  /** 65 bytes for each ballot; zeros where the frame is the whole text. */
  readonly signatures: Uint8Array
  readonly dropped: readonly DroppedSubmission[]
  /** Slots that signed more than one CID for this project, ascending. */
  readonly equivocations: readonly number[]
  /** From 0. The lists of all parts in this order, one behind the other, are the project's. */
  readonly part: number
  /** How many there are. */
  readonly parts: number
  /** The CIDs that slots reported, with their votes: the winner first, then those with most votes, CANDIDATES_MAX of them. In part 0; empty before there were parts. */
  readonly candidates: readonly Candidate[]
  /** 32 bytes for each ballot: what its submissionId is in the tree of the batch. Empty before there were leaves. */
  readonly leaves: Uint8Array
}

export interface Ballot {
  readonly position: LogPosition
  readonly submissionId: string
  readonly slotId: number
  readonly snapshotCid: string
  /** Which of the frames its text has. */
  readonly frame: number
}

/** What stands around slot and signature in a submission's text in the batch. */
export interface TextFrame {
  /** Between slot and signature; the whole text where nothing is behind it. */
  readonly middle: string
  /** Behind the signature. */
  readonly end: string
}

export interface DroppedSubmission {
  readonly position: LogPosition
  readonly submissionId: string
  readonly slotId: number
  readonly snapshotCid: string
  readonly reason: VerdictReason
  readonly expected: string
  readonly actual: string
}

export interface Candidate {
  readonly snapshotCid: string
  readonly votes: number
}

/** A release that opened no epoch, since a number of the contract is none that can be, or cannot be read. Its votes come to nothing. */
export interface RefusedEpoch {
  /** Data market contract, 0x and 40 lower-case hex digits. */
  readonly dataMarket: string
  /** 2^52 + 1 when that is the number that cannot be. */
  readonly epochId: number
  /** Block of its release; another one than the HEAD's when the release was found late. */
  readonly block: number
  /** In words: which number, and what it is. */
  readonly why: string
  /** First of the epochs up to this one that the market's owner skipped; 0 when none was. */
  readonly skippedFrom: number
}

/** What became of the operator's newest request for a data market, written by the clock in the transaction of the tick that says so to everybody. */
export interface ServedMarket {
  /** CONFIGURED: as the configuration says. ADDED, REMOVED: changed at run time, whatever the configuration says. */
  readonly serving: Serving
  /** ADDED, REMOVED: first block for which it holds. */
  readonly sinceBlock: number
  /** REMOVED: highest epoch that was open; it and those before it still close, also when a reorganisation releases them again. */
  readonly lastEpoch: number
  /** The newest request answered. */
  readonly requestId: string
  /** Why that request was refused; empty when it was not. */
  readonly refused: string
}

export type Serving =
  | 'CONFIGURED'
  | 'ADDED'
  | 'REMOVED'

export interface SignerNonce {
  /** Lowest nonce of the signer that was never assigned. */
  readonly next: number
}

/** What a slot did in a day, over the epochs that have closed. */
export interface SlotDay {
  /** Votes with an accepted header, one per project and epoch; the protocol's total submissions. */
  readonly accepted: number
  /** Of these the ones for the winning CID, verdict COUNTED; the protocol's eligible submissions. */
  readonly counted: number
  /** The epoch that changed the row last. */
  readonly lastEpoch: number
  /** The count in the newest payout that has the slot; 0 while none has. */
  readonly inPayout: number
}

export interface SlotDayKey {
  /** Lower case. */
  readonly dataMarket: string
  readonly slotId: number
  /** Of the contract, from 1. */
  readonly day: number
}

/** Key of what is decided per slot and epoch. */
export interface SlotEpochKey {
  /** Data market contract, 0x and 40 lower-case hex digits. */
  readonly dataMarket: string
  /** Epoch of the market. */
  readonly epochId: number
  /** The snapshotter's seat; -1 for markers. */
  readonly slotId: number
}

export interface SlotKey {
  /** The snapshotter's seat, from 1. */
  readonly slotId: number
}

/** Owners of a slot over time, so that a look-up as of a block and a fork gives the same answer in any replay. */
export interface SlotOwner {
  readonly slotId: number
  /** In the order in which they were written; those that count at one fork ascend by sinceBlock. Every change within slotHistoryBlocks and the last before, at most slotChangesMax + 2. */
  readonly history: readonly SlotOwnership[]
}

export interface SlotOwnership {
  readonly sinceBlock: number
  /** Snapshotter address, lower case; the zero address when unassigned; empty while the slot is suspended, since its owner changed too often. */
  readonly owner: string
  /** nodeInfo.active and not burned. */
  readonly active: boolean
  /** forks (EpochTick) when the change was written: it counts for whoever has been told so many, or more. */
  readonly sinceFork: number
  /** forks with which its block left the chain: it counts for whoever has been told fewer. 0: still on the chain. */
  readonly untilFork: number
}

/** One distinct submission of a slot in an epoch: admitted, or refused for good. */
export interface SlotQuota {
  readonly slotId: number
  /** Over the quota; remembered so that a copy cannot come back. */
  readonly refused: boolean
  readonly receivedAt: number
  readonly submissionId: string
  readonly projectId: string
  readonly snapshotCid: string
  readonly position: LogPosition
  /** Owner of the slot that signed it, lower case: each has a quota of its own. */
  readonly signer: string
  /** The row of an owner that signed too many: it stands for all of them, and none counts. */
  readonly flooded: boolean
  /** Of the first copy. */
  readonly header: string
  /** A copy came with another header. */
  readonly contested: boolean
  /** As signed; the highest have the seats. */
  readonly deadline: number
}

/** A block of the anchor chain that a HEAD tick named. */
export interface StoredHead {
  readonly number: number
  readonly hash: string
  /** False once an ORPHAN tick took it off the chain. */
  readonly canonical: boolean
  /** Seconds, from the block; 0 where nothing asks for it. */
  readonly timestamp: number
  /** As in the tick that made it the newest; 0 where nothing asks for it. */
  readonly forks: number
}

/** A snapshot submission as the snapshotter sent it, with what the intake and validate add. */
export interface Submission {
  /** UUID that the collector put before the message; not signed. */
  readonly submissionId: string
  readonly slotId: number
  /** Last block of the anchor chain at which the submission may be taken; signed. */
  readonly deadline: number
  readonly snapshotCid: string
  /** 0 is a simulation. */
  readonly epochId: number
  readonly projectId: string
  /** 130 hex digits as sent: r, s, v. */
  readonly signature: string
  /** Block hash as sent; not signed. */
  readonly header: string
  /** As sent, any letter case; not signed. The record's key has the lower-case form. */
  readonly dataMarket: string
  /** As sent; null when the field was absent. */
  readonly nodeVersion: null | string
  /** Wall clock of the intake; orders the submissions of a slot, and tells when one came before its epoch or after its deadline. Nothing about the close. */
  readonly receivedAt: number
  /** Set by validate. */
  readonly position: null | LogPosition
  /** EIP-712 digest, 32 bytes: the submission's identity. Set by validate. */
  readonly digest: Uint8Array
  /** The signer has a quota of its own. Set by validate. */
  readonly fullNode: boolean
  /** Recovered address, lower case. Set by validate; empty where nobody needs it any more. */
  readonly signer: string
  /** Number of the block that the header names, -1 when it was not known yet. Set by validate. */
  readonly headerBlock: number
  /** Copies of it came with another header. Which one its signer sent nobody can tell, so none of them is judged. Set by validate and admit. */
  readonly contested: boolean
}

/** Key of a submission and of the markers around it. */
export interface SubmissionKey {
  /** Data market contract, 0x and 40 lower-case hex digits; empty for markers of the whole chain. */
  readonly dataMarket: string
  /** Epoch of the market; 0 is a simulation submission. */
  readonly epochId: number
  /** Opaque project name; empty for markers. */
  readonly projectId: string
}

/** Asks the clock to send the ticks of these blocks again: the fan-out saw a gap or refused a tick. */
export interface TickRequest {
  readonly fromBlock: number
  readonly toBlock: number
  /** What the fan-out saw: a gap, or which tick it refused and why. */
  readonly reason: string
}

/** The one final outcome of a submission. */
export interface Verdict {
  readonly position: LogPosition
  readonly submissionId: string
  readonly slotId: number
  readonly projectId: string
  readonly snapshotCid: string
  readonly reason: VerdictReason
  /** Stage that decided. */
  readonly stage: string
  /** The rule in words. */
  readonly rule: string
  /** What the rule asked for. */
  readonly expected: string
  /** What the submission had. */
  readonly actual: string
  /** Head (or closing) block as of which it was decided. */
  readonly blockNumber: number
}

export type VerdictReason =
  | 'UNKNOWN'
  | 'MALFORMED'
  | 'OVERSIZE'
  | 'UNKNOWN_MARKET'
  | 'BAD_SIGNATURE'
  | 'UNKNOWN_SLOT'
  | 'SLOT_MISMATCH'
  | 'SLOT_INACTIVE'
  | 'FLAGGED'
  | 'EPOCH_NOT_OPEN'
  | 'EPOCH_CLOSED'
  | 'EPOCH_TOO_FAR'
  | 'DEADLINE_PASSED'
  | 'UNKNOWN_HEADER'
  | 'STALE_HEADER'
  | 'ORPHANED_HEADER'
  | 'DUPLICATE'
  | 'RATE_LIMITED'
  | 'SUPERSEDED'
  | 'WRONG_DATA_SOURCE'
  | 'NO_QUORUM'
  | 'OUTVOTED'
  | 'COUNTED'
  | 'SIMULATION'
  | 'FOREIGN_PROJECT'
  | 'UNANCHORABLE'

/** Takes back an admitted submission: an earlier one of the slot came later in the log and filled the quota. */
export interface Withdrawal {
  readonly slotId: number
  readonly withdrawnDigest: Uint8Array
  /** Of what is taken back, lower case. */
  readonly signer: string
}
