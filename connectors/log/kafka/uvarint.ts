const MAX_INT32 = 0x7fffffff

/**
 * Writes an unsigned varint of Kafka's protocol.
 * @param value 0 … 2^32 - 1
 * @returns offset of the next byte
 */
export function writeUvarint(buffer: Buffer, from: number, value: number): number {
  let at = from
  let rest = value
  while (rest > MAX_INT32) {
    buffer[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  while (rest > 0x7f) {
    buffer[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  buffer[at++] = rest
  return at
}
