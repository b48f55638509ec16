/**
 * Message of a collector → `Submission`, or what is wrong with it. Fields as Go's encoding/json writes the protobuf struct
 *: an absent field is its zero value, uint64 are JSON numbers; decimal strings are taken too.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import { NONE } from '../../schemas/none.ts'
import type { Submission } from '../../schemas/types.ts'
import type { Frame } from './framing.ts'

/**
 * Longest strings taken, in bytes of UTF-8. Whether a value is right is for `validate` to say, with a verdict; these only
 * bound what a record of the log can hold. No market has a rule that takes more.
 */
export const LENGTH_MAX = {
  projectId: 1_024,
  snapshotCid: 256,
  /** 130 hex digits. */
  signature: 256,
  /** 0x and 64 hex digits. */
  header: 128,
  /** 0x and 40 hex digits. */
  dataMarket: 128,
  nodeVersion: 256,
} as const

export type Decoded =
  | { readonly submission: Submission; readonly problem?: undefined }
  | {
      readonly submission?: undefined
      readonly problem: string
      /** The bytes are no JSON, so where the message ends is a guess: nothing behind it can be trusted. */
      readonly unframed: boolean
    }

/** @param receivedAt ms since 1970 by the intake's clock */
export function decodeSubmission(frame: Frame, receivedAt: number): Decoded {
  const object = parse(frame)
  if (!object) return { problem: 'the object is not valid JSON in UTF-8', unframed: true }
  const request = object.request
  // A message without a request crashes the deployed listener; the frame itself is whole, so the stream goes on.
  if (!isObject(request)) return { problem: 'request is missing or no object', unframed: false }
  const reader = new FieldReader()
  const submission: Submission = {
    submissionId: frame.submissionId,
    slotId: reader.integer(request, 'slotId'),
    deadline: reader.integer(request, 'deadline'),
    snapshotCid: reader.text(request, 'snapshotCid'),
    epochId: reader.integer(request, 'epochId'),
    projectId: reader.text(request, 'projectId'),
    signature: reader.text(object, 'signature'),
    header: reader.text(object, 'header'),
    dataMarket: reader.text(object, 'dataMarket'),
    nodeVersion: isAbsent(object.nodeVersion) ? null : reader.text(object, 'nodeVersion'),
    receivedAt,
    position: null,
    digest: NO_DIGEST,
    fullNode: false,
    signer: '',
    headerBlock: NONE,
    contested: false,
  }
  return reader.problem === undefined ? { submission } : { problem: reader.problem, unframed: false }
}

type JsonObject = Readonly<Record<string, unknown>>

/** `validate` computes it. */
const NO_DIGEST = Buffer.alloc(0)

/** Reads fields and remembers the first that is wrong. */
class FieldReader {
  problem: string | undefined

  integer(object: JsonObject, name: 'slotId' | 'deadline' | 'epochId'): number {
    const value = object[name]
    if (isAbsent(value)) return 0
    const number = typeof value === 'string' && DECIMAL.test(value) ? Number(value) : value
    if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number
    this.problem ??= `${name} is no integer from 0 to 2^53-1`
    return 0
  }

  text(object: JsonObject, name: keyof typeof LENGTH_MAX): string {
    const value = object[name]
    if (isAbsent(value)) return ''
    if (typeof value !== 'string') this.problem ??= `${name} is no string`
    else if (Buffer.byteLength(value) > LENGTH_MAX[name])
      this.problem ??= `${name} is longer than ${LENGTH_MAX[name]} bytes`
    // A lone surrogate has no UTF-8 form: what was signed could not be told from what is stored.
    else if (!isWellFormed(value)) this.problem ??= `${name} holds half of a surrogate pair`
    else return value
    return ''
  }
}

/** Up to 16 digits; what exceeds 2^53-1 among them is seen after the conversion, which keeps the order. */
const DECIMAL = /^(?:0|[1-9]\d{0,15})$/

/** Go reads null as "leave the zero value". */
const isAbsent = (value: unknown): value is undefined | null => value === undefined || value === null
const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isWellFormed = (text: string): boolean => (text as string & { isWellFormed(): boolean }).isWellFormed()

function parse({ json, plainNumbers }: Frame): JsonObject | undefined {
  const text = isAscii(json) ? json.toString('latin1') : isUtf8(json) ? json.toString('utf8') : undefined
  if (text === undefined) return undefined
  try {
    const parsed = JSON.parse(text) as JsonObject
    return plainNumbers ? parsed : (JSON.parse(text.replace(STRING_OR_NUMBER, markUnlikePlain)) as JsonObject)
  } catch {
    return undefined
  }
}

/**
 * JSON.parse rounds, so that `4036.0000000000000001` or `-0` would pass for integers. In an object that has such a number
 * each of them becomes a string that no integer field takes. Valid JSON only, so strings and numbers are found safely.
 */
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|[-0-9][-+.0-9eE]*/g
const markUnlikePlain = (token: string): string =>
  token.charCodeAt(0) === 0x22 || /^\d+$/.test(token) ? token : '"not a plain integer"'
