/** The bans: peer ids, addresses and ranges of them, for good or until a time. */
import { BlockList, isIP } from 'node:net'

export interface Ban {
  /** A peer id, an address, or a range in CIDR notation. */
  readonly subject: string
  /** Ms since 1970; Infinity = for good. */
  readonly untilMs: number
  readonly reason: string
}

/** A peer id in base58 (`12D3…`, `Qm…`) or as a CID. */
const PEER_ID = /^[1-9A-HJ-NP-Za-km-z]{40,64}$|^[bkz][a-zA-Z0-9]{50,80}$/

export const isPeerId = (text: string): boolean => PEER_ID.test(text)

/** The subject that a text names, in one form; undefined for neither a peer id, nor an address, nor a range. */
export function readSubject(text: string): string | undefined {
  const [address = '', bits, ...rest] = text.trim().split('/')
  const version = isIP(address)
  if (version === 0) return isPeerId(text.trim()) ? text.trim() : undefined
  const plain = plainAddress(address)
  if (bits === undefined) return plain
  const most = version === 4 ? 32 : 128
  if (rest.length > 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > most) return undefined
  return `${plain}/${Number(bits)}`
}

/** An IPv4 address that came over an IPv6 socket is the IPv4 address. */
export const plainAddress = (address: string): string => address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '')

interface Entry extends Ban {
  /** The intake gave it by itself. */
  readonly isOwn: boolean
  /** The range, for an address or a range. */
  readonly covers: BlockList | undefined
}

export class Bans {
  /** Bans of the settings, of the operator at run time, and of the intake itself. */
  private readonly fixed: readonly Entry[]
  private ordered: readonly Entry[] = []
  private readonly own = new Map<string, Entry>()
  private readonly ownMax: number

  /** @param fixed subjects that are banned for good. Throws RangeError for one that is none. */
  constructor(fixed: readonly string[], ownMax: number) {
    this.fixed = fixed.map((subject) =>
      entryOf({ subject, untilMs: Number.POSITIVE_INFINITY, reason: 'settings' }, false),
    )
    this.ownMax = ownMax
  }

  /** Takes all bans of the operator; a ban that is not among them any more is lifted. A subject that is none bans nobody. */
  order(bans: readonly Ban[]): void {
    this.ordered = bans.filter(({ subject }) => readSubject(subject) !== undefined).map((ban) => entryOf(ban, false))
  }

  /** Bans for what the intake saw. */
  add(ban: Ban): void {
    this.own.delete(ban.subject)
    this.own.set(ban.subject, entryOf(ban, true))
    for (const subject of this.own.keys()) {
      if (this.own.size <= this.ownMax) break
      this.own.delete(subject)
    }
  }

  /** Ends bans of the intake itself. */
  lift(subject: string): void {
    this.own.delete(subject)
  }

  /** Why a peer, or a host at an address, may not connect; undefined when it may. */
  of(
    { peerId, address }: { readonly peerId?: string; readonly address?: string },
    now: number,
  ): (Ban & { readonly isOwn: boolean }) | undefined {
    const host = address === undefined ? undefined : plainAddress(address)
    const hits = (entry: Entry): boolean =>
      entry.untilMs > now && (entry.subject === peerId || (host !== undefined && covers(entry, host)))
    const mine = [peerId, host].map((subject) => (subject === undefined ? undefined : this.own.get(subject)))
    return (
      this.fixed.find(hits) ??
      this.ordered.find(hits) ??
      mine.find((entry) => entry && hits(entry)) ??
      this.ofRange(hits)
    )
  }

  /** Until when neither a peer nor its host (an address, or the /64 of an IPv6 one) may connect, as `bannedUntil` of PeerTraffic. */
  until({ peerId, host }: { readonly peerId: string; readonly host: string }, now: number): number | null {
    const ban = this.of({ peerId, address: host.split('/')[0]! }, now)
    if (!ban) return null
    return Number.isFinite(ban.untilMs) ? Math.round(ban.untilMs) : 0
  }

  /** Bans of the intake itself that still hold, newest first. */
  mine(now: number): readonly Ban[] {
    const all = [...this.own.values()].filter(({ untilMs }) => untilMs > now)
    return all.reverse().map(({ subject, untilMs, reason }) => ({ subject, untilMs, reason }))
  }

  /** Own bans of ranges (the /64 of an IPv6 user): few, and last because they take longest. */
  private ofRange(hits: (entry: Entry) => boolean): Entry | undefined {
    for (const entry of this.own.values()) if (entry.covers && entry.subject.includes('/') && hits(entry)) return entry
    return undefined
  }
}

function entryOf(ban: Ban, isOwn: boolean): Entry {
  const subject = readSubject(ban.subject)
  if (subject === undefined) throw new RangeError(`${ban.subject} is no peer id, address or range`)
  const [address = '', bits] = subject.split('/')
  const version = isIP(address)
  if (version === 0) return { ...ban, isOwn, subject, covers: undefined }
  const covers = new BlockList()
  const family = version === 4 ? 'ipv4' : 'ipv6'
  if (bits === undefined) covers.addAddress(address, family)
  else covers.addSubnet(address, Number(bits), family)
  return { ...ban, isOwn, subject, covers }
}

const covers = ({ covers: list }: Entry, host: string): boolean => {
  const version = isIP(host)
  return version !== 0 && list !== undefined && list.check(host, version === 4 ? 'ipv4' : 'ipv6')
}
