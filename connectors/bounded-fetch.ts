/**
 * A request over HTTP with bounds on time and bytes. The time is kept by a timer that cancels the reader: a signal alone does not
 * end a body, for `fetch` holds on to it weakly, and the garbage collector takes `AbortSignal.timeout`, and what `AbortSignal.any`
 * makes of it, while somebody still waits for them.
 */

export interface FetchBounds {
  /** For the request and its whole answer. */
  readonly timeoutMs: number
  /** Bytes of the answer as it is read, so behind its decompression. */
  readonly bytesMax: number
  readonly signal?: AbortSignal | undefined
  /** Sees each piece as it comes; what it throws ends the request. */
  readonly take?: ((piece: Uint8Array, status: number) => void) | undefined
}

export interface BoundedAnswer {
  readonly status: number
  readonly ok: boolean
  /** At most `bytesMax`. */
  readonly body: Buffer
  /** The answer was longer than `bytesMax`. */
  readonly isCut: boolean
}

/** No whole answer came within its time. */
export class LateAnswer extends Error {
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs / 1_000} s`)
    this.name = 'LateAnswer'
  }
}

/** Rejects with LateAnswer, with the reason of the signal, or with the error of `take` or `fetch`. */
export async function boundedFetch(url: string, init: RequestInit, bounds: FetchBounds): Promise<BoundedAnswer> {
  const { timeoutMs, signal } = bounds
  const abort = new AbortController()
  let end: (why: unknown) => void = () => {}
  const over = new Promise<never>((_, reject) => {
    end = (why) => {
      reject(why)
      abort.abort(why)
    }
  })
  over.catch(() => undefined)
  const timer = setTimeout(() => end(new LateAnswer(timeoutMs)), timeoutMs)
  const onAbort = (): void => end(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  if (signal?.aborted) onAbort()
  try {
    const asked = fetch(url, { ...init, signal: abort.signal })
    // An answer that comes when nobody waits any more is let go with its connection.
    asked.then(({ body }) => (abort.signal.aborted ? body?.cancel() : undefined)).catch(ignored)
    return await readAnswer(await Promise.race([asked, over]), over, bounds)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

async function readAnswer(response: Response, over: Promise<never>, bounds: FetchBounds): Promise<BoundedAnswer> {
  const { status, ok, headers } = response
  const { bytesMax, take } = bounds
  const reader = response.body?.getReader()
  const pieces: Uint8Array[] = []
  let bytes = 0
  try {
    // Each coding may blow up what the one within it gives: of several, much work comes of few bytes, and nothing may come out.
    if (headers.get('content-encoding')?.includes(',')) throw new Error('an answer that is compressed more than once')
    while (reader && bytes <= bytesMax) {
      const { done, value } = await Promise.race([reader.read(), over])
      if (done) break
      bytes += value.length
      take?.(value, status)
      pieces.push(value)
    }
  } finally {
    reader?.cancel().catch(ignored) // nothing, when it was read to its end
  }
  const body = Buffer.concat(pieces).subarray(0, bytesMax)
  return { status, ok, body, isCut: bytes > bytesMax }
}

const ignored = (): void => undefined
