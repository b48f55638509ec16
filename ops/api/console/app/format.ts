/** Numbers, times and hashes as people read them. Pure. */

export { coin, count, duration, percent, plural } from '../../../base/words.ts'

/** Both ends of what is too long to read. */
export const short = (text: string, head = 8, tail = 6): string =>
  text.length <= head + tail + 1 ? text : `${text.slice(0, head)}…${text.slice(-tail)}`

/** `14:03:21 UTC+1`, with the date before it when that is not today's. */
export function clockTime(ms: number, now: number): string {
  const at = new Date(ms)
  const time = `${at.toLocaleTimeString('en-GB')} ${zoneName(at.getTimezoneOffset())}`
  return at.toDateString() === new Date(now).toDateString() ? time : `${at.toLocaleDateString('en-CA')} ${time}`
}

/** @param behind minutes behind UTC, as `Date` has them: −330 is `UTC+5:30` */
export function zoneName(behind: number): string {
  if (behind === 0) return 'UTC'
  const [hours, minutes] = [Math.floor(Math.abs(behind) / 60), Math.abs(behind) % 60]
  return `UTC${behind < 0 ? '+' : '−'}${hours}${minutes === 0 ? '' : `:${String(minutes).padStart(2, '0')}`}`
}

/** With a capital and a full stop; nothing stays nothing. */
export const sentence = (text: string): string =>
  text === '' ? '' : `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`

/** `a, b and c`. */
export const listing = (words: readonly string[]): string =>
  words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
