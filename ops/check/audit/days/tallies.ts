/** Reads the tallies that `settle` wrote of each epoch, and how far the ledger has come in them. */
import { createHash } from 'node:crypto'
import type { EpochMarker, EpochTally, EpochTick, MarketKey } from '../../../../schemas/types.ts'
import { partitionFor } from '../../../../streams/partitioner.ts'
import type { Log } from '../../../../streams/ports.ts'
import { type ReadRecord, readRecords } from '../../../../streams/read-record.ts'
import { epochScope, isMarker, type Topics } from '../../../../topology/topics.ts'
import { exists } from '../../../reading/market-rows.ts'
import { silently } from '../../../reading/read.ts'
import { partitionsOf, scan, scanTopic } from '../../../reading/scan.ts'
import type { Findings } from '../report.ts'
import { type Contribution, ContributionBuilder } from './contribution.ts'

/** Where an epoch lies in the partition of its market. */
interface Place {
  readonly partition: number
  /** All that it adds is there: what a sender adds lies behind its CLOSE of the epoch that closed before. */
  isWhole: boolean
  /** CLOSE markers so far, of as many senders. */
  closes: number
  /** Offset of the last of them; undefined while some are missing. */
  closedAt: number | undefined
}

export interface TallyPorts {
  readonly log: Log
  readonly topics: Topics
  readonly findings: Findings
  /** The ledger has committed past this record of `tallies`. */
  readonly ledgered: (partition: number, offset: number) => boolean
}

interface Places {
  /** By epoch. */
  readonly of: ReadonlyMap<string, Place>
  /** Epochs with a CLOSE marker in any partition. */
  readonly closed: Set<string>
  /** By epoch: digests of what these markers say of the tick, in whatever partition: one, since all say the same. */
  readonly ticks: ReadonlyMap<string, ReadonlySet<string>>
  /** Block of the first marker, in a topic whose older records have expired; else 0. */
  readonly expiredBefore: number
}

export class Tallies {
  private readonly ports: TallyPorts
  private readonly places: ReadonlyMap<string, Place>
  private readonly ticks: Places['ticks']
  private readonly notAsked: Set<string>
  private readonly expiredBefore: number
  private readonly cursors = new Map<number, TallyCursor>()

  private constructor(ports: TallyPorts, { of, closed, ticks, expiredBefore }: Places) {
    this.ports = ports
    this.places = of
    this.ticks = ticks
    this.notAsked = closed
    this.expiredBefore = expiredBefore
  }

  static async read(ports: TallyPorts): Promise<Tallies> {
    return new Tallies(ports, await readPlaces(ports))
  }

  /** The CLOSE of an epoch as `submissions` has it. */
  expect(tick: EpochTick): void {
    const { dataMarket, epochId } = tick
    const scope = epochScope(dataMarket, epochId)
    this.notAsked.delete(scope)
    const digest = digestOf(tick)
    for (const other of this.ticks.get(scope) ?? [])
      if (other !== digest)
        this.ports.findings.add(
          'mismatches',
          `tallies of epoch ${epochId} of ${dataMarket}`,
          'its CLOSE is another one',
        )
  }

  /** Epochs that close here, and were not expected. */
  finish(): void {
    for (const scope of this.notAsked)
      this.ports.findings.add(
        'mismatches',
        `tallies of epoch ${scope}`,
        'it closes there, and in submissions it does not',
      )
  }

  /** The ledger has taken this CLOSE. */
  isLedgered({ dataMarket, epochId, blockNumber }: EpochTick): boolean {
    const place = this.places.get(epochScope(dataMarket, epochId))
    if (place?.closedAt === undefined) return blockNumber < this.expiredBefore
    return this.ports.ledgered(place.partition, place.closedAt)
  }

  /**
   * The tallies of a closed epoch, by slot; undefined while the epoch is under way, and where a part of them has expired. Epochs
   * are asked for in the order in which they closed.
   */
  async of(dataMarket: string, epochId: number): Promise<Contribution | undefined> {
    const scope = epochScope(dataMarket, epochId)
    const place = this.places.get(scope)
    if (place?.closedAt === undefined) return undefined
    const cursor = this.cursors.get(place.partition) ?? new TallyCursor(this.ports, place.partition, this.places)
    this.cursors.set(place.partition, cursor)
    const votes = await cursor.untilClosed(scope, place.closedAt)
    return place.isWhole ? votes : undefined
  }
}

