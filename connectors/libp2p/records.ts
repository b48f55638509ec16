/**
 * Records of an encrypted connection, looked at in the ciphertext. Each costs the library a decryption, and many never show above it:
 * empty messages, new keys, one byte of a frame. And the library collects a record in as many pieces as it came in, each an object of
 * its own. So records are counted here, and the library has whole ones.
 */
import { Gathered, NOTHING } from './growing.ts'

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
/** Longest that two bytes can tell. */
const LENGTH_MAX = 0xffff

export class Records {
  /** The records that were whole with the last bytes read. */
  whole: Uint8Array = NOTHING
  private readonly head: Head | undefined
  private readonly gathered: Gathered
  private headBytes = 0
  private length = 0
  private left = 0

  /** @param encryption protocol of another encryption: chunks are counted, and none waits */
  constructor(encryption: string) {
    this.head = HEADS[encryption]
    this.gathered = new Gathered((this.head?.bytes ?? 0) + LENGTH_MAX)
  }

  /** Bytes of a record that has not come whole. */
  get pendingBytes(): number {
    return this.gathered.pendingBytes
  }

  /** The connection is gone. */
  forget(): void {
    this.gathered.forget()
  }

  /**
   * Follows the records in the next bytes of the connection.
   * @returns the work that they make, in records: as many as begin in them, or more when they are long
   */
  read(chunk: Uint8Array): number {
    const { begun, end } = this.head ? this.follow(chunk, this.head) : { begun: 1, end: chunk.length }
    this.whole = this.gathered.take(chunk, end)
    return Math.max(begun, Math.ceil(chunk.length / RECORD_BYTES))
  }

  /** @returns how many begin, and the end of the last that is whole */
  private follow(chunk: Uint8Array, { bytes, lengthAt }: Head): { begun: number; end: number } {
    let begun = 0
    let end = 0
    for (let at = 0; at < chunk.length; ) {
      if (this.left > 0) {
        const taken = Math.min(this.left, chunk.length - at)
        this.left -= taken
        at += taken
      } else {
        if (this.headBytes >= lengthAt) this.length = ((this.length << 8) | chunk[at]!) & LENGTH_MAX
        at++
        if (++this.headBytes < bytes) continue
        begun++
        this.left = this.length
        this.headBytes = 0
        this.length = 0
      }
      if (this.left === 0) end = at
    }
    return { begun, end }
  }
}
