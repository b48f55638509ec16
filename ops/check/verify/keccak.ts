import { createKeccak } from 'hash-wasm'

/** keccak-256 of the bytes. */
export type Keccak = (bytes: Uint8Array) => Uint8Array

export async function createKeccak256(): Promise<Keccak> {
  const hasher = await createKeccak(256)
  return (bytes) => hasher.init().update(bytes).digest('binary')
}

export const toHex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`

/** Bytes of 0x and hex digits; any other text throws, of which Buffer would make some bytes or none. */
export function fromHex(text: string): Buffer {
  const digits = /^0x([0-9a-f]*)$/i.exec(text)?.[1]
  if (digits === undefined || digits.length % 2 === 1) throw new RangeError('not 0x and pairs of hex digits')
  return Buffer.from(digits, 'hex')
}
