import { StreamState, type YamuxStream } from '@chainsafe/libp2p-yamux/stream'

/** A private part of yamux' types; a test notices when it is not there any more. */
interface Window {
  readonly recvWindow: number
  /** Bytes that the peer may still send before it hears from us. */
  readonly recvWindowCapacity: number
}

/**
 * libp2p's yamux answers every message with a window update: one more frame to encrypt and to write to the socket, which was
 * a third of the CPU of a submission. As in yamux for Go (hashicorp), the peer hears of it once half of the window is used.
 * A peer that sends single bytes would have as many answers, also before somebody takes the stream over.
 */
export function updateWindowSeldom(stream: YamuxStream): void {
  const window = stream as unknown as Window
  const update = stream.sendWindowUpdate.bind(stream)
  stream.sendWindowUpdate = () => {
    const isHalfUsed = 2 * window.recvWindowCapacity <= window.recvWindow
    if (stream.state !== StreamState.Established || isHalfUsed) update()
  }
}
