/**
 * The JSON of a batch, read from any layout and written in the one form that is hashed: compact, Go's escapes, and each
 * submission as canonical protojson. Source: the deployed finalizer (BatchSubmission); Go protojson.
 */
import { z } from 'zod'

export interface BatchContent {
  readonly submissionIDs: readonly string[]
  /** protojson texts, as they were found. */
  readonly submissions: readonly string[]
  readonly roothash: string
  readonly pids: readonly string[]
  readonly cids: readonly string[]
}

/** A submission out of a batch. Integers are uint64. */
export interface BatchSubmission {
  readonly request: {
    readonly slotId: bigint
    readonly deadline: bigint
    readonly snapshotCid: string
    readonly epochId: bigint
    readonly projectId: string
  }
  readonly signature: string
  readonly header: string
  readonly dataMarket: string
  /** undefined when the field was absent. */
  readonly nodeVersion?: string | undefined
}

/** `NOT_JSON`: the bytes are no JSON text. `NOT_A_BATCH`: they are, of something else. */
export class BatchFormatError extends Error {
  readonly code: 'NOT_JSON' | 'NOT_A_BATCH'
  constructor(code: BatchFormatError['code'], message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'BatchFormatError'
    this.code = code
  }
}

const texts = z.array(z.string())
const batchSchema = z.object({
  submissionIDs: texts,
  submissions: texts,
  roothash: z.string(),
  pids: texts,
  cids: texts,
})

export function parseBatch(bytes: Uint8Array): BatchContent {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw new BatchFormatError('NOT_JSON', `no JSON text: ${(error as Error).message}`, error)
  }
  const parsed = batchSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.join('.') || 'the text'}: ${message}`)
  throw new BatchFormatError('NOT_A_BATCH', `JSON, but no batch: ${faults.join('; ')}`)
}

/** The bytes whose CID is the batch's. A submission that cannot be read stays as it is. */
export function batchBytes(batch: BatchContent): Buffer {
  return compactBytes({ ...batch, submissions: batch.submissions.map(canonicalText) })
}

/** The bytes of a batch whose submissions are canonical already. */
export function compactBytes({ submissionIDs, submissions, roothash, pids, cids }: BatchContent): Buffer {
  const text = JSON.stringify({ submissionIDs, submissions, roothash, pids, cids })
  return Buffer.from(text.replace(GO_ESCAPED, goEscape), 'utf8')
}

/** A text as a JSON string in a batch. */
export const quoted = (text: string): string => JSON.stringify(text).replace(GO_ESCAPED, goEscape)

/** Go's encoding/json writes these as \u00xx inside strings; none of them occurs outside strings. */
const GO_ESCAPED = /[<>&\u2028\u2029]/g
const goEscape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

function canonicalText(text: string): string {
  try {
    return submissionText(parseSubmission(text))
  } catch {
    return text
  }
}

/** Canonical protojson: two spaces, integers as strings, empty fields left out, in the order of the proto file. */
export function submissionText({ request, signature, header, dataMarket, nodeVersion }: BatchSubmission): string {
  const { slotId, deadline, snapshotCid, epochId, projectId } = request
  const fields = {
    slotId: unsigned(slotId),
    deadline: unsigned(deadline),
    snapshotCid,
    epochId: unsigned(epochId),
    projectId,
  }
  const message = { request: present(fields), ...present({ signature, header, dataMarket }) }
  return JSON.stringify(nodeVersion === undefined ? message : { ...message, nodeVersion }, null, 2)
}

const unsigned = (value: bigint): string => (value === 0n ? '' : value.toString())
const present = (fields: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''))

const UINT64_MAX = 2n ** 64n - 1n
const uint64 = z
  .union([z.string().regex(/^(0|[1-9][0-9]{0,19})$/), z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)])
  .transform((value) => BigInt(value))
  .refine((value) => value <= UINT64_MAX, 'above 2^64 − 1')
  .default(0n)
const text = z.string().default('')
const submissionSchema = z.strictObject({
  request: z.strictObject({ slotId: uint64, deadline: uint64, snapshotCid: text, epochId: uint64, projectId: text }),
  signature: text,
  header: text,
  dataMarket: text,
  nodeVersion: z.string().optional(),
})

/** Reads protojson of any layout. Throws for what protojson itself refuses: other types, unknown fields. */
export function parseSubmission(json: string): BatchSubmission {
  return submissionSchema.parse(JSON.parse(json))
}

/** The same, but for epochs above 2^53 − 1: reports hold numbers of JSON, and the pipeline takes no greater one. */
export function readSubmission(json: string): BatchSubmission {
  const submission = parseSubmission(json)
  const { epochId } = submission.request
  if (epochId > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error(`epoch ${epochId} is above 2^53 − 1`)
  return submission
}
