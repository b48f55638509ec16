/** keccak-256, synchronous. The WebAssembly module is made once, when this file is first imported (also in a worker). */
import { createKeccak } from 'hash-wasm'

const hasher = await createKeccak(256)

/** The 32-byte digest of the bytes, or of the UTF-8 bytes of a string. */
export const keccak256 = (data: Uint8Array | string): Uint8Array => hasher.init().update(data).digest('binary')

/** keccak256(first ‖ second). */
export const keccak256Of = (first: Uint8Array, second: Uint8Array | string): Uint8Array =>
  hasher.init().update(first).update(second).digest('binary')

/** The same bytes as a Buffer, which is what Avro takes; a digest that comes from a worker thread is a bare array. */
export const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** 0x and lower-case hex, as hashes and roots are published. */
export const toHex = (bytes: Uint8Array): string => `0x${asBuffer(bytes).toString('hex')}`

/**
 * The bytes of 0x and hex digits. @throws RangeError for any other text: Buffer would look at the low byte of each
 * character alone, so that U+0130 is a 0, and stop at the first that is no digit
 */
export function fromHex(hex: string): Uint8Array {
  if (!/^0x(?:[0-9a-fA-F]{2})*$/.test(hex)) throw new RangeError('a text that must be 0x and hex digits is not')
  return Buffer.from(hex.slice(2), 'hex')
}
