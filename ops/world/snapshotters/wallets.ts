import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { computeAddress, SigningKey } from 'ethers'

export interface SlotWallet {
  readonly slotId: number
  readonly privateKey: Uint8Array
  /** Lower case. */
  readonly address: string
}

/** The key of a simulated snapshotter: a function of seed and slot, so that a chain can be set up for the same ones. */
export function slotWallet(seed: number, slotId: number): SlotWallet {
  const privateKey = createHash('sha256').update(`simulated snapshotter ${seed}/${slotId}`).digest()
  return { slotId, privateKey, address: computeAddress(`0x${privateKey.toString('hex')}`).toLowerCase() }
}

type Sign = (digest: Uint8Array, privateKey: Uint8Array) => string

/** 130 hex digits r, s, v; low s. Native where there is a binary (15 times faster), else ethers. */
export const signDigest: Sign = nativeSign() ?? ethersSign

function nativeSign(): Sign | undefined {
  try {
    const native = createRequire(import.meta.url)('secp256k1/bindings') as {
      ecdsaSign(digest: Uint8Array, key: Uint8Array): { signature: Uint8Array; recid: number }
    }
    return (digest, privateKey) => {
      const { signature, recid } = native.ecdsaSign(digest, privateKey)
      return `${Buffer.from(signature).toString('hex')}${(27 + recid).toString(16)}`
    }
  } catch {
    return undefined
  }
}

function ethersSign(digest: Uint8Array, privateKey: Uint8Array): string {
  return new SigningKey(privateKey).sign(digest).serialized.slice(2)
}

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** The other valid signature of the same digest and key: n − s, the recovery id flipped. */
export function highSTwin(signature: string): string {
  const s = (ORDER - BigInt(`0x${signature.slice(64, 128)}`)).toString(16).padStart(64, '0')
  return signature.slice(0, 64) + s + (signature.endsWith('1b') ? '1c' : '1b')
}
