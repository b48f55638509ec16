/**
 * The values that answers of a node are made of. None is believed unchecked: a wrong one is an EvmError `BAD_ANSWER`.
 * `Number` and `BigInt` alone take an empty text for 0, spaces, decimals and exponents.
 */
import { EvmError } from '../errors.ts'

/** A number up to 2^53-1, of 0x and hex digits, or of the ABI's decoder. */
export function quantity(value: unknown, what: string): number {
  const number = Number(bigQuantity(value, what))
  if (Number.isSafeInteger(number)) return number
  throw malformed(value, `${what} is not a number up to 2^53-1`)
}

/**
 * A number that owners set: they may set the largest there is, to switch something off, and that must stop nothing. From 2^53-1
 * on each is as good as that one.
 */
export function cappedQuantity(value: unknown, what: string): number {
  const number = bigQuantity(value, what)
  return number > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : Number(number)
}

/** More blocks, and transactions of one account, than there can be: sums of them, and of a window, remain exact. */
const COUNT_MAX = 2 ** 40
/** Gas of a block, a call or a receipt; a header of a Nitro chain says 2^50. */
const GAS_MAX = 2 ** 51
/** Seconds: the end of the year 9999, so that it can be told in ms and as a date too. */
const TIMESTAMP_MAX = 253_402_300_799

/** A number of a block, of an account's transactions, or of items in a block. */
export const count = (value: unknown, what: string): number => bounded(value, what, COUNT_MAX)
export const gas = (value: unknown, what: string): number => bounded(value, what, GAS_MAX)
/** Seconds since 1970. */
export const timestamp = (value: unknown, what: string): number => bounded(value, what, TIMESTAMP_MAX)

function bounded(value: unknown, what: string, max: number): number {
  const number = bigQuantity(value, what)
  if (number <= max) return Number(number)
  throw malformed(value, `${what} is more than ${max}`)
}

/** Up to 2^256-1. */
export function bigQuantity(value: unknown, what: string): bigint {
  if (typeof value === 'bigint' && value >= 0n) return value
  if (typeof value === 'string' && /^0x[0-9a-fA-F]{1,64}$/.test(value)) return BigInt(value)
  throw malformed(value, `${what} is not 0x and hex digits`)
}

/** 32 bytes as 0x and hex digits, in lower case. */
export function hash(value: unknown, what: string): string {
  if (typeof value === 'string' && /^0x[0-9a-fA-F]{64}$/.test(value)) return value.toLowerCase()
  throw malformed(value, `${what} is not a hash`)
}

/** 20 bytes as 0x and hex digits, in lower case. */
export function address(value: unknown, what: string): string {
  if (typeof value === 'string' && /^0x[0-9a-fA-F]{40}$/.test(value)) return value.toLowerCase()
  throw malformed(value, `${what} is not an address`)
}

/** The address in a topic or another word of 32 bytes, in lower case. */
export function addressIn(word: unknown, what: string): string {
  const bytes = hash(word, what)
  if (bytes.startsWith(`0x${'0'.repeat(24)}`)) return `0x${bytes.slice(26)}`
  throw malformed(word, `${what} is not an address`)
}

/** Whole bytes as 0x and hex digits, in lower case. */
export function hexBytes(value: unknown, what: string): string {
  if (typeof value === 'string' && value.length % 2 === 0 && /^0x[0-9a-fA-F]*$/.test(value)) return value.toLowerCase()
  throw malformed(value, `${what} is not 0x and whole bytes of hex digits`)
}

/** An object, whose fields are still to be checked. */
export function fieldsOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw malformed(value, `${what} is not an object`)
}

/** A list of at most so many items, which are still to be checked. */
export function listOf(value: unknown, what: string, itemsMax: number): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(value, `${what} is not a list`)
  if (value.length <= itemsMax) return value
  throw tooLong(`${what} has ${value.length} items, and ${itemsMax} is the most`)
}

/** Nodes leave a field out, or say null, where they have nothing. */
export const isAbsent = (value: unknown): value is undefined | null => value === undefined || value === null

export const badAnswer = (problem: string, cause?: unknown): EvmError =>
  new EvmError('BAD_ANSWER', problem, { retriable: true, cause })

export const tooLong = (problem: string): EvmError => new EvmError('ANSWER_TOO_LONG', problem, { retriable: true })

/** Length of a wrong value in a message. */
const SHOWN_MAX = 80

const malformed = (value: unknown, problem: string): EvmError => badAnswer(`${problem}: ${shown(value)}`)

/** The first characters of a value, whatever it is, without going through the rest of it. */
export function shown(value: unknown): string {
  try {
    return beginningOf(typeof value === 'object' ? value : String(value), SHOWN_MAX).slice(0, SHOWN_MAX)
  } catch {
    return `a ${typeof value}`
  }
}

/** As JSON; at least `chars` of it when there are so many. */
function beginningOf(value: unknown, chars: number): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, chars))
  if (typeof value !== 'object' || value === null) return String(value)
  let text = ''
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length && text.length < chars; at++)
      text += `${at > 0 ? ',' : ''}${beginningOf(value[at], chars - text.length)}`
    return `[${text}]`
  }
  for (const key in value) {
    const left = chars - text.length
    if (left <= 0) break
    const item = beginningOf((value as Record<string, unknown>)[key], left)
    text += `${text ? ',' : ''}${JSON.stringify(key.slice(0, left))}:${item}`
  }
  return `{${text}}`
}
