import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { computeCid } from '../../../connectors/ipfs/cid.ts'
import { createKuboStore } from '../../../connectors/ipfs/kubo-store.ts'
import { storeIn } from '../../../connectors/ipfs/store.ts'
import { ANSWERS, OTHER_CID, type StoreServer, startStoreServer } from './store-server.ts'

const bytes = Buffer.from('{"submissionIDs":["a"]}')
const cid = await computeCid(bytes)
let server: StoreServer
beforeEach(async () => {
  server = await startStoreServer()
})
afterEach(() => server.close())

describe('createKuboStore (no Kubo daemon could be had here: an HTTP server stands in for it)', () => {
  it('default: adds, pins and reads back with the settings that give the CID of computeCid', async () => {
    const kubo = createKuboStore({ url: server.url })
    expect(await storeIn(kubo, bytes, cid)).toBeUndefined()
    expect(server.requests[0]).toMatch(/^\/api\/v0\/add\?/)
    const parameters = new URL(server.requests[0]!, 'http://kubo').searchParams
    expect(Object.fromEntries(parameters)).toMatchObject({
      'cid-version': '1',
      'raw-leaves': 'true',
      chunker: 'size-262144',
      pin: 'true',
    })
  })

  it('args: a batch of several blocks', async () => {
    const large = Buffer.alloc(700_000, 'batch')
    const kubo = createKuboStore({ url: server.url })
    expect(await storeIn(kubo, large, await computeCid(large))).toBeUndefined()
  })

  it('args: version 0', async () => {
    const old = await startStoreServer(0)
    const kubo = createKuboStore({ url: old.url, version: 0 })
    expect(await kubo.put(bytes)).toBe(await computeCid(bytes, 0))
    expect(old.requests[0]).toContain('cid-version=0')
    expect(old.requests[0]).toContain('raw-leaves=false')
    await old.close()
  })

  it('args: a login and a path in the address', async () => {
    let login: string | undefined
    server.play(({ request, response }) => {
      login = request.headers.authorization
      response.end('{"Keys":{}}')
    })
    const address = `${server.url.replace('//', '//me:secret@')}/ipfs/api/v0`
    expect(await createKuboStore({ url: address }).has(cid)).toBe(true)
    expect(login).toBe(`Basic ${Buffer.from('me:secret').toString('base64')}`)
    expect(server.requests[0]).toContain('/ipfs/api/v0/pin/ls?')
  })

  it('behavior: knows what is pinned, and lets go of it', async () => {
    const kubo = createKuboStore({ url: server.url })
    expect(await kubo.has(cid)).toBe(false)
    await kubo.put(bytes)
    expect(await kubo.has(cid)).toBe(true)
    await kubo.remove(cid, [])
    await kubo.remove(cid, [])
    expect(await kubo.has(cid)).toBe(false)
  })

  it.each(ANSWERS)('error: a server that %s is %s', async (what, code, answer) => {
    server.play(answer)
    const kubo = createKuboStore({
      url: server.url,
      timeoutMs: /never|hangs|refuses without/.test(what) ? 500 : 30_000,
    })
    expect(await storeIn(kubo, bytes, cid)).toMatchObject({ code, retriable: true })
  })

  it('error: words of a page come without its tags and controls, and not all of them', async () => {
    server.play(({ response }) => response.writeHead(403).end(`<h1>No\u001b[31m</h1>\n${'x'.repeat(9_000)}`))
    const failure = await storeIn(createKuboStore({ url: server.url }), bytes, cid)
    expect(failure?.message).toMatch(/answers 403: No \[31m x+$/)
    expect(failure?.message.length).toBeLessThan(300)
  })

  it('error: nobody listens', async () => {
    const gone = await startStoreServer()
    await gone.close()
    await expect(createKuboStore({ url: gone.url }).put(bytes)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('error: a caller that gives up ends the call', async () => {
    server.play(() => {})
    const giveUp = new AbortController()
    const put = createKuboStore({ url: server.url }).put(bytes, { signal: giveUp.signal })
    giveUp.abort()
    await expect(put).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('error: an answer without end is TOO_LARGE', async () => {
    server.play(ANSWERS.find(([what]) => what === 'answers without end')![2])
    const kubo = createKuboStore({ url: server.url, bytesMax: 50_000 })
    await expect(kubo.get(OTHER_CID)).rejects.toMatchObject({ code: 'TOO_LARGE' })
  })
})
