/**
 * Negotiations, in which a peer proposes protocols until one suits (multistream-select 1.0.0): of the encryption on a socket, of the
 * muxer on an encrypted connection, and on each stream. Bytes are followed here before the library has them: it reads a length that never
 * ends byte by byte and lets nobody else work meanwhile, and answers proposals without end.
 */
import { append, NOTHING } from './growing.ts'

const LENGTH_BYTES_MAX = 2
/** Longest name of a protocol, with its newline, that the library takes. */
const NAME_BYTES_MAX = 1_024
const NEWLINE = 10

export class Negotiation {
  /** The protocol that was agreed on. */
  agreed: string | undefined
  /** Messages that came whole; the library answers each. */
  messages = 0
  private readonly protocols: () => readonly string[]
  private readonly messagesMax: number
  private length = 0
  private lengthBytes = 0
  private isLengthKnown = false
  /** The beginning of a message that has not come whole. */
  private kept: Buffer<ArrayBuffer> = NOTHING
  private keptBytes = 0

  /** @param protocols the names that are taken @param messagesMax one more, and no agreement, is too many */
  constructor(protocols: () => readonly string[], messagesMax: number) {
    this.protocols = protocols
    this.messagesMax = messagesMax
  }

  /**
   * Follows the next bytes, until a protocol is agreed on.
   * @returns number of bytes that belong to the negotiation; undefined when they are none of it, or more than there may be
   */
  read(chunk: Uint8Array): number | undefined {
    let at = 0
    while (at < chunk.length && this.agreed === undefined) {
      if (!this.isLengthKnown) {
        if (!this.readLength(chunk[at++]!)) return undefined
        continue
      }
      const taken = Math.min(chunk.length - at, this.length - this.keptBytes)
      this.kept = append(this.kept, this.keptBytes, chunk.subarray(at, at + taken), NAME_BYTES_MAX)
      this.keptBytes += taken
      at += taken
      if (this.keptBytes === this.length && !this.takeMessage()) return undefined
    }
    return at
  }

  /** An unsigned varint, least significant seven bits first. */
  private readLength(byte: number): boolean {
    this.length |= (byte & 0x7f) << (7 * this.lengthBytes++)
    this.isLengthKnown = byte < 0x80
    if (!this.isLengthKnown) return this.lengthBytes < LENGTH_BYTES_MAX
    return this.length > 0 && this.length <= NAME_BYTES_MAX
  }

  private takeMessage(): boolean {
    const message = this.kept.subarray(0, this.length)
    if (message.at(-1) !== NEWLINE || ++this.messages > this.messagesMax) return false
    const name = message.toString().trimEnd() // as the library does
    if (this.protocols().includes(name)) this.agreed = name
    this.length = 0
    this.lengthBytes = 0
    this.isLengthKnown = false
    this.kept = NOTHING
    this.keptBytes = 0
    return true
  }
}
