const LENGTH_BYTES = 4

/** Cuts a stream of Kafka's protocol into frames: a length of four bytes and what it counts. */
export class FrameSplitter {
  private readonly onFrame: (frame: Buffer) => void
  private chunks: Buffer[] = []
  private bytes = 0

  constructor(onFrame: (frame: Buffer) => void) {
    this.onFrame = onFrame
  }

  push(chunk: Buffer): void {
    this.chunks.push(chunk)
    this.bytes += chunk.length
    for (;;) {
      if (this.bytes < LENGTH_BYTES) return
      const all = this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks)
      const end = LENGTH_BYTES + all.readInt32BE(0)
      this.chunks = [all]
      if (all.length < end) return
      this.chunks = [all.subarray(end)]
      this.bytes = all.length - end
      this.onFrame(all.subarray(0, end))
    }
  }
}
