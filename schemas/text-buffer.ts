const HEX_DIGITS = Buffer.from('0123456789abcdef')

/** Text written straight into bytes, which grow as needed: a large JSON without a large string. */
export class TextBuffer {
  private target: Buffer
  length = 0

  constructor(bytesExpected: number) {
    this.target = Buffer.allocUnsafe(bytesExpected)
  }

  /** @param text ASCII only; anything else comes out wrong */
  ascii(text: string): void {
    this.reserve(text.length)
    this.length += this.target.write(text, this.length, 'latin1')
  }

  utf8(text: string): void {
    this.reserve(Buffer.byteLength(text))
    this.length += this.target.write(text, this.length, 'utf8')
  }

  bytes(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.target.set(bytes, this.length)
    this.length += bytes.length
  }

  /** Over what was written already. @param text ASCII only */
  asciiAt(at: number, text: string): void {
    for (let i = 0; i < text.length; i++) this.target[at + i] = text.charCodeAt(i)
  }

  /** The bytes in lower-case hex, over what was written already; digit by digit, since a string in between costs more. */
  hexAt(at: number, bytes: Uint8Array, from: number, to: number): void {
    const { target } = this
    for (let i = from; i < to; i++) {
      const byte = bytes[i]!
      target[at++] = HEX_DIGITS[byte >> 4]!
      target[at++] = HEX_DIGITS[byte & 15]!
    }
  }

  /** The written bytes, which stay shared with the buffer. */
  take(): Buffer {
    return this.target.subarray(0, this.length)
  }

  private reserve(more: number): void {
    if (this.length + more <= this.target.length) return
    const grown = Buffer.allocUnsafe(2 * (this.length + more))
    grown.set(this.target.subarray(0, this.length))
    this.target = grown
  }
}
