/** Reads what LevelDB writes: varints and byte strings with their length. Throws RangeError where the bytes end. */
export class VarintReader {
  at = 0
  private readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  get isDone(): boolean {
    return this.at >= this.bytes.length
  }

  byte(): number {
    if (this.isDone) throw new RangeError('the bytes end')
    return this.bytes[this.at++]!
  }

  varint(): number {
    let value = 0
    for (let factor = 1; factor <= 2 ** 63; factor *= 128) {
      const byte = this.byte()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    throw new RangeError('a number is too long')
  }

  string(): Buffer {
    return this.bytesOf(this.varint())
  }

  bytesOf(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw new RangeError('the bytes end')
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }
}
