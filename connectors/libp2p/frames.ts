/**
 * The yamux frames of a connection, looked at before the library handles them. The library collects a frame whole before it asks
 * whether its length is allowed, in as many pieces as it came in, each with its own cost; and it does work for frames that carry nothing.
 * So lengths and numbers of frames are bounded here, and the library has whole frames.
 * Source of the format: the yamux specification of HashiCorp, as libp2p uses it.
 */
import { Gathered, NOTHING } from './growing.ts'

const HEADER_BYTES = 12
const DATA = 0
const WINDOW_UPDATE = 1
const PING = 2
const SYN = 1
/** Work that a new stream makes, in frames: libp2p begins to negotiate, with timers and listeners of its own. */
const FRAMES_OF_OPENING = 20
/** Work that a frame makes which is answered, in frames: the answer is encrypted, and written to the socket. */
const FRAMES_OF_ANSWER = 5

export class FrameGate {
  /** The frames that were whole with the last bytes read. */
  whole: Uint8Array = NOTHING
  private readonly gathered: Gathered
  private readonly dataBytesMax: number
  private readonly header = Buffer.alloc(HEADER_BYTES)
  private headerBytes = 0
  private payloadLeft = 0

  /** @param dataBytesMax of the payload of a frame: the window of a stream */
  constructor(dataBytesMax: number) {
    this.dataBytesMax = dataBytesMax
    this.gathered = new Gathered(HEADER_BYTES + dataBytesMax)
  }

  /** Bytes of a frame that has not come whole. */
  get pendingBytes(): number {
    return this.gathered.pendingBytes
  }

  /** The connection is gone. */
  forget(): void {
    this.gathered.forget()
  }

  /**
   * Follows the frames in the next bytes of the connection.
   * @returns the work that they make, in frames; undefined when one is longer than a stream may send
   */
  read(chunk: Uint8Array): number | undefined {
    let frames = 0
    let end = 0
    for (let at = 0; at < chunk.length; ) {
      const isPayload = this.payloadLeft > 0
      const taken = Math.min(chunk.length - at, isPayload ? this.payloadLeft : HEADER_BYTES - this.headerBytes)
      if (isPayload) this.payloadLeft -= taken
      else {
        this.header.set(chunk.subarray(at, at + taken), this.headerBytes)
        this.headerBytes += taken
      }
      at += taken
      if (!isPayload && this.headerBytes === HEADER_BYTES) {
        const type = this.header[1]!
        this.payloadLeft = type === DATA ? this.header.readUInt32BE(8) : 0
        if (this.payloadLeft > this.dataBytesMax) return undefined
        frames += (this.header.readUInt16BE(2) & SYN) === 0 ? 1 : begins(type)
      }
      if (this.headerBytes < HEADER_BYTES || this.payloadLeft > 0) continue
      this.headerBytes = 0
      end = at
    }
    this.whole = this.gathered.take(chunk, end)
    return frames
  }
}

/** @returns the work that a frame with SYN makes, in frames: it opens a stream, or it asks for an answer */
function begins(type: number): number {
  if (type === DATA || type === WINDOW_UPDATE) return FRAMES_OF_OPENING
  return type === PING ? FRAMES_OF_ANSWER : 1
}
