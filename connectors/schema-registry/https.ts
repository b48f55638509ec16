/** A request over TLS whose certificates an authority of one's own has signed: `fetch` takes no other authorities than its own. */
import { type Agent, request } from 'node:https'

export interface Exchange {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal: AbortSignal
}

/** Of one answer: schemas of all records together are a hundredth of it. */
const ANSWER_BYTES_MAX = 16 * 2 ** 20

export function exchange(
  url: string,
  agent: Agent,
  { method, headers, body, signal }: Exchange,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent, method, headers, signal }, (response) => {
      const pieces: Buffer[] = []
      let bytes = 0
      response.on('data', (piece: Buffer) => {
        bytes += piece.length
        if (bytes > ANSWER_BYTES_MAX) response.destroy(new Error(`an answer of more than ${ANSWER_BYTES_MAX} bytes`))
        else pieces.push(piece)
      })
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString() }))
    })
    asked.on('error', (error) => reject(signal.aborted ? signal.reason : error))
    asked.end(body)
  })
}
