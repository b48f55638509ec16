import { type PinService, type StoreCallOptions, StoreError } from './batch-store.ts'
import { createStoreClient, jsonOf } from './http.ts'

export interface PinServiceOptions {
  /** Endpoint, e.g. https://api.example.com/psa: `/pins` is below it. */
  readonly url: string
  /** Access token, sent as `Authorization: Bearer`. */
  readonly token: string
  /** Multiaddrs, with /p2p/, of nodes that have the batches: the service need not search for them. At most 20. */
  readonly origins?: readonly string[]
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 30_000
/** The name of our pins there, so that a person knows whose they are. */
const PIN_NAME = 'powerloom-batch'
/** More pins of one CID than that nobody makes. */
const PINS_MAX = 10
const STATUSES = ['queued', 'pinning', 'pinned', 'failed'] as const

interface Pin {
  readonly requestId: string
  readonly status: (typeof STATUSES)[number]
  readonly details: string
}

/**
 * A service of the standard IPFS Pinning Service API 1.0.0 (ipfs.github.io/pinning-services-api-spec). It gets a CID and fetches
 * the bytes from any peer that has them. Nothing that it says shows that it has them, so it counts for no anchoring.
 */
export function createPinService(options: PinServiceOptions): PinService {
  const { url, token, origins = [], timeoutMs = TIMEOUT_MS } = options
  const name = `pinning ${new URL(url).host}`
  const ask = createStoreClient(name, url, timeoutMs, (status) => status === 404)
  const login = { authorization: `Bearer ${token}` }

  const find = async (cid: string, { signal }: StoreCallOptions = {}): Promise<readonly Pin[]> => {
    const query = new URLSearchParams({ cid, status: STATUSES.join(','), limit: `${PINS_MAX}` })
    const { status, body } = await ask({ method: 'GET', path: `/pins?${query}`, headers: login, signal })
    if (status === 404) throw new StoreError('REFUSED', `${name} has no /pins: the address is not that of its API`)
    const { results } = jsonOf(name, body.toString('utf8'))
    if (!Array.isArray(results)) throw new StoreError('BAD_ANSWER', `${name}: its list of pins has no results`)
    return results.slice(0, PINS_MAX).flatMap((one) => pinOf(name, one, cid) ?? [])
  }

  /** `requestId` names a pin that failed: it is replaced, so that there is one of each CID. */
  const request = async (cid: string, requestId: string, { signal }: StoreCallOptions): Promise<Pin> => {
    const body = JSON.stringify({ cid, name: PIN_NAME, ...(origins.length > 0 && { origins }) })
    const headers = { ...login, 'content-type': 'application/json' }
    const path = requestId === '' ? '/pins' : `/pins/${encodeURIComponent(requestId)}`
    const { status, body: answer } = await ask({ method: 'POST', path, headers, body, signal })
    if (status === 404) throw new StoreError('REFUSED', `${name} has no ${path}`)
    const pin = pinOf(name, jsonOf(name, answer.toString('utf8')), cid)
    if (!pin) throw new StoreError('CID_MISMATCH', `${name} was asked to pin ${cid} and answers with another`)
    return pin
  }

  return {
    name,
    async pin(cid, call = {}) {
      const found = await find(cid, call)
      if (found.some(({ status }) => status === 'pinned')) return
      const [failed] = found.filter(({ status }) => status === 'failed')
      const underWay = found.find(({ status }) => status === 'queued' || status === 'pinning')
      const pin = underWay ?? (await request(cid, failed?.requestId ?? '', call))
      if (pin.status === 'pinned') return
      if (underWay === undefined && (failed || pin.status === 'failed'))
        throw new StoreError(
          'PIN_FAILED',
          `${name} could not pin ${cid}: ${(failed ?? pin).details || 'it does not say why'}`,
        )
      throw new StoreError('PENDING', `${name}: the pin of ${cid} is ${pin.status}`)
    },
    has: async (cid, call) => (await find(cid, call)).some(({ status }) => status === 'pinned'),
    async remove(cid, _kept, call = {}) {
      for (const { requestId } of await find(cid, call))
        await ask({
          method: 'DELETE',
          path: `/pins/${encodeURIComponent(requestId)}`,
          headers: login,
          signal: call.signal,
        })
    },
  }
}

/** @returns undefined for a pin of another CID. Throws `BAD_ANSWER` */
function pinOf(name: string, value: unknown, cid: string): Pin | undefined {
  const { requestid, status, pin, info } = (value ?? {}) as Record<string, unknown>
  const known = STATUSES.find((one) => one === status)
  const of = (pin as { cid?: unknown } | null | undefined)?.cid
  if (typeof requestid !== 'string' || requestid === '' || known === undefined || typeof of !== 'string')
    throw new StoreError('BAD_ANSWER', `${name}: a pin without requestid, status or cid`)
  if (of !== cid) return undefined
  const details = (info as { status_details?: unknown } | null | undefined)?.status_details
  return { requestId: requestid, status: known, details: typeof details === 'string' ? details.slice(0, 200) : '' }
}
