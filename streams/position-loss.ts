/** The reasons why nobody may read on from a position: the log is not the one that it belongs to. */
import { type FetchPosition, type PositionLoss, PositionLostError, type TopicPartition } from './ports.ts'

/** Ids of topics as they are; undefined where the log has none. */
export type Ids = ReadonlyMap<string, string> | undefined

/** A position, and the log as it is. */
export interface HeldPosition extends FetchPosition {
  readonly start: number
  readonly end: number
}

/**
 * The reason why nobody may read on from a position that a stage has committed.
 * @param kept ids of the topics that it rests on, as they were kept with it
 * @param ids as they are; what is in one of them only says nothing
 */
export function lossOf(
  stage: string,
  at: HeldPosition,
  kept: Readonly<Record<string, string>>,
  ids: Ids,
): PositionLostError | undefined {
  for (const [name, before] of Object.entries(kept)) {
    const now = ids?.get(name)
    if (now !== undefined && now !== before) return recreated(stage, at, name, before, now)
  }
  if (at.offset < at.start) return deleted(stage, at, at.start)
  if (at.offset <= at.end) return undefined
  return Object.keys(kept).length > 0 ? truncated(stage, at, at.end) : beyondEnd(stage, at, at.end)
}

/** For a position without the ids of its topics: another tool may have put it there, or a release that kept none. */
const beyondEnd = (stage: string, at: FetchPosition, end: number): PositionLostError =>
  lost(
    'TRUNCATED',
    at,
    `${nameOf(at)} ends at offset ${end}, and the position of stage ${stage} is ${at.offset}. Nothing says that a stage has put it there: ` +
      'if somebody has set it by hand, set it to the end at most (`sequencer reset`). Else the cluster has lost records (an unclean leader ' +
      `election, a lost disk, or a topic made anew). ${ADVICE}`,
  )

/**
 * The reason why a state cannot be whole: the log begins behind rows that it needs.
 * @param needs `topic/partition` of a changelog or a table → the first offset that the state needs
 * @param starts where they begin; what is in one of both only says nothing
 */
export function rowsGone(
  stage: string,
  needs: ReadonlyMap<string, number>,
  starts: readonly FetchPosition[],
): PositionLostError | undefined {
  const gone = starts.find((at) => at.offset > (needs.get(nameOf(at)) ?? Number.POSITIVE_INFINITY))
  return (
    gone &&
    lost(
      'RECORDS_DELETED',
      gone,
      `${nameOf(gone)} begins at offset ${gone.offset}, but the state of stage ${stage} needs its rows from ${needs.get(nameOf(gone))} on: ` +
        `they were deleted. ${ADVICE}`,
    )
  )
}

const recreated = (stage: string, at: HeldPosition, name: string, before: string, now: string): PositionLostError =>
  lost(
    'TOPIC_RECREATED',
    { topic: name, partition: at.partition },
    `topic ${name} was deleted and made anew: its id was ${before} when stage ${stage} had processed ${nameOf(at)} up to offset ` +
      `${at.offset}, and is ${now} now; ${nameOf(at)} goes from ${at.start} to ${at.end}. ${ADVICE}`,
  )

const deleted = (stage: string, at: FetchPosition, start: number): PositionLostError =>
  lost(
    'RECORDS_DELETED',
    at,
    `${nameOf(at)} begins at offset ${start}, but stage ${stage} has processed it up to ${at.offset} only: what lies between ` +
      `was deleted. ${ADVICE}`,
  )

export const truncated = (stage: string, at: FetchPosition, end: number): PositionLostError =>
  lost(
    'TRUNCATED',
    at,
    `${nameOf(at)} ends at offset ${end}, but stage ${stage} has been up to ${at.offset}: the cluster has lost records of it ` +
      `(an unclean leader election, a lost disk, or a topic made anew). ${ADVICE}`,
  )

/** @param at the changelog @param offset of the row */
export const unreadableRow = (at: TopicPartition, offset: number, cause: Error): PositionLostError =>
  lost(
    'UNREADABLE_ROW',
    at,
    `the row at ${nameOf(at)} offset ${offset} cannot be read, and the state without it would be another: ${cause.message}. Somebody else ` +
      `wrote it, or a newer release did: then start that one. ${ADVICE}`,
  )

const lost = (code: PositionLoss, at: { topic: string; partition: number }, message: string): PositionLostError =>
  new PositionLostError(code, at, message)

export const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

/** The partition of that name. */
export function partitionNamed(name: string): TopicPartition {
  const split = name.lastIndexOf('/')
  return { topic: name.slice(0, split), partition: Number(name.slice(split + 1)) }
}

const ADVICE = 'Nothing is passed over: the stage waits. See "When the log has lost something" in docs/operations.md'
