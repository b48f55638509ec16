import type { LogPosition, Submission, Verdict, VerdictReason } from '../schemas/types.ts'

/** Why a submission was refused. The Avro enum, the metric label and the table below are this one set. */
export const REJECT_REASONS = [
  'MALFORMED',
  'OVERSIZE',
  'UNKNOWN_MARKET',
  'FOREIGN_PROJECT',
  'BAD_SIGNATURE',
  'UNKNOWN_SLOT',
  'SLOT_MISMATCH',
  'SLOT_INACTIVE',
  'FLAGGED',
  'EPOCH_NOT_OPEN',
  'EPOCH_CLOSED',
  'EPOCH_TOO_FAR',
  'DEADLINE_PASSED',
  'UNKNOWN_HEADER',
  'STALE_HEADER',
  'ORPHANED_HEADER',
  'DUPLICATE',
  'RATE_LIMITED',
  'SUPERSEDED',
  'WRONG_DATA_SOURCE',
  'NO_QUORUM',
  'UNANCHORABLE',
  'OUTVOTED',
] as const satisfies readonly VerdictReason[]

export type RejectReason = (typeof REJECT_REASONS)[number]
export const ACCEPT_REASONS = ['COUNTED', 'SIMULATION'] as const satisfies readonly VerdictReason[]
export type AcceptReason = (typeof ACCEPT_REASONS)[number]

/** Reasons that consensus gives to an admitted submission. Each says how it counts in the day: stage and audit have a table. */
export const CONSENSUS_REASONS = [
  'DEADLINE_PASSED',
  'UNKNOWN_HEADER',
  'STALE_HEADER',
  'ORPHANED_HEADER',
  'SUPERSEDED',
  'NO_QUORUM',
  'UNANCHORABLE',
  'OUTVOTED',
  'COUNTED',
] as const satisfies readonly VerdictReason[]

export type ConsensusReason = (typeof CONSENSUS_REASONS)[number]
/** Reasons for which a submission has no ballot. */
export type DropReason = Exclude<ConsensusReason, 'OUTVOTED' | 'COUNTED'>

const OF_CONSENSUS: ReadonlySet<VerdictReason> = new Set(CONSENSUS_REASONS)

export const isConsensusReason = (reason: VerdictReason): reason is ConsensusReason => OF_CONSENSUS.has(reason)

/** The meaning of each reason, and what the snapshotter should do. */
export const REASON_HELP = {
  MALFORMED:
    'The message is not a snapshot submission, or one of its texts is empty, has another form, or holds characters that are not printable. Send a 36-character UUID and one JSON object as the collector does.',
  OVERSIZE:
    'The message is larger than the intake takes (it is passed over, and its stream goes on), or one of its texts is longer than the market takes. A submission has about 600 bytes.',
  UNKNOWN_MARKET: 'This sequencer does not serve that data market, not yet or no longer. Check DATA_MARKET_CONTRACT.',
  FOREIGN_PROJECT:
    'The project does not belong to that data market, by the rule projectIds of this sequencer. Check DATA_MARKET_CONTRACT and the namespace of the project.',
  BAD_SIGNATURE:
    'The EIP-712 signature is not 65 bytes with v 27 or 28 and a low s, or recovers no address. Check the signer.',
  UNKNOWN_SLOT: 'The slot did not exist at that block. Check SLOT_ID.',
  SLOT_MISMATCH:
    'The signer was not the snapshotter assigned to the slot when the epoch was released. Assign the signer to the slot, or use its key.',
  SLOT_INACTIVE: 'The slot was inactive or burned at that block, or suspended since its owner changed too often.',
  FLAGGED: 'The signer is flagged by the operator. Ask the operator.',
  EPOCH_NOT_OPEN: 'The epoch was passed over, since a later one was released; or there was no room to wait for it.',
  EPOCH_CLOSED: 'The submission window of the epoch was over. Send sooner; check the node is not behind.',
  EPOCH_TOO_FAR:
    'The epoch lies too far ahead of the epochs that can have been released. Check which chain the node follows.',
  DEADLINE_PASSED: 'The signed deadline block was over. Check the node is not behind; raise the deadline buffer.',
  UNKNOWN_HEADER: 'The header is no block of the anchor chain, or none that was known before the window closed.',
  STALE_HEADER: 'The header is a block before the release of the epoch. Sign with the latest block.',
  ORPHANED_HEADER: 'The header is a block that left the chain in a reorganisation.',
  DUPLICATE: 'The same signed submission was received before. Nothing is lost; the first one stands.',
  RATE_LIMITED:
    'The owner of the slot signed more submissions in this epoch than it may; an owner who signs far more has none that count.',
  SUPERSEDED: 'The slot sent a later submission with a higher deadline for this project. The later one stands.',
  WRONG_DATA_SOURCE:
    'The project is not of the data source whose turn it is for the slot in this epoch and day. Check the list of sources and the slot’s number.',
  NO_QUORUM: 'Too few slots agreed on any CID for this project.',
  UNANCHORABLE:
    'The id or the winning CID of the project is so long that it fits no transaction. Use shorter ones; nothing else of the epoch is affected.',
  OUTVOTED: 'More slots reported another CID for this project (or as many, and the tie went to the other).',
} as const satisfies Record<RejectReason, string>

/** The same for what was accepted. */
export const ACCEPT_HELP = {
  COUNTED: 'The submission counts for the winner of its project.',
  SIMULATION: 'A test submission (epoch 0): it was checked in full and counts for nothing.',
} as const satisfies Record<AcceptReason, string>

/** The rule that decided, with both sides of the comparison. */
export interface Evidence {
  readonly rule: string
  readonly expected: string
  readonly actual: string
}

/** @param first the copy that stands */
export const duplicateOf = ({ submissionId, position }: Pick<Submission, 'submissionId' | 'position'>): Evidence => ({
  rule: 'a signed submission counts once',
  expected: 'a new digest',
  actual: `the same as ${submissionId} (submissions ${position!.partition}/${position!.offset})`,
})

const ACCEPTED: ReadonlySet<VerdictReason> = new Set(ACCEPT_REASONS)

export const isAccepted = (reason: VerdictReason): reason is AcceptReason => ACCEPTED.has(reason)

/** The verdict on a submission; `position` is where it lies in the topic submissions. */
export function verdictOn(
  submission: Submission,
  position: LogPosition,
  reason: VerdictReason,
  stage: string,
  blockNumber: number,
  evidence: Evidence,
): Verdict {
  const { submissionId, slotId, projectId, snapshotCid } = submission
  return { position, submissionId, slotId, projectId, snapshotCid, reason, stage, ...evidence, blockNumber }
}
