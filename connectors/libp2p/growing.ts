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
