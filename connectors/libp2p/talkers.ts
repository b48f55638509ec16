/** The peers that send most: a bounded table of peers with the recent fate of their messages. */

export interface Talker {
  readonly peerId: string
  /** The address, or the /64 of an IPv6 one. */
  readonly host: string
  messages: number
  refused: number
  badSignatures: number
  /** Signed by an owner of its slot, for an epoch that is open or early, and no copy. */
  votes: number
}

/** Older messages count half. */
const HALF_LIFE_MS = 300_000

export class Talkers {
  private readonly byId = new Map<string, Talker>()
  private readonly most: number
  private agedAt: number

  constructor(most: number, now: number) {
    this.most = most
    this.agedAt = now
  }

  /** The row of a peer; the quietest goes when there is no room. */
  of(peerId: string, host: string): Talker {
    const known = this.byId.get(peerId)
    if (known) return known
    if (this.byId.size >= this.most) this.byId.delete(this.quietest())
    const talker: Talker = { peerId, host, messages: 0, refused: 0, badSignatures: 0, votes: 0 }
    this.byId.set(peerId, talker)
    return talker
  }

  /** The peers with the most refused messages, then the most messages; the peer id last, so that the order is total. */
  top(count: number, now: number): readonly Talker[] {
    this.age(now)
    const all = [...this.byId.values()].filter(({ messages }) => messages >= 1)
    all.sort((a, b) => b.refused - a.refused || b.messages - a.messages || (a.peerId < b.peerId ? -1 : 1))
    return all.slice(0, count).map((one) => ({
      ...one,
      messages: Math.round(one.messages),
      refused: Math.round(one.refused),
      badSignatures: Math.round(one.badSignatures),
      votes: Math.round(one.votes),
    }))
  }

  private age(now: number): void {
    const share = 0.5 ** (Math.max(0, now - this.agedAt) / HALF_LIFE_MS)
    this.agedAt = now
    for (const one of this.byId.values()) {
      one.messages *= share
      one.refused *= share
      one.badSignatures *= share
      one.votes *= share
    }
  }

  private quietest(): string {
    let least: Talker | undefined
    for (const one of this.byId.values()) if (!least || one.messages < least.messages) least = one
    return least?.peerId ?? ''
  }
}
