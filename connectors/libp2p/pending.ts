/** Bytes of the connections that have come and that nobody can take yet: one account of them, whatever they wait for. */
import type { Guest } from './peer.ts'

interface Account {
  bytes: number
  readonly bySource: Map<object, number>
}

export class Pending {
  /** Bytes of all. */
  bytes = 0
  private readonly accounts = new WeakMap<Guest, Account>()

  of(guest: Guest): number {
    return this.accounts.get(guest)?.bytes ?? 0
  }

  /** @param source that has them @returns how many more they are than before */
  set(guest: Guest, source: object, bytes: number): number {
    const account = this.accounts.get(guest) ?? { bytes: 0, bySource: new Map() }
    const added = bytes - (account.bySource.get(source) ?? 0)
    if (added === 0) return 0
    if (bytes > 0) account.bySource.set(source, bytes)
    else account.bySource.delete(source)
    account.bytes += added
    this.accounts.set(guest, account)
    this.bytes += added
    return added
  }
}
