/**
 * EIP-712 signatures of snapshot submissions: digest (the submission's identity) and signer.
 * Source: EIP-712; domain and type of Powerloom's ProtocolState (typehashes checked in test/vectors/eip712.json).
 */
import { SIGNATURE_BYTES } from '../../schemas/framed-texts.ts'
import type { EpochMarker, Submission } from '../../schemas/types.ts'
import type { Preparation } from '../../streams/preparation.ts'
import { type MarketRules, type ProtocolRules, rulesOfMarket } from '../rules.ts'
import type { Evidence } from '../verdict.ts'
import { fromHex, keccak256, keccak256Of, toHex } from './keccak.ts'
import { type Recovery, recovery } from './recovery.ts'

/** A domain separator, 32 bytes: it binds a signature to one chain and one ProtocolState contract. */
export type Domain = Uint8Array

/** The digest is 32 bytes; with it the signer, lower case, or why there is none. */
export type Recovered =
  | { readonly digest: Uint8Array; readonly signer: string; readonly problem?: undefined }
  | { readonly digest: Uint8Array; readonly signer?: undefined; readonly problem: Evidence }

export type SignedFields = Pick<
  Submission,
  'slotId' | 'deadline' | 'snapshotCid' | 'epochId' | 'projectId' | 'signature'
>

const DOMAIN_TYPE = 'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)'
const REQUEST_TYPE = 'EIPRequest(uint256 slotId,uint256 deadline,string snapshotCid,uint256 epochId,string projectId)'
/** Half the order of the group: of the two valid s of a signature, the lower one is taken (EIP-2). */
const LOW_S_MAX = Buffer.from('7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0', 'hex')

/** The signer of each submission, recovered before `validate` has it. */
export const recoveredSigners: Preparation<Submission | EpochMarker, Recovered> = { name: 'recovered-signers' }

/**
 * Signers of a batch of submissions of any market; the costly step that the runtime runs ahead of `validate`, here or in
 * worker threads. Also of markets that are not served: only the task knows which ones are, at that place of the log.
 */
export function prepareSubmissions(rules: ProtocolRules): (submissions: readonly SignedSubmission[]) => Recovered[] {
  const domains = new Map(rules.markets.map((market) => [market.dataMarket, domainOf(market)]))
  const ofAdded = domainOf(rulesOfMarket(rules, ''))
  return (submissions) =>
    submissions.map((submission) =>
      recoverSigner(submission, domains.get(submission.dataMarket.toLowerCase()) ?? ofAdded),
    )
}

export type SignedSubmission = SignedFields & Pick<Submission, 'dataMarket'>

/** The signer of the submission under this domain; every refusal says what was expected and what came. */
export function recoverSigner(submission: SignedFields, domain: Domain, by: Recovery = recovery): Recovered {
  const digest = digestOf(submission, domain)
  const problem = readSignature(submission.signature)
  if (problem) return { digest, problem }
  const publicKey = by.recover(compact, signature[64] === 27 ? 0 : 1, digest)
  if (!publicKey) return { digest, problem: noSigner(submission.signature) }
  return { digest, signer: addressOf(publicKey) }
}

/** The domain of a market: name and version are Powerloom's, the contract is ProtocolState, not the data market. */
export function domainOf({ chainId, protocolState }: Pick<MarketRules, 'chainId' | 'protocolState'>): Domain {
  const words = Buffer.alloc(5 * 32)
  words.set(keccak256(DOMAIN_TYPE), 0)
  words.set(keccak256('PowerloomProtocolContract'), 32)
  words.set(keccak256('0.1'), 64)
  writeUint(words, 96, chainId)
  words.set(fromHex(protocolState), 128 + 12)
  return keccak256(words)
}

// A thread runs one recovery at a time, so the buffers are shared by all recoveries.
const struct = Buffer.alloc(6 * 32)
struct.set(keccak256(REQUEST_TYPE), 0)
const typedData = Buffer.alloc(2 + 32 + 32)
typedData.writeUInt16BE(0x1901)
const signature = Buffer.alloc(SIGNATURE_BYTES)
const compact = signature.subarray(0, 64)
const lowS = signature.subarray(32, 64)

/** keccak256(0x1901 ‖ domain ‖ struct hash), 32 bytes: the identity of a submission. */
export function digestOf(submission: Omit<SignedFields, 'signature'>, domain: Domain): Uint8Array {
  writeUint(struct, 32, submission.slotId)
  writeUint(struct, 64, submission.deadline)
  struct.set(keccak256(submission.snapshotCid), 96)
  writeUint(struct, 128, submission.epochId)
  struct.set(keccak256(submission.projectId), 160)
  typedData.set(domain, 2)
  typedData.set(keccak256(struct), 34)
  return keccak256(typedData)
}

/** A safe integer as a 32-byte word; the upper 24 bytes stay zero. */
function writeUint(into: Buffer, at: number, value: number): void {
  into.writeUInt32BE(Math.floor(value / 2 ** 32), at + 24)
  into.writeUInt32BE(value % 2 ** 32, at + 28)
}

/** 130 hex digits without 0x, upper case too: what Go's hex decoder takes. Buffer's takes U+0130 for a 0 as well. */
const SIGNATURE = /^[0-9a-fA-F]{130}$/

/** Puts the bytes of r, s, v into `signature`, or says what is wrong with them. */
function readSignature(hex: string): Evidence | undefined {
  if (!SIGNATURE.test(hex))
    return {
      rule: 'a signature is r, s, v in hex',
      expected: '130 hex digits without 0x',
      actual: hex.startsWith('0x') ? `${hex.length} characters that begin with 0x` : describeText(hex),
    }
  signature.write(hex, 'hex')
  const v = signature[64]
  if (v !== 27 && v !== 28)
    return { rule: 'the recovery id v is 27 or 28', expected: '1b or 1c', actual: hex.slice(128) }
  // Both s and n − s verify; taking one only makes a signature unique (EIP-2).
  if (Buffer.compare(lowS, LOW_S_MAX) > 0)
    return {
      rule: 's lies in the lower half of the order',
      expected: `at most ${LOW_S_MAX.toString('hex')}`,
      actual: lowS.toString('hex'),
    }
  return undefined
}

const describeText = (hex: string): string => {
  const wrong = hex.search(/[^0-9a-fA-F]/)
  if (wrong < 0) return `${hex.length} hex digits`
  const code = hex.codePointAt(wrong)!.toString(16).toUpperCase().padStart(4, '0')
  return `${hex.length} characters, no hex digit at ${wrong} (U+${code})`
}

const noSigner = (hex: string): Evidence => ({
  rule: 'the signature recovers a public key',
  expected: 'r and s in [1, n − 1] and a point of the curve',
  actual: `r ${hex.slice(0, 64).toLowerCase()}`,
})

/** The last 20 bytes of the hash of the key without its leading 04. */
const addressOf = (publicKey: Uint8Array): string => toHex(keccak256(publicKey.subarray(1)).subarray(12))

/** keccak256(closing block ‖ CID): nobody knows it while submitting, and every replay computes it alike (decision 0004). */
export const tieBreaker = (closeBlockHash: string, snapshotCid: string): Uint8Array =>
  keccak256Of(fromHex(closeBlockHash), snapshotCid)
