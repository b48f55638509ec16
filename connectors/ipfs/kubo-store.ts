import { randomUUID } from 'node:crypto'
import { CID } from 'multiformats/cid'
import { BATCH_BYTES_MAX, type BatchStore, StoreError } from './batch-store.ts'
import type { CidVersion } from './cid.ts'
import { createStoreClient, jsonOf } from './http.ts'

export interface KuboStoreOptions {
  /** RPC address, e.g. http://127.0.0.1:5001. */
  readonly url: string
  readonly version?: CidVersion
  /** For one call; with a batch a second more for each MiB. */
  readonly timeoutMs?: number
  /** Longest batch that `get` gives back. */
  readonly bytesMax?: number
}

const TIMEOUT_MS = 30_000

/**
 * A Kubo node by its RPC (docs.ipfs.tech/reference/kubo/rpc). `put` adds and pins with the settings that give the CID of
 * `computeCid`. It never retries. Not by `kubo-rpc-client`: it reads answers of any length into memory (decision 0034).
 */
export function createKuboStore(options: KuboStoreOptions): BatchStore {
  const { url, version: usual = 1, timeoutMs = TIMEOUT_MS, bytesMax: longest = BATCH_BYTES_MAX } = options
  const name = `kubo ${new URL(url).host}`
  const ask = createStoreClient(name, apiOf(url), timeoutMs, (status, text) => status === 500 && NOT_PINNED.test(text))
  const call = (command: string, parameters: Record<string, string>, rest: object = {}) =>
    ask({ method: 'POST', path: `/${command}?${new URLSearchParams(parameters)}`, ...rest })
  return {
    name,
    async put(bytes, { signal, version = usual } = {}) {
      const boundary = `batch-${randomUUID()}`
      const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` }
      const body = [Buffer.from(headOf(boundary)), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)]
      const { body: answer } = await call('add', ADD[version], { headers, body, signal })
      return cidIn(name, answer.toString('utf8'))
    },
    async get(cid, { signal, bytesMax } = {}) {
      return (await call('cat', { arg: cid }, { signal, bytesMax: bytesMax ?? longest, bytesExpected: bytesMax })).body
    },
    async has(cid, { signal } = {}) {
      const { status, body } = await call('pin/ls', { arg: cid, type: 'recursive' }, { signal })
      return status === 200 && jsonOf(name, body.toString('utf8')).Keys !== undefined
    },
    async remove(cid, _kept, { signal } = {}) {
      await call('pin/rm', { arg: cid }, { signal })
    },
  }
}

/** Kubo's answer, with status 500, about a CID that it has not pinned. */
const NOT_PINNED = /not pinned/

const SETTINGS = { chunker: 'size-262144', pin: 'true', progress: 'false' }
const ADD: Record<CidVersion, Record<string, string>> = {
  0: { ...SETTINGS, 'cid-version': '0', 'raw-leaves': 'false' },
  1: { ...SETTINGS, 'cid-version': '1', 'raw-leaves': 'true' },
}

/** An address without a path is that of the daemon. */
function apiOf(url: string): string {
  const address = new URL(url)
  if (address.pathname === '/') address.pathname = '/api/v0'
  return address.href
}

const headOf = (boundary: string): string =>
  `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="batch"\r\ncontent-type: application/octet-stream\r\n\r\n`

/** The last line of the answer is about the whole file. */
function cidIn(name: string, answer: string): string {
  const { Hash } = jsonOf(name, answer.trimEnd().split('\n').at(-1)!)
  try {
    return CID.parse(String(Hash)).toString()
  } catch (cause) {
    throw new StoreError('BAD_ANSWER', `${name} does not say which CID it gave the batch`, cause)
  }
}
