/** A buffer that grows in one piece: a peer chooses how small the chunks are, and how many. */
export const NOTHING = Buffer.alloc(0)

/**
 * `kept`, of which `length` bytes are used, with a copy of the chunk behind them. It doubles when it is full, up to `bytesMax`, which
 * the sum of both may not exceed.
 */
export function append(
  kept: Buffer<ArrayBuffer>,
  length: number,
  chunk: Uint8Array,
  bytesMax: number,
): Buffer<ArrayBuffer> {
  const needed = length + chunk.length
  const room = needed <= kept.length ? kept : Buffer.alloc(Math.min(2 * needed, bytesMax))
  if (room !== kept) kept.copy(room, 0, 0, length)
  room.set(chunk, length)
  return room
}

/** Units that come in pieces, whose ends the caller knows: only whole ones are given on. */
export class Gathered {
  /** Bytes of a unit that has not come whole; they take up to twice as much memory. */
  pendingBytes = 0
  private kept: Buffer<ArrayBuffer> = NOTHING
  private readonly unitBytesMax: number

  constructor(unitBytesMax: number) {
    this.unitBytesMax = unitBytesMax
  }

  /**
   * Takes the next bytes.
   * @param end of the last unit in the chunk that is whole; 0 when none ends there
   * @returns the units that are whole by now, in one piece
   */
  take(chunk: Uint8Array, end: number): Uint8Array {
    let whole = chunk.subarray(0, end)
    if (end > 0 && this.pendingBytes > 0) {
      const length = this.pendingBytes + end
      whole = append(this.kept, this.pendingBytes, whole, length).subarray(0, length)
      this.forget()
    }
    if (end < chunk.length) {
      const rest = chunk.subarray(end)
      this.kept = append(this.kept, this.pendingBytes, rest, this.unitBytesMax)
      this.pendingBytes += rest.length
    }
    return whole
  }

  /** The connection is gone. */
  forget(): void {
    this.kept = NOTHING
    this.pendingBytes = 0
  }
}
