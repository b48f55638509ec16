/**
 * Records of an encrypted connection, counted in the ciphertext. Each costs the library a decryption, and many never show above it:
 * empty messages, new keys, one byte of a frame.
 */

/** Where the head of a record has the length of what follows, two bytes, most significant first. */
interface Head {
  readonly bytes: number
  readonly lengthAt: number
}

/** By protocol. Sources: the Noise specification of libp2p; RFC 8446, 5.1. */
const HEADS: Readonly<Record<string, Head>> = {
  '/noise': { bytes: 2, lengthAt: 0 },
  '/tls/1.0.0': { bytes: 5, lengthAt: 3 },
}

/** Decryption of so many bytes is the work of a record. */
const RECORD_BYTES = 4_096

export class Records {
  private readonly head: Head | undefined
  private headBytes = 0
  private length = 0
  private left = 0

  /** @param encryption protocol of another encryption: chunks are counted */
  constructor(encryption: string) {
    this.head = HEADS[encryption]
  }

  /** @returns the work that the chunk makes, in records: as many as begin in it, or more when they are long */
  count(chunk: Uint8Array): number {
    return Math.max(this.begun(chunk), Math.ceil(chunk.length / RECORD_BYTES))
  }

  private begun(chunk: Uint8Array): number {
    if (!this.head) return 1
    const { bytes, lengthAt } = this.head
    let records = 0
    for (let at = 0; at < chunk.length; ) {
      if (this.left > 0) {
        const taken = Math.min(this.left, chunk.length - at)
        this.left -= taken
        at += taken
        continue
      }
      if (this.headBytes >= lengthAt) this.length = ((this.length << 8) | chunk[at]!) & 0xffff
      at++
      if (++this.headBytes < bytes) continue
      records++
      this.left = this.length
      this.headBytes = 0
      this.length = 0
    }
    return records
  }
}
