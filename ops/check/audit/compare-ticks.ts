/** The ticks of the clock, in `epoch-ticks`, against the markers that the fan-out made of them. */
import { createHash } from 'node:crypto'
import type { EpochTick } from '../../../schemas/types.ts'
import type { Log } from '../../../streams/ports.ts'
import { readRecords } from '../../../streams/read-record.ts'
import type { Topics } from '../../../topology/topics.ts'
import { silently } from '../../reading/read.ts'
import { scan } from '../../reading/scan.ts'
import { tickId } from './cursor.ts'
import { originOf, type SealRules } from './record-origin.ts'
import type { Findings } from './report.ts'

/** Ticks without a marker so far that are kept while one is looked for; about 300 bytes each. */
const HELD_MAX = 50_000
const PRUNE_FROM = 1_000

/** The ticks of one name that no marker was found for yet. */
interface Held {
  readonly blockNumber: number
  /** Number of ticks with each content, by its digest. */
  readonly times: Map<string, number>
}

/**
 * Goes through the ticks beside the markers. A tick may stand there more than once, when it was asked for again; one that was
 * refused has no marker; and one that came before the blocks below it has its marker behind theirs. But no marker is without
 * its tick. Ticks are read up to where the topic ends after the markers were bounded, so that a live log has them all.
 */
export class TickComparison {
  private readonly log: Log
  private readonly topics: Topics
  private readonly findings: Findings
  private readonly headsKept: number
  private readonly ticks: AsyncGenerator<EpochTick>
  private readonly held = new Map<string, Held>()
  private pruneAt = PRUNE_FROM
  /** Where the topic begins as of the first question; older ticks have expired. */
  private start: number | undefined
  /** A marker had its tick, so that what follows has one, too. */
  private hasMatched = false

  /** The chain may go back by `headsKept` blocks, and the markers with it. */
  constructor(log: Log, topics: Topics, findings: Findings, rules: SealRules & { readonly headsKept: number }) {
    this.log = log
    this.topics = topics
    this.findings = findings
    this.headsKept = rules.headsKept
    this.ticks = ticksOf(log, topics, rules)
  }

  /** Markers come in the order of the log. */
  async compare(marker: EpochTick): Promise<void> {
    const id = tickId(marker)
    const digest = digestOf(marker)
    this.start ??= await this.startNow()
    await this.readUpTo(id, digest, marker.blockNumber - this.headsKept)
    const where = `epoch-ticks, ${id}`
    if (this.take(id, digest)) {
      this.hasMatched = true
      return
    }
    const isOther = this.held.delete(id)
    if (!(await this.shouldHave())) return
    const findings = this.findings.of(1_000 * marker.blockTimestamp, 'epochTicks')
    if (isOther) findings.add('mismatches', where, 'the markers say something else of it')
    else findings.add('skipped', where, 'it has markers, and no tick')
  }

  /** Holds the ticks from the oldest block on until the one that is looked for, or until there is no room. */
  private async readUpTo(id: string, digest: string, oldest: number): Promise<void> {
    while (!this.held.get(id)?.times.has(digest) && this.hasRoom(oldest)) {
      const next = await this.ticks.next()
      if (next.done) break
      if (next.value.blockNumber >= oldest) this.hold(next.value)
    }
  }

  private hold(tick: EpochTick): void {
    const id = tickId(tick)
    const digest = digestOf(tick)
    const held = this.held.get(id) ?? { blockNumber: tick.blockNumber, times: new Map<string, number>() }
    this.held.set(id, held)
    held.times.set(digest, (held.times.get(digest) ?? 0) + 1)
  }

  private take(id: string, digest: string): boolean {
    const held = this.held.get(id)
    const times = held?.times.get(digest)
    if (!held || times === undefined) return false
    if (times > 1) held.times.set(digest, times - 1)
    else held.times.delete(digest)
    if (held.times.size === 0) this.held.delete(id)
    return true
  }

  /** Lets go what lies so far back that no marker comes for it any more. */
  private hasRoom(oldest: number): boolean {
    if (this.held.size >= this.pruneAt) {
      for (const [id, { blockNumber }] of this.held) if (blockNumber < oldest) this.held.delete(id)
      this.pruneAt = Math.min(HELD_MAX, Math.max(PRUNE_FROM, 2 * this.held.size))
    }
    return this.held.size < HELD_MAX
  }

  /** False when the tick may have expired before or during the audit. */
  private async shouldHave(): Promise<boolean> {
    return (this.hasMatched || this.start === 0) && (await this.startNow()) === this.start
  }

  private async startNow(): Promise<number> {
    const [bounds] = await this.log.bounds([{ topic: this.topics.epochTicks.name, partition: 0 }])
    return bounds!.start
  }
}

const digestOf = (tick: EpochTick): string => createHash('sha256').update(JSON.stringify(tick)).digest('base64')

/** The audit reports unreadable records elsewhere: such a record may lie behind the last marker. */
async function* ticksOf(log: Log, { epochTicks }: Topics, rules: SealRules): AsyncGenerator<EpochTick> {
  const guard = originOf(epochTicks, rules)
  for await (const records of scan(log, { topic: epochTicks.name, partition: 0 }, { tell: silently }))
    for (const { value } of readRecords(epochTicks, 0, records, silently, { guard })) if (value) yield value
}
