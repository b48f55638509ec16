/** The rows of the view, and their keys (keys.ts says how parts become one). */
import type { AnchorKey, DayKey, EpochKey, LogPosition, ServedMarket } from '../../../schemas/types.ts'
import type { Project } from '../schema.ts'
import { keyOf, number } from './keys.ts'
import type { Origin } from './origin.ts'

/** Raised with every change of what rows mean: an older view is built anew. */
export const LAYOUT = '15'

/** A letter each, the first part of a key. */
export const TABLE = {
  /** `layout`, `position`, `chain head`, `markets`, `kept`. */
  meta: 'm',
  /** Newest epochs of a market, by how far they came: `Heads`. */
  heads: 'h',
  /** Market, epoch: `EpochProgress`; only epochs that ticks, batches or anchors named. */
  epochs: 'e',
  /** Market, epoch: `Counts`; of every epoch that a submission named. */
  counts: 'c',
  /** Market, epoch: not anchored (yet), or (with `last`) never released: `Unanchored`. */
  unanchored: 'u',
  /** Market, epoch, project: `Project`. */
  projects: 'f',
  /** Market, epoch, project: index of its batch. */
  batchOfProject: 'q',
  /** Market, epoch, slot, partition, offset: `SubmissionRow`; also of one that only its verdict tells of. */
  submissions: 's',
  /** The same key: `time` and the verdict as it lies in the topic. */
  verdicts: 'v',
  /** Submission id, then the same parts: nothing. */
  submissionIds: 'i',
  /** Slot, origin, time of receipt, then market, epoch, partition, offset: nothing. */
  slotSubmissions: 'l',
  /** Slot, origin, epoch, market, partition, offset: nothing. */
  slotEpochs: 'n',
  /** Slot, id of a signature: nothing. A further submission with it is a copy. */
  signatures: 'g',
  /** Origin, time of the record, then the parts of a submission: nothing. The oldest submissions, which may go. */
  byAge: 't',
  /** Market, epoch, index: `BatchRow`. */
  batches: 'b',
  /** CID, then market, epoch, index: nothing. */
  batchCids: 'd',
  /** Market, epoch, index + 1: `time` and the anchor as it lies in the topic. */
  anchors: 'a',
  /** `BatchStanding`, then the same parts: nothing. */
  anchorsByStanding: 'k',
  /** Market, day: `DayRow`. */
  days: 'y',
  /** Market, day, slot: `time` and the row as it lies in the topic. */
  slotDays: 'z',
  /** Market, day, `CLOSING`, epoch, number: `time` and the payout as it lies in the topic. */
  payouts: 'o',
  /** Market, day, purpose, epoch, number: `time` and the payment as it lies in the topic. */
  payments: 'w',
  /** Market, epoch: `TallyRow`. */
  tallies: 'x',
  /** Hour, market, epoch: something was written in that hour, so it is looked at when the hour expires. */
  hours: 'p',
  /** Number of the commit: what changed in it (`Change`). */
  journal: 'j',
} as const

/** Every data market that has epochs here or was changed at run time, and how it is served. */
export type MarketsRow = Readonly<Record<string, Pick<ServedMarket, 'serving' | 'sinceBlock'>>>
export const MARKETS = keyOf(TABLE.meta, 'markets')

export interface Heads {
  /** The newest epoch whose release is on the chain; 0: none is known since the market was added. */
  readonly released: number
  /** The first that was released since then. */
  readonly first: number
  /** The one that was refused last. */
  readonly refused: number
  readonly closed: number
  readonly batched: number
  readonly final: number
}

export interface Counts {
  readonly submissions: number
  readonly reasons: Readonly<Record<string, number>>
  /** Newest hour in which a row of the epoch was written. */
  readonly hour: number
}

/** How many submissions the view holds, by origin. */
export type Kept = Readonly<Record<Origin, number>>
export const KEPT = keyOf(TABLE.meta, 'kept')
export const NONE_KEPT: Kept = { OWNER: 0, UNPROVEN: 0 }

export interface Unanchored {
  /** The last epoch that was never released; absent for one that was. */
  readonly last?: number
  /** The epoch whose release showed it. */
  readonly before?: number
  /** The market's owner skipped them in this block; absent when nothing tells why they are missing. */
  readonly skippedInBlock?: number
}

export interface SubmissionRow {
  readonly submissionId: string
  readonly projectId: string
  readonly snapshotCid: string
  /** null: it was gone from the log when its verdict was read. */
  readonly receivedAt: number | null
  /** Time of the record. */
  readonly time: number
  /** `signatureId`; null when the submission was gone from the log. */
  readonly signature: string | null
  /** A submission with the same signature of the same slot came before. */
  readonly copy: boolean
}

export type ProjectRow = Omit<Project, 'batchIndex'>

export interface BatchRow {
  readonly batchCount: number
  readonly roothash: string
  readonly finalizedCidsRootHash: string
  readonly projectIds: readonly string[]
  readonly snapshotCids: readonly string[]
  readonly submissions: number
  readonly sizeBytes: number
  readonly leavesBefore: number
  readonly gasEstimate: number
  readonly batchedAt: number
  /** In the topic of batches. */
  readonly offset: number
}

/** The part of a commit that observers want to know. */
export interface Change {
  /** Position before and after. */
  readonly from: string
  readonly to: string
  readonly epochs: readonly EpochKey[]
  readonly verdicts: readonly EpochKey[]
  readonly anchors: readonly AnchorKey[]
  readonly days: readonly DayKey[]
}

export const EMPTY_COUNTS: Counts = { submissions: 0, reasons: {}, hour: 0 }
export const EMPTY_HEADS: Heads = { released: 0, first: 0, refused: 0, closed: 0, batched: 0, final: 0 }

export const epochParts = ({ dataMarket, epochId }: EpochKey): [string, string] => [dataMarket, number(epochId)]
export const anchorParts = ({ dataMarket, epochId, batchIndex }: AnchorKey): [string, string, string] => [
  dataMarket,
  number(epochId),
  number(batchIndex + 1),
]
export const submissionParts = (key: EpochKey, slotId: number, { partition, offset }: LogPosition): string[] => [
  ...epochParts(key),
  number(slotId),
  number(partition),
  number(offset),
]
/** The keys by which a submission is found as one of a slot: they say whose it is, so they change when that becomes clear. */
export function indexKeys(parts: readonly string[], origin: Origin, { receivedAt, time }: SubmissionRow): string[] {
  const [dataMarket, epochId, slotId, ...position] = parts as [string, string, string, ...string[]]
  return [
    keyOf(TABLE.slotSubmissions, slotId, origin, timeKey(receivedAt ?? time), dataMarket, epochId, ...position),
    keyOf(TABLE.slotEpochs, slotId, origin, epochId, dataMarket, ...position),
    keyOf(TABLE.byAge, origin, timeKey(time), ...parts),
  ]
}
const timeKey = (time: number): string => number(Math.max(0, time))

/** Values of rows: JSON, or a time and the bytes of the topic. */
export const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
export const fromJson = <T>(bytes: Uint8Array): T =>
  JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()) as T
export const NOTHING: Buffer = Buffer.alloc(0)

const TIME_BYTES = 8
export function timed(time: number, bytes: Uint8Array): Buffer {
  const row = Buffer.allocUnsafe(TIME_BYTES + bytes.length)
  row.writeDoubleBE(time, 0)
  row.set(bytes, TIME_BYTES)
  return row
}
export const timeOf = (row: Buffer): number => row.readDoubleBE(0)
export const bytesOf = (row: Buffer): Buffer => row.subarray(TIME_BYTES)
