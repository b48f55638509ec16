/**
 * Negotiations, in which a peer proposes protocols until one suits (multistream-select 1.0.0): of the encryption on a socket, of the
 * muxer on an encrypted connection, and on each stream. A proposal takes four bytes and costs an answer, and the library answers
 * without end.
 */
import type { MessageStream } from '@libp2p/interface'

/**
 * Calls `onAnswer` before each answer of ours, with their number so far.
 * @returns the end of the counting, for when the negotiation is over
 */
export function countAnswers(stream: MessageStream, onAnswer: (answers: number) => void): () => void {
  const { send } = stream
  let answers = 0
  stream.send = (data) => {
    onAnswer(++answers)
    return send.call(stream, data) // throws when the stream was ended above
  }
  return () => {
    stream.send = send
  }
}
