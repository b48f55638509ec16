/**
 * The ping protocol of libp2p, 1.0.0: what comes is sent back. The library's own reads on while a peer that asks does not read, and
 * keeps all of it.
 */
import type { Stream } from '@libp2p/interface'
import { takeOver } from './early.ts'

export const PING_PROTOCOL = '/ipfs/ping/1.0.0'
/** Streams of one connection, as in the specification. */
export const PING_STREAMS_MAX = 2

export function answerPings(stream: Stream): void {
  const answer = (data: Parameters<Stream['send']>[0]): void => {
    if (data.byteLength === 0 || stream.writeStatus !== 'writable') return
    if (!stream.send(data)) stream.abort(new Error('this peer asks for more than it reads'))
  }
  stream.addEventListener('message', ({ data }) => answer(data))
  answer(takeOver(stream))
  stream.addEventListener('remoteCloseWrite', () => {
    stream.close().catch(() => stream.abort(new Error('the end of a ping was not taken')))
  })
}
