/**
 * Bytes that came on a stream before it was negotiated. The deployed collector negotiates lazily: name of the protocol and first
 * message in one write, which is a success for it. Negotiation takes some turns of the event loop, and when the stream is reset
 * or the connection closed in the midst of them, the library drops what has come.
 */
import type { Stream } from '@libp2p/interface'
import type { YamuxStream } from '@libp2p/yamux/stream'

const nameOf = (text: string): Buffer => Buffer.concat([Buffer.of(text.length + 1), Buffer.from(`${text}\n`)])
/** As multistream-select 1.0.0 has a dialer say it. */
const GREETING = Buffer.concat([nameOf('/multistream/1.0.0'), nameOf('/collect')])
/** Between the end of the negotiation and the handler: more would exceed what libp2p may hold of a stream. */
const EARLY_BYTES_MAX = 1024 * 1024

const ends = new WeakMap<Stream, () => void>()

/** @param lost the messages on a stream that closed before somebody took it over */
export function keepEarly(stream: YamuxStream, lost: (messages: Buffer) => void): void {
  let chunks: Buffer[] = []
  let length = 0
  const { onData } = stream
  const end = (): void => {
    stream.onData = onData
    chunks = []
    ends.delete(stream)
  }
  stream.onData = (data) => {
    const chunk = Buffer.from(data.subarray()) // libp2p may use the memory again
    chunks.push(chunk)
    length += chunk.length
    if (length > EARLY_BYTES_MAX || !isGreeting(chunks, length)) end()
    onData.call(stream, data)
  }
  stream.addEventListener('close', () => {
    const early = Buffer.concat(chunks)
    end()
    if (early.length > GREETING.length) lost(early.subarray(GREETING.length))
  })
  ends.set(stream, end)
}

/** The caller reads the bytes that come from now on, and those that libp2p still holds. */
export const takeOver = (stream: Stream): void => ends.get(stream)?.()

function isGreeting(chunks: readonly Buffer[], length: number): boolean {
  if (chunks.length > 1 && length - chunks.at(-1)!.length >= GREETING.length) return true // looked at before
  const start = Buffer.concat(chunks.map((chunk) => chunk.subarray(0, GREETING.length))).subarray(0, GREETING.length)
  return start.equals(GREETING.subarray(0, start.length))
}
