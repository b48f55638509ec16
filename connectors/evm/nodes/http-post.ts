/** JSON to a node over HTTP and back, with bounds on time and bytes. */
import { fetchWords, loginOf } from '../../url-login.ts'
import { EvmError } from '../errors.ts'
import { idOf, shown } from './json-rpc.ts'
import { tooLong } from './rpc-values.ts'

/** Of one answer: some 10,000 logs, or a block's worth of receipts. */
const ANSWER_BYTES_MAX = 32 * 2 ** 20

/** The node did not take the request as it is, in whichever words. */
export class Refused extends Error {}

/** The connection was, by the server's side most often, which had let it idle. */
class Lost extends EvmError {}

/** One that is lost or refused is sent once more: every request may be repeated. Rejects with Refused when the node answers, but with no JSON, or with an HTTP status that is an error. */
export function createPoster(url: string, timeoutMs: number): (body: unknown) => Promise<unknown> {
  const { address, authorization } = loginOf(url)
  const headers = { 'content-type': 'application/json', ...(authorization && { authorization }) }
  const send = async (body: unknown): Promise<unknown> => {
    try {
      const signal = AbortSignal.timeout(timeoutMs)
      // A node that could send us elsewhere could have us ask whatever this machine reaches.
      const request = { method: 'POST', headers, body: JSON.stringify(body), signal, redirect: 'error' } as const
      const response = await fetch(address, request)
      const value = parsed(await textOf(response), response.status)
      if (isAnswerTo(body, value)) return value
      throw new Refused(`not an answer of JSON-RPC: ${shown(value)}`)
    } catch (error) {
      if (error instanceof Refused || error instanceof EvmError) throw error
      if ((error as Error).name === 'TimeoutError')
        throw new EvmError('UNREACHABLE', 'no answer in time', { retriable: true })
      throw new Lost('UNREACHABLE', fetchWords(error), { retriable: true, cause: error })
    }
  }
  return (body) =>
    send(body).catch((error: unknown) => {
      if (error instanceof Refused || error instanceof Lost) return send(body)
      throw error
    })
}

/** A list for a list, and with the number of the request: an error without one is the refusal of the request as such. */
const isAnswerTo = (body: unknown, value: unknown): boolean =>
  Array.isArray(body) ? Array.isArray(value) && value.length > 0 : idOf(value) === idOf(body)

function parsed(text: string, status: number): unknown {
  try {
    const value: unknown = JSON.parse(text)
    const isAnswer = typeof value === 'object' && value !== null
    if (isAnswer && (status < 400 || Array.isArray(value) || 'error' in value)) return value
  } catch {
    // not JSON: told below
  }
  throw new Refused(`HTTP status ${status}: ${shown(text)}`)
}

async function textOf(response: Response): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of response.body ?? []) {
    bytes += piece.length
    if (bytes > ANSWER_BYTES_MAX) throw tooLong(`an answer of more than ${ANSWER_BYTES_MAX} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}
