/** Bytes of the connections that have come and that nobody can take yet: one account of them, whatever they wait for. */
import type { Guest } from './peer.ts'

export class Pending {
  /** Bytes of all. */
  bytes = 0
  private readonly byGuest = new WeakMap<Guest, number>()

  of(guest: Guest): number {
    return this.byGuest.get(guest) ?? 0
  }

  /** @returns how many more they are than before */
  set(guest: Guest, bytes: number): number {
    const added = bytes - this.of(guest)
    this.byGuest.set(guest, bytes)
    this.bytes += added
    return added
  }
}
