/** Numbers and times as people read them, on terminals and in the console. Pure, and for the browser too. */

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

const COIN_DECIMALS = 18
const COIN_SHOWN = 6

/** Wei as the chain's coin, rounded down: nobody is told of coin that is not there. @param wei decimal, not negative */
export function coin(wei: string | bigint): string {
  const digits = String(wei).padStart(COIN_DECIMALS + 1, '0')
  const whole = digits.slice(0, -COIN_DECIMALS).replace(/^0+(?=\d)/, '')
  const part = digits.slice(-COIN_DECIMALS, -COIN_DECIMALS + COIN_SHOWN).replace(/0+$/, '')
  if (whole === '0' && part === '' && /[1-9]/.test(digits)) return `less than 0.${'1'.padStart(COIN_SHOWN, '0')}`
  return part === '' ? whole : `${whole}.${part}`
}

/** Full support is 100 %, and nothing below it is rounded up to it. */
export function percent(share: number): string {
  const tenths = Math.floor(share * 1_000 + 1e-9)
  return `${tenths % 10 === 0 ? tenths / 10 : (tenths / 10).toFixed(1)} %`
}
