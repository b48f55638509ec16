/**
 * Numbers and hashes of JSON-RPC and of the ABI. `Number` and `BigInt` alone take an empty text for 0, spaces, decimals and exponents:
 * a node that answers so is broken, and asked again.
 */
import { EvmError } from './errors.ts'

/** A number up to 2^53-1, of 0x and hex digits, or of the ABI's decoder. */
export function quantity(value: unknown, what: string): number {
  const number = Number(bigQuantity(value, what))
  if (Number.isSafeInteger(number)) return number
  throw malformed(value, `${what} is not a number up to 2^53-1`)
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

const malformed = (value: unknown, problem: string): EvmError =>
  new EvmError('RPC_ERROR', `${problem}: ${JSON.stringify(String(value).slice(0, 80))}`, { retriable: true })