/** Finds each market's epochs in its partition; a tally elsewhere is one that `settle` did not write. */
async function readPlaces({ log, topics, findings }: TallyPorts): Promise<Places> {
  const { tallies } = topics
  const places = new Map<string, Place>()
  /** Every partition has every CLOSE; those of which some are still to come. */
  const closing = new Map<string, Place>()
  const closed = new Set<string>()
  const ticks = new Map<string, Set<string>>()
  let expiredBefore = 0
  if (!(await exists(log, tallies.name))) return { of: places, closed, ticks, expiredBefore }
  const partitionOf = createPartitionOf(topics)
  const starts = (await log.bounds(partitionsOf(tallies))).map(({ start }) => start)
  const mayLack = new Set(starts.flatMap((start, partition) => (start > 0 ? [partition] : [])))
  for await (const { partition, records } of scanTopic(log, tallies, findings.unreadable))
    for (const { offset, key, value } of readRecords(tallies, partition, records, findings.unreadable)) {
      if (value === null) continue
      if (!isMarker(value)) {
        checkTally(value, key.dataMarket, { partition, offset, places, partitionOf }, findings)
        continue
      }
      const { kind, dataMarket, epochId, blockNumber } = value.tick
      if (starts[partition]! > 0) expiredBefore = Math.max(expiredBefore, blockNumber)
      starts[partition] = 0 // the first marker says it
      if (kind !== 'CLOSE') continue
      const epoch = epochScope(dataMarket, epochId)
      const scope = `${epoch}/${partition}`
      const place = closing.get(scope) ?? newPlace(partition)
      closing.set(scope, place)
      closed.add(epoch)
      ticks.set(epoch, (ticks.get(epoch) ?? new Set()).add(digestOf(value.tick)))
      if (partitionOf(dataMarket) === partition) places.set(epoch, place)
      if (++place.closes !== value.of) continue
      closing.delete(scope)
      place.closedAt = offset
      place.isWhole = !mayLack.delete(partition)
    }
  return { of: places, closed, ticks, expiredBefore }
}

const newPlace = (partition: number): Place => ({
  partition,
  isWhole: false,
  closes: 0,
  closedAt: undefined,
})

const digestOf = (tick: EpochTick): string => createHash('sha256').update(JSON.stringify(tick)).digest('base64')

interface TallyPlace {
  readonly partition: number
  readonly offset: number
  readonly places: ReadonlyMap<string, Place>
  readonly partitionOf: (dataMarket: string) => number
}

function checkTally(
  { talliedEpoch }: EpochTally,
  dataMarket: string,
  { partition, offset, places, partitionOf }: TallyPlace,
  findings: Findings,
): void {
  const where = `tallies[${partition}] offset ${offset}, epoch ${talliedEpoch} of ${dataMarket}`
  const closedAt = places.get(epochScope(dataMarket, talliedEpoch))?.closedAt
  if (partitionOf(dataMarket) !== partition) findings.add('mismatches', where, 'the market has another partition')
  else if (closedAt !== undefined) findings.add('mismatches', where, 'the epoch was closed before')
}

function createPartitionOf({ tallies }: Topics): (dataMarket: string) => number {
  const known = new Map<string, number>()
  return (dataMarket) => {
    const found = known.get(dataMarket) ?? partitionFor(tallies.key.encode({ dataMarket }), tallies.partitions)
    known.set(dataMarket, found)
    return found
  }
}

/** Goes through one partition, and holds what the epochs add that are not closed there yet. */
class TallyCursor {
  private readonly partition: number
  private readonly places: ReadonlyMap<string, Place>
  private readonly records: AsyncGenerator<TallyRecord>
  private readonly held = new Map<string, ContributionBuilder>()
  private next = 0

  constructor({ log, topics }: TallyPorts, partition: number, places: ReadonlyMap<string, Place>) {
    this.partition = partition
    this.places = places
    this.records = recordsOf(log, topics, partition)
  }

  /** Epochs close in one order everywhere: what closes before and is not asked for never will be. */
  async untilClosed(scope: string, closedAt: number): Promise<Contribution> {
    while (this.next <= closedAt) {
      const read = await this.records.next()
      if (read.done) break
      this.next = read.value.offset + 1
      this.take(read.value, scope)
    }
    const votes = this.held.get(scope)?.votes ?? new Map()
    this.held.delete(scope)
    return votes
  }

  private take({ offset, key, value }: TallyRecord, asked: string): void {
    if (value === null) return
    if (isMarker(value)) {
      const { kind, dataMarket, epochId } = value.tick
      const scope = epochScope(dataMarket, epochId)
      if (kind === 'CLOSE' && scope !== asked && this.places.get(scope)?.closedAt === offset) this.held.delete(scope)
      return
    }
    const scope = epochScope(key.dataMarket, value.talliedEpoch)
    const place = this.places.get(scope)
    if (place?.partition !== this.partition || (place.closedAt ?? offset) < offset) return // told of already
    const votes = this.held.get(scope) ?? new ContributionBuilder()
    this.held.set(scope, votes)
    for (const slotId of value.counted) votes.add(slotId, true)
    for (const slotId of value.uncounted) votes.add(slotId, false)
  }
}

type TallyRecord = ReadRecord<MarketKey, EpochTally | EpochMarker>

async function* recordsOf(log: Log, { tallies }: Topics, partition: number): AsyncGenerator<TallyRecord> {
  for await (const records of scan(log, { topic: tallies.name, partition }, { tell: silently }))
    yield* readRecords(tallies, partition, records, silently)
}
