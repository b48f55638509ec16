/** Frames of yamux as an adversary makes them, and the connection to send them on. */
import type { Connection, MessageStream } from '@libp2p/interface'

/** @param length as the head of the frame has it, whatever there is of data */
export function frame(type: number, flags: number, streamId: number, length: number, data = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(12)
  head[1] = type
  head.writeUInt16BE(flags, 2)
  head.writeUInt32BE(streamId, 4)
  head.writeUInt32BE(length, 8)
  return Buffer.concat([head, data])
}

export const DATA = 0
export const WINDOW_UPDATE = 1
export const PING = 2
export const SYN = 1
export const RST = 8

/** The bytes under the muxer of a client, which no longer hears the answers. */
export function bytesUnder(connection: Connection): MessageStream {
  const { muxer } = connection as unknown as { muxer: { decoder: unknown; maConn: MessageStream } }
  muxer.decoder = { *emitFrames() {} }
  return muxer.maConn
}

/** The bytes under the encryption of a client. */
export const socketUnder = (connection: Connection): MessageStream =>
  (connection as unknown as { maConn: MessageStream }).maConn

/** Sends as fast as the peer takes it. @returns false when the connection is closed */
export async function send(under: MessageStream, bytes: Uint8Array): Promise<boolean> {
  if (under.status !== 'open') return false
  try {
    under.send(bytes)
  } catch {
    return false // it was closed meanwhile
  }
  if (under.writableNeedsDrain)
    await new Promise<void>((resolve) => {
      for (const event of ['drain', 'close'] as const) under.addEventListener(event, () => resolve(), { once: true })
    })
  else await new Promise(setImmediate)
  return under.status === 'open'
}

/** Number of the whole frames of a type in the bytes. */
export function countFrames(bytes: Buffer, type: number): number {
  let count = 0
  for (let at = 0; at + 12 <= bytes.length; at += 12 + (bytes[at + 1] === DATA ? bytes.readUInt32BE(at + 8) : 0))
    if (bytes[at + 1] === type) count++
  return count
}
