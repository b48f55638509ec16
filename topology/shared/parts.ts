/**
 * Records that grow with the number of votes travel in parts: a finalization and a batch of any size are as many records of a
 * bounded size (decision 0021).
 */
import { SIGNATURE_BYTES } from '../../schemas/framed-texts.ts'
import type {
  Ballot,
  Batch,
  BatchTexts,
  Candidate,
  DroppedSubmission,
  ProjectFinalization,
  TextFrame,
} from '../../schemas/types.ts'
import { LEAF_BYTES } from './vote.ts'

/**
 * Bytes of a part: half of what brokers take by default, so that the settings of nobody's cluster matter. A single entry may
 * exceed it by itself, as far as the bounds of texts allow.
 */
export const RECORD_BYTES_MAX = 512 * 1024

/** CIDs of a project that are told with their votes. Each slot may have a CID of its own, and a person reads them. */
export const CANDIDATES_MAX = 16

/** The entries of each list that a part has. */
interface Run {
  readonly equivocations: Range
  readonly ballots: Range
  readonly dropped: Range
}
interface Range {
  from: number
  to: number
}

/**
 * The parts of a finalization, made one at a time. Each has what its entries need, so that their verdicts can be written
 * from it alone; a frame that several parts need is in each of them.
 */
export function* finalizationParts(
  project: ProjectFinalization,
  bytesMax: number = RECORD_BYTES_MAX,
): Generator<ProjectFinalization> {
  const runs = runsOf(project, bytesMax)
  if (runs.length === 1) yield project
  else for (const [part, run] of runs.entries()) yield partOf(project, run, part, runs.length)
}

function runsOf(project: ProjectFinalization, bytesMax: number): Run[] {
  const { equivocations, ballots, dropped, frames } = project
  const summary = summaryBytes(project)
  const frameSizes = frames.map(frameBytes)
  const begin = (equivocation: number, ballot: number, drop: number): Run => ({
    equivocations: { from: equivocation, to: equivocation },
    ballots: { from: ballot, to: ballot },
    dropped: { from: drop, to: drop },
  })
  let run = begin(0, 0, 0)
  let bytes = summary
  const known = new Set<number>()
  const runs = [run]
  /** Ends the part before an entry that it has no room for. */
  const needs = (more: number): void => {
    if (bytes + more > bytesMax && bytes > summary) {
      run = begin(run.equivocations.to, run.ballots.to, run.dropped.to)
      runs.push(run)
      bytes = summary
      known.clear()
    }
  }
  for (const _ of equivocations) {
    needs(NUMBER_BYTES)
    bytes += NUMBER_BYTES
    run.equivocations.to++
  }
  for (const ballot of ballots) {
    const own = ballotBytes(ballot)
    const withFrame = own + frameSizes[ballot.frame]!
    needs(known.has(ballot.frame) ? own : withFrame)
    bytes += known.has(ballot.frame) ? own : withFrame // another part begins without any frame
    known.add(ballot.frame)
    run.ballots.to++
  }
  for (const one of dropped) {
    const own = droppedBytes(one)
    needs(own)
    bytes += own
    run.dropped.to++
  }
  return runs
}

function partOf(project: ProjectFinalization, run: Run, part: number, parts: number): ProjectFinalization {
  const { ballots, frames, signatures, leaves, dropped, equivocations } = project
  const { from, to } = run.ballots
  const numbers = new Map<number, number>()
  const own: TextFrame[] = []
  const numberOf = (frame: number): number => {
    const known = numbers.get(frame)
    if (known !== undefined) return known
    const number = own.push(frames[frame]!) - 1
    numbers.set(frame, number)
    return number
  }
  return {
    ...project,
    ballots: ballots.slice(from, to).map((ballot) => ({ ...ballot, frame: numberOf(ballot.frame) })),
    frames: own,
    signatures: signatures.subarray(from * SIGNATURE_BYTES, to * SIGNATURE_BYTES),
    leaves: leaves.subarray(from * LEAF_BYTES, to * LEAF_BYTES),
    dropped: dropped.slice(run.dropped.from, run.dropped.to),
    equivocations: equivocations.slice(run.equivocations.from, run.equivocations.to),
    candidates: part === 0 ? project.candidates : [],
    part,
    parts,
  }
}

/** Avro's longest forms of what stands in a record; a UTF-16 unit takes three bytes of UTF-8 at most. */
const NUMBER_BYTES = 10
const textBytes = (text: string): number => NUMBER_BYTES + 3 * text.length
const ENTRY_NUMBERS = 4 * NUMBER_BYTES // the position, the slot, and the frame or the reason

