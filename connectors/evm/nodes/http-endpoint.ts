/** A node over HTTP: calls of one turn of the event loop travel in one JSON-RPC batch, as large as the node takes. */
import { createLimiter } from '../../limiter.ts'
import { EvmError } from '../errors.ts'
import { type AnswerBounds, boundsOf } from './answer-bounds.ts'
import type { Endpoint, RpcOptions } from './ask.ts'
import { createPoster, Refused } from './http-post.ts'
import { type Answer, answerOf, idOf, isRefusal, NotAnswered, type Request, textOfRequest } from './json-rpc.ts'
import { badAnswer } from './rpc-values.ts'

const REQUESTS_AT_ONCE = 16
/** Full batches at one size before a larger one is tried again: at first, and at most, for it doubles with each refusal. */
const GROW_AFTER_FIRST = 8
const GROW_AFTER_MAX = 512

interface Queued extends Request {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

export const connectHttp = (url: string, options: RpcOptions): Endpoint => new HttpEndpoint(url, options)

class HttpEndpoint implements Endpoint {
  private readonly post: (body: unknown, bounds: AnswerBounds) => Promise<unknown>
  private readonly limited = createLimiter(REQUESTS_AT_ONCE)
  private readonly sizeMax: number
  private size: number
  /** Full batches answered since the size changed. */
  private answered = 0
  private growAfter = GROW_AFTER_FIRST
  private queue: Queued[] = []
  private nextId = 1
  private isClosed = false

  constructor(url: string, { timeoutMs, batchMax }: RpcOptions) {
    this.post = createPoster(url, timeoutMs)
    this.sizeMax = batchMax
    this.size = batchMax
  }

  ask = (method: string, params: readonly unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (this.queue.length === 0) setImmediate(() => this.flush())
      this.queue.push({ id: this.nextId++, method, params, resolve, reject })
    })

  close(): void {
    this.isClosed = true
  }

  private flush(): void {
    const calls = this.queue
    this.queue = []
    for (let at = 0; at < calls.length; ) {
      const part = calls.slice(at, at + this.size)
      at += part.length
      void this.limited(() => this.answerAll(part))
    }
  }

  /**
   * Each of the calls is resolved or rejected; never rejects itself. A batch that is refused is sent once more before a
   * smaller one is: what passes by itself must not make for more requests.
   */
  private async answerAll(calls: readonly Queued[], isSecond = false): Promise<void> {
    try {
      if (this.isClosed) throw new EvmError('UNREACHABLE', 'closed', { retriable: true })
      const [first, ...others] = calls
      if (others.length === 0) return give(first!, await this.single(first!))
      const answers = await this.batch(calls)
      if (answers) return await this.giveAll(calls, answers, isSecond)
      // A question that no node refuses tells whether it was the batch that this one minded.
      const probe = await this.single({ id: this.nextId++, method: 'eth_chainId', params: [] })
      if ('error' in probe) throw probe.error
      await (isSecond ? this.inSmaller(calls) : this.answerAll(calls, true))
    } catch (error) {
      for (const call of calls) call.reject(error)
    }
  }

  private async single(request: Request): Promise<Answer> {
    try {
      return answerOf(await this.post(textOfRequest(request), boundsOf([request.method])))
    } catch (error) {
      if (error instanceof Refused) return { error: new NotAnswered(error.message) }
      throw error
    }
  }

  /**
   * Undefined when the batch as such seems to be refused: not answered with a list that has every call. A batch that was too long
   * is not sent again at once: the next batches are smaller, when that may mend it.
   */
  private async batch(calls: readonly Queued[]): Promise<readonly Answer[] | undefined> {
    const bounds = boundsOf(calls.map(({ method }) => method))
    try {
      const given = await this.post(calls.map(textOfRequest), bounds)
      if (!Array.isArray(given)) return undefined
      const byId = new Map(given.map((one: unknown) => [idOf(one), one]))
      // Two answers to one call: neither can be believed, whichever comes last.
      const ids = new Set<unknown>(calls.map(({ id }) => id))
      if (given.filter((one: unknown) => ids.has(idOf(one))).length > ids.size)
        throw badAnswer('a call of a batch was answered more than once')
      return calls.every(({ id }) => byId.has(id)) ? calls.map(({ id }) => answerOf(byId.get(id))) : undefined
    } catch (error) {
      if (error instanceof Refused) return undefined
      if (error instanceof EvmError && error.code === 'ANSWER_TOO_LONG' && bounds.isCut) this.shrink(calls.length)
      throw error
    }
  }

  /** Some nodes refuse single calls of a batch that is too large: one of these calls, asked alone, tells. */
  private async giveAll(calls: readonly Queued[], answers: readonly Answer[], isSecond: boolean): Promise<void> {
    const at = answers.findIndex(isRefusal)
    const again = at < 0 ? undefined : await this.single(calls[at]!)
    const isOfBatch = again !== undefined && !isRefusal(again)
    const refused: Queued[] = []
    for (const [i, call] of calls.entries()) {
      if (isOfBatch && i === at) give(call, again)
      else if (isOfBatch && isRefusal(answers[i]!)) refused.push(call)
      else give(call, answers[i]!)
    }
    if (!isOfBatch) this.grow(calls.length)
    else if (refused.length > 0) await (isSecond ? this.inSmaller(refused) : this.answerAll(refused, true))
  }

  private async inSmaller(calls: readonly Queued[]): Promise<void> {
    this.shrink(calls.length)
    for (let at = 0; at < calls.length; ) {
      const part = calls.slice(at, at + this.size)
      at += part.length
      await this.answerAll(part)
    }
  }

  private shrink(calls: number): void {
    this.size = Math.min(this.size, Math.max(1, Math.floor(calls / 2)))
    this.answered = 0
    this.growAfter = Math.min(GROW_AFTER_MAX, this.growAfter * 2)
  }

  private grow(calls: number): void {
    if (calls < this.size || this.size >= this.sizeMax || ++this.answered < this.growAfter) return
    this.size = Math.min(this.sizeMax, this.size * 2)
    this.answered = 0
  }
}

function give({ resolve, reject }: Queued, answer: Answer): void {
  if ('error' in answer) reject(answer.error)
  else resolve(answer.result)
}
