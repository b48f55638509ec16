/**
 * The seal of who may write a record that decides: a marker, tick, batch, payout, intent or result. An Ed25519 signature (RFC 8032) over all
 * of the record and its partition, which everybody who reads it checks with the public keys of the rules (decisions 0026 and 0045).
 */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import type { RecordHeader } from '../../streams/ports.ts'
import { ForgedError, type Sealable, type SealPlace, type Seals } from '../../streams/seals.ts'
import type { ProtocolRules } from '../rules.ts'
import type { Topics } from '../topics.ts'

/** The secret half of a key of the rules. */
export interface SealSigner {
  /** 64 lower-case hex digits. */
  readonly publicKey: string
  sign(bytes: Uint8Array): Uint8Array
}

/**
 * Layout of the header: version, public key, offset (int64), index (int32), of version 2 the writer (int32), signature; big-endian.
 * Version 1 is that of markers, whose only writer is tick-fanout.
 */
const HEADER = 'marker-origin'
const KEY_AT = 1
const OFFSET_AT = 33
const INDEX_AT = 41
const WRITER_AT = 45
const SIGNATURE_BYTES = 64
/** Version → where the signature begins. */
const PLACE_ENDS = new Map([
  [1, 45],
  [2, 49],
])
const DOMAIN_OF_MARKERS = 'powerloom-sequencer marker 1\n'
const DOMAIN_OF_RECORDS = 'powerloom-sequencer record 2\n'

type SealRules = Pick<ProtocolRules, 'markerKeys' | 'unsignedMarkers' | 'unsealedRecords'>

/**
 * The topics as who may write them and who reads them handle them. As they are when the rules name no key: then everything counts.
 * @param signer of the roles that write them
 */
export function sealedTopics(topics: Topics, rules: SealRules, signer?: SealSigner): Topics {
  const { markerKeys, unsignedMarkers, unsealedRecords } = rules
  if (markerKeys.length === 0) return topics
  const { submissions, epochTicks, batches, payouts, anchorIntents, anchorResults } = topics
  const markers = { ...submissions.markers!, seals: sealsOf(markerKeys, unsignedMarkers, signer) }
  const seals = sealsOf(markerKeys, unsealedRecords, signer)
  return {
    ...topics,
    submissions: { ...submissions, markers },
    epochTicks: { ...epochTicks, seals },
    batches: { ...batches, seals },
    payouts: { ...payouts, seals },
    anchorIntents: { ...anchorIntents, seals },
    anchorResults: { ...anchorResults, seals },
  }
}

/** @param publicKeys oldest first @param unsealedFirst see `Seals` */
export function sealsOf(publicKeys: readonly string[], unsealedFirst: boolean, signer?: SealSigner): Seals {
  const keys = new Map<string, KeyObject>()
  const ranks = new Map(publicKeys.map((hex, rank) => [numberOf(hex), rank]))
  return {
    unsealedFirst,
    // a key that is no longer in the list is older than all listed keys
    mayFollow: (key, before) => ranks.get(key)! >= (ranks.get(before) ?? 0),
    seal(record, place) {
      if (!signer) throw new Error(`markers.signingKeyFile is needed to write ${record.topic}`)
      const version = place.writer === undefined ? 1 : 2
      const head = Buffer.alloc(PLACE_ENDS.get(version)!)
      head.writeUInt8(version)
      head.write(signer.publicKey, KEY_AT, 'hex')
      head.writeBigInt64BE(BigInt(place.offset), OFFSET_AT)
      head.writeInt32BE(place.index, INDEX_AT)
      if (place.writer !== undefined) head.writeInt32BE(place.writer, WRITER_AT)
      return { key: HEADER, value: Buffer.concat([head, signer.sign(signedBytes(record, place))]) }
    },
    read(record, headers) {
      const found = headers.filter(({ key }) => key === HEADER)
      const [header] = found
      if (!header) return undefined
      if (found.length > 1) throw new ForgedError('it has two seals')
      const { hex, place, signature } = partsOf(header)
      if (!publicKeys.includes(hex))
        throw new ForgedError(`it is sealed with ${hex}, which is none of markers.publicKeys`)
      const key = keys.get(hex) ?? publicKeyOf(hex)
      keys.set(hex, key)
      if (!verify(null, signedBytes(record, place), key, signature))
        throw new ForgedError('its seal is not over this record and partition')
      return { ...place, key: numberOf(hex) }
    },
  }
}

function partsOf({ value }: RecordHeader): { hex: string; place: SealPlace; signature: Uint8Array } {
  const bytes = Buffer.from(value)
  const end = PLACE_ENDS.get(bytes[0] ?? 0)
  if (end === undefined || bytes.length !== end + SIGNATURE_BYTES)
    throw new ForgedError('it has a seal of another form')
  const place = {
    ...(end > WRITER_AT && { writer: bytes.readInt32BE(WRITER_AT) }),
    offset: Number(bytes.readBigInt64BE(OFFSET_AT)),
    index: bytes.readInt32BE(INDEX_AT),
  }
  return { hex: bytes.toString('hex', KEY_AT, OFFSET_AT), place, signature: bytes.subarray(end) }
}

/**
 * Every part with its length before it, so that no two records have the same bytes. Of a record the SHA-256 of its value stands for the
 * value: the signature goes over its bytes twice, by a hash that is slower, and batches have many megabytes.
 */
function signedBytes({ topic, partition, key, value }: Sealable, place: SealPlace): Buffer {
  const { writer, offset, index } = place
  const name = Buffer.from(topic)
  const numbers = Buffer.alloc(writer === undefined ? 28 : 32)
  numbers.writeInt32BE(name.length, 0)
  numbers.writeInt32BE(partition, 4)
  numbers.writeBigInt64BE(BigInt(offset), 8)
  numbers.writeInt32BE(index, 16)
  numbers.writeInt32BE(key.length, 20)
  numbers.writeInt32BE(value.length, 24)
  if (writer !== undefined) numbers.writeInt32BE(writer, 28)
  const domain = writer === undefined ? DOMAIN_OF_MARKERS : DOMAIN_OF_RECORDS
  const content = writer === undefined ? value : createHash('sha256').update(value).digest()
  return Buffer.concat([Buffer.from(domain), numbers, name, key, content])
}

const publicKeyOf = (hex: string): KeyObject =>
  createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(hex, 'hex').toString('base64url') },
    format: 'jwk',
  })

/** A key as a safe integer, which the state of a task keeps: the first 6 bytes of its SHA-256. */
const numberOf = (hex: string): number => createHash('sha256').update(hex).digest().readUIntBE(0, 6)
