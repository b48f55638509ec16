/**
 * Bounds the RSA identities of peers. A signature takes as long to verify as the exponent of its key is: 7 ms with one of 3,072 bits,
 * 0.2 ms with the one that everybody has. Noise and TLS both ask the key of the library, which takes any.
 */
import { createPublicKey } from 'node:crypto'
import { publicKeyFromProtobuf } from '@libp2p/crypto/keys'
import type { RSAPublicKey } from '@libp2p/interface'

/** Bytes of the longest exponent: 65,537 has three, and others in use are smaller. */
const EXPONENT_BYTES_MAX = 3
/** The head of a protobuf of an RSA key whose DER has 294 bytes, as one of 2,048 bits has. */
const RSA_2048 = Buffer.from([0x08, 0x00, 0x12, 0xa6, 0x02])

let isBounded = false

/** A signature by a key with a longer exponent is wrong from now on, in the whole process. */
export function boundExponents(): void {
  if (isBounded) return
  isBounded = true
  const keys = Object.getPrototypeOf(anyRsaKey()) as Pick<RSAPublicKey, 'verify'>
  const { verify } = keys
  keys.verify = function (this: RSAPublicKey, ...asked) {
    return exponentBytesOf(this) <= EXPONENT_BYTES_MAX && verify.apply(this, asked)
  }
}

const exponentBytesOf = ({ jwk }: RSAPublicKey): number => Buffer.from(jwk.e ?? '', 'base64url').length

/** The library tells nobody of its class, so one of its keys does. */
function anyRsaKey(): object {
  const jwk = { kty: 'RSA', n: Buffer.alloc(256, 0xff).toString('base64url'), e: 'AQAB' }
  const der = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'der' })
  return publicKeyFromProtobuf(Buffer.concat([RSA_2048, der]))
}
