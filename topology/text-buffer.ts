/** Text written straight into bytes, which grow as needed: a large JSON without a large string. */
export class TextBuffer {
  private bytes: Buffer
  private length = 0

  constructor(bytesExpected: number) {
    this.bytes = Buffer.allocUnsafe(bytesExpected)
  }

  /** @param text ASCII only; anything else comes out wrong */
  ascii(text: string): void {
    this.reserve(text.length)
    this.length += this.bytes.write(text, this.length, 'latin1')
  }

  utf8(text: string): void {
    this.reserve(3 * text.length)
    this.length += this.bytes.write(text, this.length, 'utf8')
  }

  /** What was written; the bytes stay shared with the buffer. */
  take(): Buffer {
    return this.bytes.subarray(0, this.length)
  }

  private reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return
    const grown = Buffer.allocUnsafe(2 * (this.length + more))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }
}
