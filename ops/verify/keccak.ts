import { createKeccak } from 'hash-wasm'

/** keccak-256 of the bytes. */
export type Keccak = (bytes: Uint8Array) => Uint8Array

export async function createKeccak256(): Promise<Keccak> {
  const hasher = await createKeccak(256)
  return (bytes) => hasher.init().update(bytes).digest('binary')
}

export const toHex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`

/** Bytes of 0x hex. */
export const fromHex = (hex: string): Buffer => Buffer.from(hex.slice(2), 'hex')
