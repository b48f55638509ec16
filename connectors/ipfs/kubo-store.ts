import { create, type KuboRPCClient } from 'kubo-rpc-client'
import { BATCH_BYTES_MAX, type BatchStore, type StoreCallOptions, StoreError } from './batch-store.ts'
import type { CidVersion } from './cid.ts'

export interface KuboStoreOptions {
  /** RPC address, e.g. http://127.0.0.1:5001. */
  readonly url: string
  readonly version?: CidVersion
  /** The client's own `timeout` does not end a call to a server that hangs, so each call has a signal. */
  readonly timeoutMs?: number
  /** Longest batch that `get` gives back. */
  readonly bytesMax?: number
}

const TIMEOUT_MS = 30_000

/** A Kubo node. `put` adds and pins with the settings that give the CID of `computeCid`. It never retries. */
export function createKuboStore(options: KuboStoreOptions): BatchStore {
  const { url, version = 1, timeoutMs = TIMEOUT_MS, bytesMax = BATCH_BYTES_MAX } = options
  const client = create({ url })
  const name = `kubo ${new URL(url).host}`
  return {
    name,
    put: (bytes, call) =>
      guarded(name, call, timeoutMs, async (signal) => {
        const { cid } = await client.add(bytes, {
          cidVersion: version,
          rawLeaves: version === 1,
          chunker: 'size-262144',
          pin: true,
          signal,
        })
        return cid.toString()
      }),
    get: (cid, call) => guarded(name, call, timeoutMs, (signal) => readAll(client, cid, bytesMax, signal)),
  }
}

async function readAll(client: KuboRPCClient, cid: string, bytesMax: number, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let total = 0
  for await (const chunk of client.cat(cid, { signal })) {
    total += chunk.length
    if (total > bytesMax) throw new StoreError('TOO_LARGE', `${cid}: more than ${bytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

async function guarded<T>(
  name: string,
  call: StoreCallOptions | undefined,
  timeoutMs: number,
  action: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = AbortSignal.timeout(timeoutMs)
  const signal = call?.signal ? AbortSignal.any([call.signal, timeout]) : timeout
  try {
    return await action(signal)
  } catch (cause) {
    throw classify(name, cause, timeout.aborted ? `no answer within ${timeoutMs} ms` : undefined)
  }
}

/** Everything but a 4xx answer may be better the next time. */
function classify(name: string, cause: unknown, timedOut: string | undefined): StoreError {
  if (cause instanceof StoreError) return cause
  const { message, response, cause: below } = cause as Error & { response?: { status: number } }
  const words = below instanceof Error ? `${message}: ${below.message}` : message // fetch says only that it failed
  const refused = response !== undefined && response.status >= 400 && response.status < 500 && response.status !== 429
  return new StoreError(refused ? 'REFUSED' : 'UNAVAILABLE', `${name}: ${timedOut ?? words}`, cause)
}
