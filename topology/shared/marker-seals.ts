/**
 * Markers in `submissions` have an origin: tick-fanout signs each with Ed25519 (RFC 8032), over all of the record and its
 * partition, and everybody who reads markers there checks it with the public keys of the rules (decision 0026).
 */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { ForgedMarkerError, type MarkerPlace, type MarkerSeals, type Sealable } from '../../streams/marker-guard.ts'
import type { RecordHeader } from '../../streams/ports.ts'
import type { ProtocolRules } from '../rules.ts'

/** The signer of markers. */
export interface MarkerSigner {
  /** 64 lower-case hex digits. */
  readonly publicKey: string
  sign(bytes: Uint8Array): Uint8Array
}

/** Layout of the header: version, public key, offset (int64), index (int32), signature; big-endian. */
const HEADER = 'marker-origin'
const VERSION = 1
const KEY_AT = 1
const OFFSET_AT = 33
const INDEX_AT = 41
const SIGNATURE_AT = 45
const HEADER_BYTES = 109
const DOMAIN = 'powerloom-sequencer marker 1\n'

/** @returns undefined when the rules name no key: then markers are taken as they come. @param signer of the role tick-fanout */
export function markerSeals(
  { markerKeys = [], unsignedMarkers = false }: Partial<ProtocolRules>,
  signer?: MarkerSigner,
): MarkerSeals | undefined {
  if (markerKeys.length === 0) return undefined
  const keys = new Map(markerKeys.map((hex) => [hex, publicKeyOf(hex)]))
  const ranks = new Map(markerKeys.map((hex, rank) => [numberOf(hex), rank]))
  return {
    unsealedFirst: unsignedMarkers,
    // a key that is no longer in the list is older than all listed keys
    mayFollow: (key, before) => ranks.get(key)! >= (ranks.get(before) ?? 0),
    seal(marker, place) {
      if (!signer) throw new Error('markers.signingKeyFile is needed to write markers')
      const value = Buffer.alloc(HEADER_BYTES)
      value.writeUInt8(VERSION)
      value.write(signer.publicKey, KEY_AT, 'hex')
      value.writeBigInt64BE(BigInt(place.offset), OFFSET_AT)
      value.writeInt32BE(place.index, INDEX_AT)
      value.set(signer.sign(signedBytes(marker, place)), SIGNATURE_AT)
      return { key: HEADER, value }
    },
    read(marker, headers) {
      const found = headers.filter(({ key }) => key === HEADER)
      const [header] = found
      if (!header) return undefined
      if (found.length > 1) throw new ForgedMarkerError('a marker with two signatures')
      const { hex, place, signature } = partsOf(header)
      const key = keys.get(hex)
      if (!key) throw new ForgedMarkerError(`a marker signed by ${hex}, which is no key of markers`)
      if (!verify(null, signedBytes(marker, place), key, signature))
        throw new ForgedMarkerError('a marker whose signature is not over this record and partition')
      return { ...place, key: numberOf(hex) }
    },
  }
}

function partsOf({ value }: RecordHeader): { hex: string; place: MarkerPlace; signature: Uint8Array } {
  const bytes = Buffer.from(value)
  if (bytes.length !== HEADER_BYTES || bytes[0] !== VERSION)
    throw new ForgedMarkerError('a marker with a signature of another form')
  const place = { offset: Number(bytes.readBigInt64BE(OFFSET_AT)), index: bytes.readInt32BE(INDEX_AT) }
  return { hex: bytes.toString('hex', KEY_AT, OFFSET_AT), place, signature: bytes.subarray(SIGNATURE_AT) }
}

/** Every part with its length before it, so that no two markers have the same bytes. */
function signedBytes({ topic, partition, key, value }: Sealable, { offset, index }: MarkerPlace): Buffer {
  const name = Buffer.from(topic)
  const numbers = Buffer.alloc(28)
  numbers.writeInt32BE(name.length, 0)
  numbers.writeInt32BE(partition, 4)
  numbers.writeBigInt64BE(BigInt(offset), 8)
  numbers.writeInt32BE(index, 16)
  numbers.writeInt32BE(key.length, 20)
  numbers.writeInt32BE(value.length, 24)
  return Buffer.concat([Buffer.from(DOMAIN), numbers, name, key, value])
}

const publicKeyOf = (hex: string): KeyObject =>
  createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(hex, 'hex').toString('base64url') },
    format: 'jwk',
  })

/** A key as a safe integer, which the state of a task keeps: the first 6 bytes of its SHA-256. */
const numberOf = (hex: string): number => createHash('sha256').update(hex).digest().readUIntBE(0, 6)
