/**
 * EIP-712 digest and signer of a submission, by libauth's WebAssembly: a second implementation beside topology/shared/signature.ts.
 * Source: EIP-712; the deployed dequeuer (HashRequest) for domain, type and signature form.
 */
import { instantiateSecp256k1 } from '@bitauth/libauth'
import { createKeccak256, fromHex, toHex } from './keccak.ts'

export interface SigningDomain {
  readonly chainId: number
  /** ProtocolState proxy, the verifyingContract: 0x and 40 hex digits. */
  readonly protocolState: string
}

/** The signed fields. Integers are uint256. */
export interface SignedRequest {
  readonly slotId: bigint | number
  readonly deadline: bigint | number
  readonly snapshotCid: string
  readonly epochId: bigint | number
  readonly projectId: string
}

export interface SignatureReader {
  domainSeparator(domain: SigningDomain): Uint8Array
  digest(separator: Uint8Array, request: SignedRequest): Uint8Array
  /** The signer, lower case, or why there is none. */
  signer(digest: Uint8Array, signature: string): { readonly address: string } | { readonly fault: string }
}

const DOMAIN_TYPE = 'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)'
const REQUEST_TYPE = 'EIPRequest(uint256 slotId,uint256 deadline,string snapshotCid,uint256 epochId,string projectId)'
/** Half of the order of secp256k1: a larger s is the other form of the same signature. */
const S_MAX = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n

export async function createSignatureReader(): Promise<SignatureReader> {
  const [keccak, secp256k1] = await Promise.all([createKeccak256(), instantiateSecp256k1()])
  const hashText = (text: string) => keccak(Buffer.from(text, 'utf8'))
  const [domainType, requestType] = [hashText(DOMAIN_TYPE), hashText(REQUEST_TYPE)]

  return {
    domainSeparator: ({ chainId, protocolState }) =>
      keccak(
        Buffer.concat([
          domainType,
          hashText('PowerloomProtocolContract'),
          hashText('0.1'),
          uint256(chainId),
          Buffer.alloc(12),
          fromHex(protocolState),
        ]),
      ),

    digest(separator, { slotId, deadline, snapshotCid, epochId, projectId }) {
      const fields = [uint256(slotId), uint256(deadline), hashText(snapshotCid), uint256(epochId), hashText(projectId)]
      const message = keccak(Buffer.concat([requestType, ...fields]))
      return keccak(Buffer.concat([PREFIX, separator, message]))
    },

    signer(digest, signature) {
      const fault = signatureFault(signature)
      if (fault !== undefined) return { fault }
      const bytes = fromHex(`0x${signature}`)
      const key = secp256k1.recoverPublicKeyUncompressed(bytes.subarray(0, 64), bytes[64] === 27 ? 0 : 1, digest)
      if (typeof key === 'string') return { fault: 'no public key can be recovered' }
      return { address: toHex(keccak(key.subarray(1)).subarray(12)) }
    },
  }
}

/** Why a text is the signature of nothing at all, whatever was signed. */
export function signatureFault(signature: string): string | undefined {
  const wrong = signature.search(/[^0-9a-fA-F]/)
  if (wrong >= 0)
    return `the signature is not 130 hex digits: it has U+${signature.codePointAt(wrong)!.toString(16).toUpperCase().padStart(4, '0')} at ${wrong}`
  if (signature.length !== 130) return `the signature is not 130 hex digits: it has ${signature.length}`
  const bytes = fromHex(`0x${signature}`)
  const v = bytes[64]!
  if (v !== 27 && v !== 28) return `v is ${v}, not 27 or 28`
  return BigInt(toHex(bytes.subarray(32, 64))) > S_MAX ? 's lies in the upper half of the order' : undefined
}

const PREFIX = Buffer.from([0x19, 0x01])

function uint256(value: bigint | number): Buffer {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex')
}
