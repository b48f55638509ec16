/**
 * Public key recovery on secp256k1 by libsecp256k1: the native addon where it loads, else the same library as WebAssembly.
 * `secp256k1/bindings` is asked for on purpose: the package's main entry falls back to JavaScript (30 times slower) unasked.
 */
import { createRequire } from 'node:module'
import { instantiateSecp256k1 } from '@bitauth/libauth'

export interface Recovery {
  readonly backend: 'native' | 'wasm'
  /**
   * The uncompressed public key, 65 bytes, valid until the next call; or undefined when there is none.
   * @param compact r ‖ s, 64 bytes
   * @param recoveryId 0 or 1
   */
  recover(compact: Uint8Array, recoveryId: 0 | 1, digest: Uint8Array): Uint8Array | undefined
}

interface NativeSecp256k1 {
  ecdsaRecover(compact: Uint8Array, id: number, digest: Uint8Array, compressed: boolean, out: Uint8Array): Uint8Array
}

/** Undefined where no prebuilt binary fits this machine. */
export function nativeRecovery(): Recovery | undefined {
  let library: NativeSecp256k1
  try {
    library = createRequire(import.meta.url)('secp256k1/bindings') as NativeSecp256k1
  } catch {
    return undefined
  }
  const publicKey = new Uint8Array(65)
  const recover: Recovery['recover'] = (compact, recoveryId, digest) => {
    try {
      return library.ecdsaRecover(compact, recoveryId, digest, false, publicKey)
    } catch {
      return undefined // the library's only answer to r or s out of range and to a point that is none
    }
  }
  return { backend: 'native', recover }
}

export async function wasmRecovery(): Promise<Recovery> {
  const library = await instantiateSecp256k1()
  const recover: Recovery['recover'] = (compact, recoveryId, digest) => {
    const key = library.recoverPublicKeyUncompressed(compact, recoveryId, digest)
    return typeof key === 'string' ? undefined : key
  }
  return { backend: 'wasm', recover }
}

/** The implementation that this process uses; `recovery.backend` says which. */
export const recovery: Recovery = nativeRecovery() ?? (await wasmRecovery())
