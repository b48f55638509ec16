/** A request over TLS whose certificates are signed by a private authority: `fetch` takes no other authorities than its own. */
import { type Agent, request } from 'node:https'
import { LateAnswer } from '../bounded-fetch.ts'

export interface Exchange {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Bytes of one answer: schemas of all records together are a hundredth of it. */
export const ANSWER_BYTES_MAX = 16 * 2 ** 20

export function exchange(
  url: string,
  agent: Agent,
  { method, headers, body, timeoutMs, signal }: Exchange,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent, method, headers }, (response) => {
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
    const end = (why: Error): void => {
      reject(why)
      asked.destroy(why)
    }
    const timer = setTimeout(() => end(new LateAnswer(timeoutMs)), timeoutMs)
    const onAbort = (): void => end(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    asked.on('close', () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    })
    asked.on('error', reject)
    if (signal?.aborted) onAbort()
    asked.end(body)
  })
}
