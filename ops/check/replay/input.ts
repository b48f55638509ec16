/** The records of one epoch for a replay: its submissions, and every marker, each at its place in its partition. */

import type { EpochKey, EpochTick } from '../../../schemas/types.ts'
import type { Log, LogRecord, PartitionBounds } from '../../../streams/ports.ts'
import { SealGuard } from '../../../streams/seal-guard.ts'
import { ForgedError } from '../../../streams/seals.ts'
import { isMarker, type Topics } from '../../../topology/topics.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { submissionsOf } from '../../reading/keys.ts'
import { lookedUp } from '../../reading/read.ts'
import { scan } from '../../reading/scan.ts'

/** A record of the topic `submissions`. */
export interface Piece {
  readonly record: LogRecord
  /** Tick of a marker. */
  readonly tick?: EpochTick
  /** A submission of another epoch. */
  readonly isOther?: boolean
}

export interface ReplayInput {
  /** By partition, in the order of the log. */
  readonly partitions: readonly (readonly Piece[])[]
  readonly close: EpochTick
  readonly submissions: number
  /** Block from which on the log holds every partition; undefined when it holds everything. */
  readonly cutAt: number | undefined
}

export interface InputRange {
  readonly bounds: readonly PartitionBounds[]
  /** The submissions of other epochs too: needed when they took the room of some that had to wait. */
  readonly withOthers: boolean
}

/**
 * Throws CliError when the log does not hold the epoch from its release to its close. Reads `submissions` whole, since what
 * decides about the epoch lies on both sides of its markers (blocks and markets before its release, submissions that came
 * early or late), and keeps every marker with the epoch's submissions in memory.
 */
export async function readInput(
  log: Log,
  topics: Topics,
  key: EpochKey,
  { bounds, withOthers }: InputRange,
): Promise<ReplayInput> {
  const all: Piece[][] = []
  for (const [partition, { stable: to }] of bounds.entries())
    all.push(await readPartition(log, topics, key, { partition, to, withOthers }))
  const isCut = bounds.some(({ start }) => start > 0)
  const partitions = isCut ? fromCommonMarker(all) : all
  const lost = count(all) - count(partitions)
  const close = checkHeld(partitions, key, isCut, lost)
  return { partitions, close, submissions: count(partitions), cutAt: isCut ? firstBlock(partitions) : undefined }
}

async function readPartition(
  log: Log,
  topics: Topics,
  key: EpochKey,
  { partition, to, withOthers }: Omit<InputRange, 'bounds'> & { readonly partition: number; readonly to: number },
): Promise<Piece[]> {
  const { name } = topics.submissions
  const isOfEpoch = submissionsOf(topics, key)
  const isGenuine = markerCheck(topics, partition)
  const pieces: Piece[] = []
  const keep = (record: LogRecord, rest: Omit<Piece, 'record'> = {}) => pieces.push({ ...rest, record: copyOf(record) })
  for await (const records of scan(log, { topic: name, partition }, { to }))
    for (const record of records) {
      if (record.key === null || record.value === null) continue
      // the key of a marker ends with an empty text, so most of the others need no decoding
      const event = record.key.at(-1) === 0 ? lookedUp(topics.submissions, partition, record)?.value : undefined
      if (event && isMarker(event)) {
        if (isGenuine(record)) keep(record, { tick: event.tick })
      } else if (isOfEpoch(record.key)) keep(record)
      else if (withOthers) keep(record, { isOther: true })
    }
  return pieces
}

/** The records that are markers to validate, decided by the same code, in the order of the partition. */
function markerCheck({ submissions }: Topics, partition: number): (record: LogRecord) => boolean {
  const seals = submissions.markers?.seals
  if (!seals) return () => true
  const guard = new SealGuard(submissions.name, partition, seals)
  return (record) => {
    try {
      guard.take(record)
      return true
    } catch (error) {
      if (error instanceof ForgedError) return false
      throw error
    }
  }
}

/** Fetched records are views into a piece of the log, which would stay in memory whole. */
const copyOf = ({ key, value, ...rest }: LogRecord): LogRecord => ({
  ...rest,
  key: key && Buffer.from(key),
  value: value && Buffer.from(value),
})

/** Where records have expired, the partitions begin at different markers: from the first one on that all of them have. */
function fromCommonMarker(all: readonly Piece[][]): Piece[][] {
  const ids = all.map((pieces) => new Set(pieces.flatMap(({ tick }) => (tick ? [idOf(tick)] : []))))
  const first = all[0]!.find(({ tick }) => tick && ids.every((known) => known.has(idOf(tick))))
  if (!first) return all.map(() => [])
  return all.map((pieces) => pieces.slice(pieces.findIndex(({ tick }) => tick && idOf(tick) === idOf(first.tick!))))
}

const idOf = ({ kind, dataMarket, epochId, blockHash }: EpochTick): string =>
  `${kind}/${dataMarket}/${epochId}/${blockHash}`

/** @returns the tick that closed the epoch */
function checkHeld(partitions: readonly (readonly Piece[])[], key: EpochKey, isCut: boolean, lost: number): EpochTick {
  const name = `epoch ${key.epochId} of ${key.dataMarket}`
  const ticks = partitions.map((pieces) => pieces.flatMap(({ tick }) => (tick && isOf(tick, key) ? [tick] : [])))
  const has = (kind: EpochTick['kind']) => ticks.every((own) => own.some((tick) => tick.kind === kind))
  const close = ticks[0]!.find(({ kind }) => kind === 'CLOSE')
  if (has('OPEN') && !has('CLOSE'))
    throw notHeld(`${name} is not closed yet`, 'Nothing of it is decided before; ask again then.')
  const expired = close ? 'a part of its submissions has' : 'its submissions have'
  if (isCut && (lost > 0 || !has('OPEN')))
    throw notHeld(
      `the log no longer holds all of ${name}: ${expired} expired`,
      'A replay needs the records from its release on; `sequencer verify` checks its batches without them.',
    )
  if (!has('OPEN') || !close) throw notHeld(`the log has no release of ${name}`, 'Check --epoch and --data-market.')
  return close
}

const notHeld = (what: string, advice: string): CliError => new CliError(what, advice, EXIT.unavailable)

const isOf = (tick: EpochTick, { dataMarket, epochId }: EpochKey): boolean =>
  tick.dataMarket === dataMarket && tick.epochId === epochId

const count = (partitions: readonly (readonly Piece[])[]): number =>
  partitions.reduce((sum, pieces) => sum + pieces.filter(({ tick, isOther }) => !tick && !isOther).length, 0)

const firstBlock = (partitions: readonly (readonly Piece[])[]): number | undefined =>
  partitions[0]!.find(({ tick }) => tick)?.tick?.blockNumber
