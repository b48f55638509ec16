/** JSON to a node over HTTP and back, with bounds on time, bytes and items. */
import { boundedFetch, LateAnswer } from '../../bounded-fetch.ts'
import { fetchWords, loginOf } from '../../url-login.ts'
import { EvmError } from '../errors.ts'
import { type AnswerBounds, createItemCount, SMALLEST } from './answer-bounds.ts'
import { idOf } from './json-rpc.ts'
import { shown, tooLong } from './rpc-values.ts'

/** Bytes of all answers of a node that are under way. */
const HELD_BYTES_MAX = 64 * 2 ** 20

/** The node did not take the request as it is, in whichever words. */
export class Refused extends Error {}

/** The connection was, by the server's side most often, which had let it idle. */
class Lost extends EvmError {}

/**
 * A request that is lost or refused is sent once more: every request may be repeated. Rejects with Refused when the node answers,
 * but with no JSON, or with an HTTP status that is an error; with `ANSWER_TOO_LONG` for what is beyond the bounds.
 */
export function createPoster(
  url: string,
  timeoutMs: number,
): (body: unknown, bounds: AnswerBounds) => Promise<unknown> {
  const { address, authorization } = loginOf(url)
  const headers = { 'content-type': 'application/json', ...(authorization && { authorization }) }
  let heldBytes = 0
  const send = async (body: unknown, bounds: AnswerBounds): Promise<unknown> => {
    // A node that could send us elsewhere could have us ask whatever this machine reaches.
    const request = { method: 'POST', headers, body: JSON.stringify(body), redirect: 'error' } as const
    const count = createItemCount(bounds)
    let bytes = 0
    const take = (piece: Uint8Array, status: number): void => {
      bytes += piece.length
      heldBytes += piece.length
      if (heldBytes > HELD_BYTES_MAX) throw tooLong(`answers of more than ${HELD_BYTES_MAX} bytes at once`)
      if (!isError(status)) count(piece)
    }
    try {
      const bytesMax = bounds.bytes
      const { status, body: given, isCut } = await boundedFetch(address, request, { timeoutMs, bytesMax, take })
      const value = parsed(given, status, isCut, bounds)
      if (isAnswerTo(body, value)) return value
      throw new Refused(`not an answer of JSON-RPC: ${shown(value)}`)
    } catch (error) {
      if (error instanceof Refused || error instanceof EvmError) throw error
      if (error instanceof LateAnswer) throw new EvmError('UNREACHABLE', 'no answer in time', { retriable: true })
      throw new Lost('UNREACHABLE', fetchWords(error), { retriable: true, cause: error })
    } finally {
      heldBytes -= bytes
    }
  }
  return (body, bounds) =>
    send(body, bounds).catch((error: unknown) => {
      if (error instanceof Refused || error instanceof Lost) return send(body, bounds)
      throw error
    })
}

/** A list for a list, and with the number of the request: an error without one is the refusal of the request as such. */
const isAnswerTo = (body: unknown, value: unknown): boolean =>
  Array.isArray(body) ? Array.isArray(value) && value.length > 0 : idOf(value) === idOf(body)

const isError = (status: number): boolean => status >= 400

/** With the status of an error the beginning is enough: it may be a page of HTML. */
function parsed(body: Buffer, status: number, isCut: boolean, bounds: AnswerBounds): unknown {
  const text = (isError(status) ? body.subarray(0, SMALLEST.bytes) : body).toString('utf8')
  if (isCut && !isError(status)) throw tooLong(`an answer of more than ${bounds.bytes} bytes`)
  try {
    const value: unknown = JSON.parse(text)
    const isAnswer = typeof value === 'object' && value !== null
    if (isAnswer && (!isError(status) || Array.isArray(value) || 'error' in value)) return value
  } catch {
    // not JSON: told below
  }
  throw new Refused(`HTTP status ${status}: ${shown(text)}`)
}
