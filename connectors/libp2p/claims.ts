/**
 * The places where votes came from last, by voter, that is slot and owner. A vote is worth few of them, the newest: who has few slots
 * cannot own many connections or addresses by them.
 */
interface Place {
  /** Voters whose claim it is. */
  readonly voters: Set<string>
}

export class Claims<P extends Place> {
  /** The newest place comes last. */
  private readonly places = new Map<string, P[]>()
  private readonly most: number

  /** @param most places of one voter; one more ends its claim to the oldest */
  constructor(most: number) {
    this.most = most
  }

  /** A vote came there. */
  vote(voter: string, place: P): void {
    const known = this.places.get(voter) ?? []
    if (known.at(-1) === place) return
    const places = [...known.filter((one) => one !== place), place]
    if (places.length > this.most) places.shift()!.voters.delete(voter)
    place.voters.add(voter)
    this.places.set(voter, places)
  }

  /** The place is gone. */
  leave(place: P): void {
    for (const voter of place.voters) {
      const places = this.places.get(voter)!.filter((one) => one !== place)
      if (places.length > 0) this.places.set(voter, places)
      else this.places.delete(voter)
    }
    place.voters.clear()
  }
}
