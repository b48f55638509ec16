/**
 * Whether a marker in `submissions` was written by tick-fanout, asked once more: signed by a key of the rules, for this
 * partition, behind the one before it. Anything else is what somebody put there, and counts for nothing (decision 0026).
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import type { LogRecord } from '../../../streams/ports.ts'
import type { ProtocolRules } from '../../../topology/rules.ts'

/** The bytes before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410). */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex')

interface Origin {
  /** Position of the key in the rules. */
  readonly key: number
  /** Offset and index in one, so that later ones are greater. */
  readonly place: bigint
}

/** The check of one partition, asked about its markers in the order of the log. */
export class MarkerOrigin {
  private readonly topic: string
  private readonly partition: number
  private readonly keys: readonly (readonly [string, KeyObject])[]
  private readonly unsignedFirst: boolean
  private last: Origin | undefined

  constructor(topic: string, partition: number, { markerKeys, unsignedMarkers }: ProtocolRules) {
    this.topic = topic
    this.partition = partition
    this.keys = markerKeys.map((hex) => [
      hex,
      createPublicKey({ key: Buffer.concat([SPKI, Buffer.from(hex, 'hex')]), format: 'der', type: 'spki' }),
    ])
    this.unsignedFirst = unsignedMarkers
  }

  /** Why the marker counts for nothing; undefined for one that counts. */
  fault(record: LogRecord): string | undefined {
    if (this.keys.length === 0) return undefined
    const signatures = record.headers.filter(({ key }) => key === 'marker-origin')
    if (signatures.length === 0)
      return this.unsignedFirst && !this.last ? undefined : 'it looks like a marker and is not signed'
    const origin = signatures.length === 1 ? this.originOf(record, Buffer.from(signatures[0]!.value ?? [])) : undefined
    if (!origin) return 'it looks like a marker, and its signature does not hold here'
    if (this.last && (origin.key < this.last.key || origin.place <= this.last.place))
      return 'it is a copy of a marker, or of a key that was replaced'
    this.last = origin
    return undefined
  }

  private originOf({ key, value }: LogRecord, header: Buffer): Origin | undefined {
    if (header.length !== 109 || header[0] !== 1 || key === null || value === null) return undefined
    const [publicKey, place, signature] = [header.subarray(1, 33), header.subarray(33, 45), header.subarray(45)]
    const rank = this.keys.findIndex(([hex]) => hex === publicKey.toString('hex'))
    if (rank < 0) return undefined
    const topic = Buffer.from(this.topic)
    const content = Buffer.concat([
      Buffer.from('powerloom-sequencer marker 1\n'),
      ...[int32(topic.length), int32(this.partition), place, int32(key.length), int32(value.length)],
      ...[topic, key, value],
    ])
    if (!verify(null, content, this.keys[rank]![1], signature)) return undefined
    return { key: rank, place: BigInt(`0x${place.toString('hex')}`) }
  }
}

function int32(number: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(number)
  return bytes
}
