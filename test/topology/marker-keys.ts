/** Keys of tick-fanout for tests, each from a name. */
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import type { SealSigner } from '../../topology/shared/seals.ts'

export function markerSigner(name: string): SealSigner {
  const seed = createHash('sha256').update(`marker key ${name}`).digest()
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  return { publicKey: Buffer.from(x!, 'base64url').toString('hex'), sign: (bytes) => sign(null, bytes, key) }
}
