import { createRequire } from 'node:module'
import { createCRC32 } from 'hash-wasm'

type Checksum = (bytes: Uint8Array) => number

/** The Castagnoli polynomial, bits reversed. */
const POLYNOMIAL = 0x82f63b78

/**
 * The CRC-32C that guards every record batch, as an unsigned integer. By the processor's own instruction (6 GB/s) where
 * there is a binary for the platform, else in WebAssembly (2 GB/s).
 */
export const crc32c: Checksum = nativeCrc32c() ?? (await wasmCrc32c())

/** @returns undefined where the package has no binary for this platform */
export function nativeCrc32c(): Checksum | undefined {
  try {
    const native: { readonly crc32c: Checksum } = createRequire(import.meta.url)('@node-rs/crc32')
    return (bytes) => native.crc32c(bytes)
  } catch {
    return undefined
  }
}

export async function wasmCrc32c(): Promise<Checksum> {
  const hasher = await createCRC32(POLYNOMIAL)
  return (bytes) => {
    hasher.init()
    hasher.update(bytes)
    const digest = hasher.digest('binary')
    return ((digest[0]! << 24) | (digest[1]! << 16) | (digest[2]! << 8) | digest[3]!) >>> 0
  }
}
