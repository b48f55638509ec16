/** Numbers, times and hashes as people read them. Pure. */

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** `850 ms` is `0.9 s`, then `12 s`, `2 min 10 s`, `1 h 5 min`, `3 d 2 h`. Never negative: clocks differ a little. */
export function duration(ms: number): string {
  const t = Math.max(0, ms)
  if (t < 9_950) return `${(t / SECOND).toFixed(1)} s`
  if (t < MINUTE - SECOND / 2) return `${Math.round(t / SECOND)} s`
  if (t < HOUR) return pair(Math.round(t / SECOND), 60, 'min', 's')
  if (t < DAY) return pair(Math.round(t / MINUTE), 60, 'h', 'min')
  return pair(Math.round(t / HOUR), 24, 'd', 'h')
}

function pair(total: number, per: number, big: string, small: string): string {
  const rest = total % per
  return `${Math.floor(total / per)} ${big}${rest > 0 ? ` ${rest} ${small}` : ''}`
}

export const count = (n: number): string => n.toLocaleString('en')

/** `1 batch`, `2 batches`. */
export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`

/** Full support is 100 %, and nothing below it is rounded up to it. */
export function percent(share: number): string {
  const tenths = Math.floor(share * 1_000 + 1e-9)
  return `${tenths % 10 === 0 ? tenths / 10 : (tenths / 10).toFixed(1)} %`
}

/** Both ends of what is too long to read. */
export const short = (text: string, head = 8, tail = 6): string =>
  text.length <= head + tail + 1 ? text : `${text.slice(0, head)}…${text.slice(-tail)}`

/** `14:03:21`, with the date before it when that is not today's. */
export function clockTime(ms: number, now: number): string {
  const at = new Date(ms)
  const time = at.toLocaleTimeString('en-GB')
  return at.toDateString() === new Date(now).toDateString() ? time : `${at.toLocaleDateString('en-CA')} ${time}`
}

/** With a capital and a full stop; nothing stays nothing. */
export const sentence = (text: string): string =>
  text === '' ? '' : `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`

/** `a, b and c`. */
export const listing = (words: readonly string[]): string =>
  words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
