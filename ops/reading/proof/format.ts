/**
 * The file that proves one submission's inclusion in an anchored batch (decision 0016). It has one form only: any other
 * byte, a space or a digit in capitals, makes it another file, which is refused.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { Conclusion } from '../../../connectors/evm/errors.ts'
import { printable } from '../../base/printable.ts'

export const FORMAT = 'powerloom-inclusion-proof'
export const VERSION = 1
/** A file above it is not read. Most have at most four blocks, of 350 KB each in base64. */
export const PROOF_BYTES_MAX = 8 * 1024 * 1024

const BLOCKS_MAX = 16
const PATH_MAX = 32
const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^0x[0-9a-f]{${2 * bytes}}$`), `not 0x and ${2 * bytes} hex digits`)
const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER)
const base64 = z.string().refine((text) => Buffer.from(text, 'base64').toString('base64') === text, 'not base64')
const path = z.array(hex(32)).max(PATH_MAX)

/** The order of the fields is that of the file. */
export const proofSchema = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  /** Chain and contract in which the batch is anchored; also the EIP-712 domain of the signature. */
  chainId: count,
  protocolState: hex(20),
  dataMarket: hex(20),
  epochId: count,
  projectId: z.string(),
  slotId: count,
  /** Whom the signature names. */
  signer: hex(20),
  submission: z.strictObject({
    /** Given by the collector; not signed. */
    id: z.string(),
    /** The signed message. */
    request: z.strictObject({
      slotId: count,
      deadline: count,
      snapshotCid: z.string(),
      epochId: count,
      projectId: z.string(),
    }),
    signature: z.string(),
    header: z.string(),
    dataMarket: z.string(),
    nodeVersion: z.string().nullable(),
  }),
  /** The tree over submission ids, as it is after this batch. */
  submissionIds: z.strictObject({
    leaf: hex(32),
    index: count,
    size: count,
    path,
    /** Path of the last leaf: shows that the tree has `size` leaves. */
    lastLeaf: hex(32),
    lastPath: path,
    root: hex(32),
    /** keccak256 of the root: what the batch states. */
    roothash: hex(32),
  }),
  /** The tree over the winning CIDs of the batch's projects. */
  finalizedCids: z.strictObject({
    snapshotCid: z.string(),
    leaf: hex(32),
    index: count,
    size: count,
    path,
    root: hex(32),
    /** keccak256 of the root: what the contract keeps. */
    finalizedCidsRootHash: hex(32),
  }),
  batch: z.strictObject({
    cid: z.string(),
    /** Blocks of the batch's file, root first: the blocks that hold the submission, and all behind the last submission. */
    blocks: z.array(base64).min(1).max(BLOCKS_MAX),
  }),
  /** The place where the batch was anchored. Nothing in the file can show it: it is for asking a node. */
  anchor: z.strictObject({ transactionHash: hex(32), blockNumber: count, blockHash: hex(32) }),
  /** sha256 of the lines before this one (`head -n -2`): against accidents, not against forgers. */
  checksum: hex(32),
})

export type Proof = Readonly<z.infer<typeof proofSchema>>
export type UnsealedProof = Omit<Proof, 'checksum'>

/** The reason why a proof does not hold, in words for its holder: quoted parts are printable. */
export class ProofFault extends Conclusion {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'ProofFault'
  }
}

export const seal = (proof: UnsealedProof): Proof => ({ ...proof, checksum: checksumOf(linesOf(proof)) })

export const proofText = ({ checksum, ...proof }: Proof): string => fileOf(linesOf(proof), checksum)

const fileOf = (lines: string, checksum: string): string => `${lines}  "checksum": "${checksum}"\n}\n`

/** All lines of the file before that of the checksum. */
const linesOf = (proof: UnsealedProof): string => `${JSON.stringify(proof, null, 2).slice(0, -2)},\n`

const checksumOf = (lines: string): string => `0x${createHash('sha256').update(lines).digest('hex')}`

/** Throws ProofFault for bytes that are not exactly what `proofText` writes of a proof. */
export function parseProof(bytes: Uint8Array): Proof {
  if (bytes.length > PROOF_BYTES_MAX) throw new ProofFault(`the file has more than ${PROOF_BYTES_MAX} bytes`)
  const parsed = proofSchema.safeParse(jsonOf(bytes))
  if (!parsed.success) throw new ProofFault(parsed.error.issues.slice(0, 3).map(faultOf).join('; '))
  const { checksum, ...proof } = parsed.data
  const lines = linesOf(proof)
  if (Buffer.compare(Buffer.from(fileOf(lines, checksum)), bytes) !== 0)
    throw new ProofFault(
      'the file is not in the form that proofs are written in: spaces, order or escapes were changed',
    )
  if (checksumOf(lines) !== checksum) throw new ProofFault('the checksum is another: the file was changed')
  return parsed.data
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (error) {
    throw new ProofFault(`the file is no JSON text: ${printable((error as Error).message)}`, error)
  }
}

const faultOf = ({ path: where, message }: z.core.$ZodIssue): string =>
  `${where.join('.') || 'the file'}: ${printable(message)}`
