/**
 * Whether a record that decides was written by who may, asked once more: a marker in `submissions`, a tick, an intent or a result,
 * sealed with a key of the rules, for this partition, behind the one before it. Anything else is what somebody put there, and counts
 * for nothing (decisions 0026 and 0045).
 */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import type { LogRecord } from '../../../streams/ports.ts'
import { ForgedError } from '../../../streams/seals.ts'
import type { ProtocolRules } from '../../../topology/rules.ts'

/** The bytes before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410). */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex')

/** Stands for the writer of markers. */
const MARKERS = -1

interface Origin {
  readonly writer: number
  /** Position of the key in the rules. */
  readonly key: number
  /** Offset and index in one, so that later ones are greater. */
  readonly place: bigint
}

/** The check of one partition, asked about its sealed records in the order of the log. */
export class RecordOrigin {
  private readonly topic: string
  private readonly partition: number
  private readonly keys: readonly (readonly [string, KeyObject])[]
  private readonly unsignedFirst: boolean
  /** By writer; of markers there is one. */
  private readonly last = new Map<number, Origin>()
  private newestKey = -1

  /** @param unsignedFirst the log was begun without seals: those before the first sealed one count */
  constructor(topic: string, partition: number, markerKeys: readonly string[], unsignedFirst: boolean) {
    this.topic = topic
    this.partition = partition
    this.keys = markerKeys.map((hex) => [
      hex,
      createPublicKey({ key: Buffer.concat([SPKI, Buffer.from(hex, 'hex')]), format: 'der', type: 'spki' }),
    ])
    this.unsignedFirst = unsignedFirst
  }

  /** Why the record counts for nothing; undefined for one that counts. */
  fault(record: LogRecord): string | undefined {
    if (this.keys.length === 0) return undefined
    const signatures = record.headers.filter(({ key }) => key === 'marker-origin')
    if (signatures.length === 0) return this.unsignedFirst && this.newestKey < 0 ? undefined : 'it is not sealed'
    const origin = signatures.length === 1 ? this.originOf(record, Buffer.from(signatures[0]!.value ?? [])) : undefined
    if (!origin) return 'its seal does not hold here'
    const last = this.last.get(origin.writer)
    if (origin.key < this.newestKey || (last && origin.place <= last.place))
      return 'it is a copy, or sealed with a key that was replaced'
    this.last.set(origin.writer, origin)
    this.newestKey = origin.key
    return undefined
  }

  /** @throws ForgedError for one that does not count */
  take(record: LogRecord): void {
    const fault = this.fault(record)
    if (fault !== undefined) throw new ForgedError(fault)
  }

  private originOf({ key, value }: LogRecord, header: Buffer): Origin | undefined {
    const isMarker = header[0] === 1
    if (header.length !== (isMarker ? 109 : 113) || (!isMarker && header[0] !== 2) || key === null || value === null)
      return undefined
    const [publicKey, place] = [header.subarray(1, 33), header.subarray(33, 45)]
    const [writer, signature] = [isMarker ? Buffer.of() : header.subarray(45, 49), header.subarray(-64)]
    const rank = this.keys.findIndex(([hex]) => hex === publicKey.toString('hex'))
    if (rank < 0) return undefined
    const topic = Buffer.from(this.topic)
    const content = Buffer.concat([
      Buffer.from(`powerloom-sequencer ${isMarker ? 'marker 1' : 'record 2'}\n`),
      ...[int32(topic.length), int32(this.partition), place, int32(key.length), int32(value.length), writer],
      ...[topic, key, isMarker ? value : createHash('sha256').update(value).digest()],
    ])
    if (!verify(null, content, this.keys[rank]![1], signature)) return undefined
    const number = isMarker ? MARKERS : writer.readInt32BE()
    return { writer: number, key: rank, place: BigInt(`0x${place.toString('hex')}`) }
  }
}

export type SealRules = Pick<ProtocolRules, 'markerKeys' | 'unsealedRecords'>

/** For a reading of one of the topics of which every record is sealed, from its start. */
export const originOf = (
  { name }: { readonly name: string },
  { markerKeys, unsealedRecords }: SealRules,
): RecordOrigin => new RecordOrigin(name, 0, markerKeys, unsealedRecords)

function int32(number: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(number)
  return bytes
}
