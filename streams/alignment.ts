import { crc32 } from 'node:zlib'
import type { EngineState, Tally } from './engine-state.ts'
import type { KafkaTopic, MarkerProtocol } from './kafka-topic.ts'

type Protocol = MarkerProtocol<unknown, unknown, unknown>

/** The count of a marker whose sender is not the only writer of the topic, so that nothing can be checked. */
export const UNCOUNTED = -1

/**
 * The markers of one source topic in one task: collects each until all its senders have sent it, and checks that what
 * arrived within its scope is what they say they sent.
 */
export class Alignment {
  private readonly topic: string
  private readonly protocol: Protocol
  private readonly state: EngineState
  /** Whether data records are counted: a stage of this topology, and nobody else, writes them. */
  private readonly counted: boolean
  private scope = ''
  private tally: Tally | undefined

  constructor(
    topic: Pick<KafkaTopic<unknown, unknown>, 'name'>,
    protocol: Protocol,
    state: EngineState,
    counted: boolean,
  ) {
    this.topic = topic.name
    this.protocol = protocol
    this.state = state
    this.counted = counted
  }

  isMarker(value: unknown): boolean {
    return this.protocol.isMarker(value)
  }

  closesScope(marker: unknown): boolean {
    return this.protocol.scopeOf(marker) !== undefined
  }

  /** Counts a data record. */
  count(key: unknown, value: unknown, bytes: Uint8Array): void {
    if (!this.counted) return
    const scope = this.protocol.scopeOfData(key, value)
    if (this.tally === undefined || scope !== this.scope) {
      this.scope = scope
      this.tally = this.state.findOrCreate(this.receivedKey(scope), 1)
    }
    this.state.add(this.tally, 0, 1, crc32(bytes))
  }

  /**
   * Takes a marker from one sender. A repeated one changes nothing.
   * @returns whether it has come from all senders now
   * @throws when the counts differ, or the number of senders changed while the marker was on its way: cannot happen
   */
  align(marker: unknown): boolean {
    const { from, of, count, checksum } = this.protocol.stampOf(marker)
    const all = this.state.findOrCreate(`marker/${this.topic}/${of}/${this.protocol.idOf(marker)}`, 1)
    if (all.seen.includes(from)) return false
    all.seen.push(from)
    this.state.add(all, 0, count, checksum)
    if (all.seen.length < of) return false
    this.state.drop(all)
    const scope = this.protocol.scopeOf(marker)
    if (scope !== undefined && this.counted) this.checkReceived(scope, all.counts[0]!, all.checksums[0]!)
    return true
  }

  private checkReceived(scope: string, count: number, checksum: number): void {
    const received = this.state.find(this.receivedKey(scope))
    const { counts, checksums } = received ?? NOTHING
    if (counts[0] !== count || checksums[0] !== checksum)
      throw new Error(
        `the senders of ${this.topic} say they sent ${count} records (checksum ${checksum}) within ${scope}, ` +
          `${counts[0]} (${checksums[0]}) arrived. Was something of it passed over, as a damaged batch, see "A damaged batch" in ` +
          `docs/operations.md; moving an offset of one stage cannot help`,
      )
    if (received) this.state.drop(received)
    this.tally = undefined
  }

  private receivedKey(scope: string): string {
    return `received/${this.topic}/${scope}`
  }
}

const NOTHING = { counts: [0], checksums: [0] }
