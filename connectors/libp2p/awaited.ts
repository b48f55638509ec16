/**
 * For which epochs that are not released yet owners of slots have votes here. They are counted, for ids say nothing of time: a
 * market may pass over as many as it likes. `validate` lets the farthest of them give way to a nearer one; here who has enough
 * has enough, else one could go on for ever, each time nearer.
 */
export class Awaited {
  private readonly epochs = new Map<string, Set<number>>()
  private readonly ownersMax: number

  /** @param ownersMax number of owners; beyond it the first ones are forgotten */
  constructor(ownersMax: number) {
    this.ownersMax = ownersMax
  }

  /**
   * True when an owner may vote for the epoch: it does already, or it votes for fewer than `max` other epochs.
   * @param isAwaited those for which it is no longer true are let go
   */
  hasRoom(owner: string, epochId: number, max: number, isAwaited: (epochId: number) => boolean): boolean {
    const epochs = this.epochs.get(owner)
    if (!epochs || epochs.has(epochId) || epochs.size < max) return true
    for (const one of epochs) if (!isAwaited(one)) epochs.delete(one)
    return epochs.size < max
  }

  add(owner: string, epochId: number): void {
    const epochs = this.epochs.get(owner) ?? new Set()
    this.epochs.set(owner, epochs.add(epochId))
    if (this.epochs.size > this.ownersMax) this.epochs.delete(this.epochs.keys().next().value!)
  }
}
