/** The Confluent envelope around a value: magic byte 0, schema id as int32 big-endian. */
export const MAGIC = 0
export const HEADER_BYTES = 5

/** An empty envelope of the id. */
export function envelopeOf(id: number): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES)
  bytes.writeInt32BE(id, 1)
  return bytes
}

/** The schema id of an envelope; undefined when the bytes are none. */
export function schemaIdIn(bytes: Uint8Array): number | undefined {
  if (bytes.length < HEADER_BYTES || bytes[0] !== MAGIC) return undefined
  return (bytes[1]! << 24) | (bytes[2]! << 16) | (bytes[3]! << 8) | bytes[4]!
}
