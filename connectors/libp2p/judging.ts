/**
 * In which order messages are judged that wait for it: those that credit stands for, the first of a connection, and the others, each
 * kind beside the others and one address after the other. A flood waits behind itself, whatever it pretends to be. Messages of one
 * connection are judged in the order in which they came.
 */
import type { Host, Peer } from './peer.ts'
import type { Lane } from './pressure.ts'
import type { Standing } from './standing.ts'

/** Least places of each kind among messages that are judged together; what one leaves the others have. */
const PLACES: Readonly<Record<Lane, number>> = { proven: 28, known: 12, new: 12, other: 12 }
const LANES = Object.keys(PLACES) as Lane[]
/** Messages that are judged together: their signatures keep this thread for some 3 ms when it has no workers. */
const JUDGED_TOGETHER = LANES.reduce((sum, lane) => sum + PLACES[lane], 0)

interface Waiting {
  readonly peer: Peer
  readonly lane: Lane
}

/** Bounded by the bytes that are in flight (pressure.ts). */
export class Judging<T extends Waiting> {
  size = 0
  private readonly queues = new Map<Peer, Queue<T>>()
  /** Each connection that waits is in the lane of its first message. */
  private readonly lanes: Readonly<Record<Lane, Turns>> = {
    proven: new Turns(),
    known: new Turns(),
    new: new Turns(),
    other: new Turns(),
  }
  /** Credit of a peer that stands for messages which are not judged yet. */
  private readonly reserved = new WeakMap<Standing, number>()
  private readonly newcomerMessages: number

  constructor(newcomerMessages: number) {
    this.newcomerMessages = newcomerMessages
  }

  /** The lane for a message that came just now; its credit is reserved until it is `done`. */
  laneOf({ standing, host, messages }: Peer): Lane {
    const reserved = this.reserved.get(standing) ?? 0
    if (standing.credit - reserved >= 1) {
      this.reserved.set(standing, reserved + 1)
      return 'proven'
    }
    if (messages > this.newcomerMessages) return 'other'
    return host.hasCredit ? 'known' : 'new'
  }

  add(one: T): void {
    const queue = this.queues.get(one.peer)
    if (queue) queue.items.push(one)
    else this.queues.set(one.peer, this.enqueued(one.peer, { items: [one], next: 0 }))
    this.size++
  }

  /** The next ones to be judged together, each to be told of by `done`. */
  take(): readonly T[] {
    const taken: T[] = []
    for (const lane of LANES) this.takeOf(lane, PLACES[lane], taken)
    for (const lane of LANES) this.takeOf(lane, JUDGED_TOGETHER - taken.length, taken)
    return taken
  }

  done({ lane, peer: { standing } }: T): void {
    if (lane === 'proven') this.reserved.set(standing, (this.reserved.get(standing) ?? 1) - 1)
  }

  private takeOf(lane: Lane, most: number, taken: T[]): void {
    for (let count = 0; count < most; count++) {
      const peer = this.lanes[lane].take()
      if (!peer) return
      const queue = this.queues.get(peer)!
      taken.push(queue.items[queue.next++]!)
      this.size--
      if (queue.next === queue.items.length) this.queues.delete(peer)
      else this.enqueued(peer, compacted(queue))
    }
  }

  private enqueued(peer: Peer, queue: Queue<T>): Queue<T> {
    this.lanes[queue.items[queue.next]!.lane].add(peer)
    return queue
  }
}

interface Queue<T> {
  readonly items: T[]
  /** The first item that was not taken. */
  next: number
}

/** Connections that wait, one of each address in turn. */
class Turns {
  /** The address that had no turn for longest comes first. */
  private readonly hosts = new Map<Host, Set<Peer>>()

  add(peer: Peer): void {
    const peers = this.hosts.get(peer.host) ?? new Set()
    this.hosts.set(peer.host, peers.add(peer))
  }

  take(): Peer | undefined {
    const [[host, peers] = []] = this.hosts
    if (!host || !peers) return undefined
    const [peer] = peers
    peers.delete(peer!)
    this.hosts.delete(host)
    if (peers.size > 0) this.hosts.set(host, peers)
    return peer
  }
}

/** The queue without the items that were taken, once they are the greater part. */
function compacted<T>(queue: Queue<T>): Queue<T> {
  if (queue.next >= queue.items.length / 2) {
    queue.items.splice(0, queue.next)
    queue.next = 0
  }
  return queue
}
