import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createPinService } from '../../../connectors/ipfs/pin-service.ts'
import { type PinServer, startPinServer, TOKEN } from './pin-server.ts'

const CID = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
const OTHER = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy'
const ORIGIN = '/dns4/kubo.example/tcp/4001/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'

let server: PinServer
beforeEach(async () => {
  server = await startPinServer()
})
afterEach(() => server.close())

const service = (token = TOKEN, timeoutMs = 30_000) =>
  createPinService({ url: server.url, token, origins: [ORIGIN], timeoutMs })
const statusAll = (status: 'pinning' | 'pinned' | 'failed', info?: Record<string, string>): void => {
  for (const pin of server.pins.values()) Object.assign(pin, { status, info })
}

describe('createPinService', () => {
  it('default: asks once, is polled, and says when it is pinned', async () => {
    const pinning = service()
    await expect(pinning.pin(CID)).rejects.toMatchObject({ code: 'PENDING' })
    statusAll('pinning')
    await expect(pinning.pin(CID)).rejects.toMatchObject({ code: 'PENDING' })
    expect(await pinning.has(CID)).toBe(false)
    statusAll('pinned')
    await pinning.pin(CID)
    expect(await pinning.has(CID)).toBe(true)
    expect([...server.pins.values()].map(({ pin }) => pin)).toEqual([
      { cid: CID, name: 'powerloom-batch', origins: [ORIGIN] },
    ])
  })

  it('behavior: a pin that failed is replaced, and told', async () => {
    const pinning = service()
    await expect(pinning.pin(CID)).rejects.toMatchObject({ code: 'PENDING' })
    statusAll('failed', { status_details: 'no provider was found' })
    const failed = { code: 'PIN_FAILED', message: expect.stringContaining('no provider was found') }
    await expect(pinning.pin(CID)).rejects.toMatchObject(failed)
    expect([...server.pins.keys()]).toEqual(['request-2'])
    statusAll('pinned')
    await pinning.pin(CID)
  })

  it('behavior: lets go of every pin of a batch, and of no other', async () => {
    const pinning = service()
    for (const cid of [CID, OTHER]) await pinning.pin(cid).catch(() => {})
    await pinning.remove(CID, [])
    await pinning.remove(CID, [])
    expect([...server.pins.values()].map(({ pin }) => pin.cid)).toEqual([OTHER])
  })

  it('error: a wrong token is refused, and is not in the message', async () => {
    const refused = await service('wrong-token')
      .pin(CID)
      .catch((error: Error) => error)
    expect(refused).toMatchObject({ code: 'REFUSED', message: expect.stringContaining('answers 401: UNAUTHORIZED') })
    expect(String(refused)).not.toContain('wrong-token')
  })

  it('error: an address that is not that of the API', async () => {
    const pinning = createPinService({ url: server.url.replace('/psa', '/other'), token: TOKEN })
    await expect(pinning.pin(CID)).rejects.toMatchObject({ code: 'REFUSED' })
  })

  it.each([
    ['a page', '<html>', 'BAD_ANSWER'],
    ['nothing', '', 'BAD_ANSWER'],
    ['no list', '{"count":0}', 'BAD_ANSWER'],
    ['pins without a status', '{"results":[{"requestid":"a","pin":{"cid":"b"}}]}', 'BAD_ANSWER'],
    ['pins that are null', '{"results":[null]}', 'BAD_ANSWER'],
    ['too much', `{"results":"${'x'.repeat(100_000)}"}`, 'TOO_LARGE'],
  ])('error: an answer of %s', async (_what, text, code) => {
    server.play((response) => response.end(text))
    await expect(service().pin(CID)).rejects.toMatchObject({ code })
  })

  it.each([
    [429, 'UNAVAILABLE'],
    [500, 'UNAVAILABLE'],
    [402, 'REFUSED'],
  ])('error: %i is %s', async (status, code) => {
    server.play((response) => response.writeHead(status).end('{"error":{"reason":"R","details":"words"}}'))
    const message = expect.stringContaining(`answers ${status}: words`)
    await expect(service().has(CID)).rejects.toMatchObject({ code, message })
  })

  it('error: a pin of another CID than was asked for counts for nothing', async () => {
    const pin = { requestid: 'a', status: 'pinned', pin: { cid: OTHER } }
    server.play((response) => response.end(JSON.stringify({ results: [pin], ...pin })))
    expect(await service().has(CID)).toBe(false)
    await expect(service().pin(CID)).rejects.toMatchObject({ code: 'CID_MISMATCH' })
  })

  it('error: no answer', async () => {
    server.play(() => {})
    await expect(service(TOKEN, 300).has(CID)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})