/** The leaf has room in what a UUID takes less than is counted for it. */
const ballotBytes = ({ submissionId, snapshotCid }: Ballot): number =>
  ENTRY_NUMBERS + textBytes(submissionId) + textBytes(snapshotCid) + SIGNATURE_BYTES

const droppedBytes = ({ submissionId, snapshotCid, expected, actual }: DroppedSubmission): number =>
  ENTRY_NUMBERS + textBytes(submissionId) + textBytes(snapshotCid) + textBytes(expected) + textBytes(actual)

const frameBytes = ({ middle, end }: TextFrame): number =>
  2 * NUMBER_BYTES + Buffer.byteLength(middle) + Buffer.byteLength(end)

/** Bytes of the fields that each part repeats, and of the further fields of the first part. */
const summaryBytes = ({ projectId, snapshotCid, candidates }: ProjectFinalization): number =>
  SUMMARY_NUMBERS +
  textBytes(projectId) +
  textBytes(snapshotCid) +
  candidates.reduce((sum, candidate) => sum + textBytes(candidate.snapshotCid) + NUMBER_BYTES, 0)
const SUMMARY_NUMBERS = 24 * NUMBER_BYTES

/** Votes for each CID. */
export function countsOf(votes: readonly { readonly snapshotCid: string }[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { snapshotCid } of votes) counts.set(snapshotCid, (counts.get(snapshotCid) ?? 0) + 1)
  return counts
}

/**
 * The CIDs that slots reported, the winner first, then by votes, equal ones by the CID; `CANDIDATES_MAX` of them.
 * @param winner undefined when there were no votes
 */
export function candidatesOf(counts: ReadonlyMap<string, number>, winner: string | undefined): Candidate[] {
  const isFirst = ({ snapshotCid }: Candidate): number => (snapshotCid === winner ? 1 : 0)
  return [...counts]
    .map(([snapshotCid, count]) => ({ snapshotCid, votes: count }))
    .sort((a, b) => isFirst(b) - isFirst(a) || b.votes - a.votes || (a.snapshotCid < b.snapshotCid ? -1 : 1))
    .slice(0, CANDIDATES_MAX)
}

/**
 * The records of a batch: the first with everything but the texts that have no room in it. The texts of one part of a finalization
 * stay together, and have room in a record as that part had.
 */
export function* batchParts(batch: Batch, bytesMax: number = RECORD_BYTES_MAX): Generator<Batch> {
  const { epochId, batchIndex, batchCount, texts } = batch
  const ends = endsOfRecords(texts, bytesMax - BATCH_NUMBERS - listsBytes(batch), bytesMax - BATCH_NUMBERS)
  const parts = ends.length
  yield { ...batch, texts: texts.slice(0, ends[0]), parts }
  for (let part = 1; part < parts; part++)
    yield { ...NO_BATCH, epochId, batchIndex, batchCount, texts: texts.slice(ends[part - 1], ends[part]), part, parts }
}

/** @returns for each record the index behind its last texts; the first may have none */
function endsOfRecords(texts: readonly BatchTexts[], firstRoom: number, furtherRoom: number): number[] {
  const ends: number[] = []
  let room = firstRoom
  let entries = 1 // the lists of projects
  for (const [at, some] of texts.entries()) {
    const bytes = batchTextsBytes(some)
    if (bytes > room && entries > 0) {
      ends.push(at)
      room = furtherRoom
      entries = 0
    }
    entries++
    room -= bytes
  }
  return [...ends, texts.length]
}

const batchTextsBytes = ({ submissionIds, slotIds, frames, signatures }: BatchTexts): number =>
  TEXTS_NUMBERS +
  Buffer.byteLength(submissionIds) +
  2 * NUMBER_BYTES * slotIds.length +
  frames.reduce((sum, frame) => sum + frameBytes(frame), 0) +
  signatures.length
/** Lengths of its lists. */
const TEXTS_NUMBERS = 8 * NUMBER_BYTES

const NOTHING = Buffer.alloc(0)

const NO_BATCH = {
  json: NOTHING,
  roothash: '',
  finalizedCidsRootHash: '',
  projectIds: [],
  snapshotCids: [],
  submissions: 0,
  leavesBefore: 0,
  gasEstimate: 0,
  sizeBytes: 0,
} as const satisfies Partial<Batch>

/** Bytes of the project lists; the bounds by which a batch is cut bound them too. */
const listsBytes = ({ projectIds, snapshotCids }: Batch): number =>
  [...projectIds, ...snapshotCids].reduce((sum, text) => sum + NUMBER_BYTES + Buffer.byteLength(text), 0)
/** Numbers, and the two roots. */
const BATCH_NUMBERS = 16 * NUMBER_BYTES + 2 * 66
