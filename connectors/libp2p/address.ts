/** Addresses of sockets, and what the limits of an address go by. */
import type { MultiaddrConnection } from '@libp2p/interface'
import { plainAddress } from './bans.ts'

type Addressed = Pick<MultiaddrConnection, 'remoteAddr'>

export function addressOf({ remoteAddr }: Addressed): string {
  const found = remoteAddr.getComponents().find(({ name }) => name === 'ip4' || name === 'ip6')
  return plainAddress(found?.value ?? '')
}

/** The address limits go by: an IPv4 address, or the /64 that an IPv6 user has all of. */
export function hostOf(connection: Addressed): string {
  const value = addressOf(connection)
  if (!value.includes(':')) return value
  const [left = '', right] = value.split('::')
  const groups = left.split(':').filter(Boolean)
  const tail = (right ?? '').split(':').filter(Boolean)
  const all = right === undefined ? groups : [...groups, ...Array(8 - groups.length - tail.length).fill('0'), ...tail]
  return `${all.slice(0, 4).join(':')}::/64`
}

/** The addresses that one user is likely to have all of: the /24 of an IPv4 address, the /48 of an IPv6 one. @param host of `hostOf` */
export function prefixOf(host: string): string {
  if (host.includes(':')) return `${host.split(':').slice(0, 3).join(':')}::/48`
  return `${host.split('.').slice(0, 3).join('.')}.0/24`
}
