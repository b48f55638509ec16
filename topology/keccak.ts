/** keccak-256, synchronous. The WebAssembly module is made once, when this file is first imported (also in a worker). */
import { createKeccak } from 'hash-wasm'

const hasher = await createKeccak(256)

/** The 32-byte digest of the bytes, or of the UTF-8 bytes of a string. */
export const keccak256 = (data: Uint8Array | string): Uint8Array => hasher.init().update(data).digest('binary')

/** keccak256(first ‖ second). */
export const keccak256Of = (first: Uint8Array, second: Uint8Array | string): Uint8Array =>
  hasher.init().update(first).update(second).digest('binary')

/** 0x and lower-case hex, as hashes and roots are published. */
export const toHex = (bytes: Uint8Array): string =>
  `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`

/** The bytes of 0x and hex. */
export const fromHex = (hex: string): Uint8Array => Buffer.from(hex.slice(2), 'hex')
