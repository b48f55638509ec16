import { LogError } from '../../../streams/ports.ts'
import type { Ask } from './fetch-ask.ts'

/** Fetches that may wait at one broker at the same time: each has a connection of its own there. */
const LANES_MAX = 64

/**
 * The connections that fetches go over, and the order in which they ask. A broker works on one request of a connection at a
 * time and lets a fetch wait, so a connection carries one fetch at a time.
 */
export class FetchLanes {
  private readonly busy = new Map<number, Set<string>>()
  /** Partition → number of the answer that had bytes of it last. */
  private readonly served = new Map<string, number>()
  private answers = 0

  /** @throws LogError `TOO_MANY_FETCHES` */
  take(nodeId: number): string {
    const busy = this.busy.get(nodeId) ?? new Set()
    this.busy.set(nodeId, busy)
    for (let number = 1; number <= LANES_MAX; number++) {
      const lane = `fetch ${number}`
      if (busy.has(lane)) continue
      busy.add(lane)
      return lane
    }
    throw new LogError('TOO_MANY_FETCHES', `${LANES_MAX} fetches wait at broker ${nodeId}`, { retriable: true })
  }

  release(nodeId: number, lane: string): void {
    this.busy.get(nodeId)?.delete(lane)
  }

  /**
   * The asks that were served longest ago come first. A broker fills its answer in the order asked, and gives a batch that is
   * larger than the limit only to the first partition that has any: in a fixed order the others could wait for ever.
   */
  inTurn(asks: readonly Ask[]): readonly Ask[] {
    const turnOf = ({ name }: Ask): number => this.served.get(name) ?? 0
    return [...asks].sort((a, b) => turnOf(a) - turnOf(b))
  }

  /** An answer had bytes of these partitions. */
  serve(names: readonly string[]): void {
    this.answers++
    for (const name of names) this.served.set(name, this.answers)
  }
}
