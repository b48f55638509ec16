/** The key that seals what decides: a file with 64 hex digits, the seed of an Ed25519 key. */
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { readSignerKey } from '../../../connectors/evm/anchor-effects/anchor-signer.ts'
import type { SealSigner } from '../../../topology/shared/seals.ts'

const OWNER_ONLY = 0o600
/** The bytes before the seed in a PKCS #8 document (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Never overwrites a file. @returns the signer of the key that is there then. Throws as `readSealSigner` */
export function ensureMarkerKey(file: string): SealSigner {
  mkdirSync(dirname(file), { recursive: true })
  if (!existsSync(file)) writeFileSync(file, `${randomBytes(32).toString('hex')}\n`, { mode: OWNER_ONLY, flag: 'wx' })
  return readSealSigner(file)
}

/** Throws EvmError `SIGNER_KEY` on a file that cannot be read, that others can read, or that holds something else. */
export function readSealSigner(file: string): SealSigner {
  const seed = Buffer.from(readSignerKey(file).slice(2), 'hex')
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
  return { publicKey: publicKeyOf(key), sign: (bytes) => sign(null, bytes, key) }
}

const publicKeyOf = (key: KeyObject): string =>
  Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x!, 'base64url').toString('hex')
