/** What a browser is given: the page, its assets, and the headers that hold it to this server. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import Fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { registerConsole } from '../../../../ops/api/console/serve.ts'
import { newFolder } from '../../../folder.ts'

const folder = newFolder()
writeFileSync(join(folder, 'index.html'), '<!doctype html><title>page</title>')
writeFileSync(join(folder, 'main-AB12.js'), 'console.log(1)')

const server = Fastify()
registerConsole(server, folder)

describe('the console as it is served', () => {
  it('default: the page is asked for anew each time and may reach nothing but this server', async () => {
    const { statusCode, headers, body } = await server.inject('/')
    expect([statusCode, body]).toEqual([200, '<!doctype html><title>page</title>'])
    expect(headers['content-type']).toBe('text/html; charset=utf-8')
    expect(headers['cache-control']).toBe('no-cache')
    expect(headers['x-content-type-options']).toBe('nosniff')
    const policy = String(headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toMatch(/unsafe|https?:|\*/)
  })

  it('behavior: assets are kept for ever, compressed for who takes that, and not sent twice', async () => {
    const { headers, body } = await server.inject('/assets/main-AB12.js')
    expect([headers['cache-control'], body]).toEqual(['public, max-age=31536000, immutable', 'console.log(1)'])
    const packed = await server.inject({ url: '/assets/main-AB12.js', headers: { 'accept-encoding': 'br, gzip' } })
    expect(packed.headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(packed.rawPayload).toString()).toBe('console.log(1)')
    const again = await server.inject({
      url: '/assets/main-AB12.js',
      headers: { 'if-none-match': String(headers.etag) },
    })
    expect([again.statusCode, again.body]).toEqual([304, ''])
  })

  it.each(['/assets/none.js', '/assets/..%2f..%2fpackage.json', '/assets/'])('error: %s is not there', async (url) =>
    expect((await server.inject(url)).statusCode).toBe(404),
  )

  it('error: without a build the page says what to do, and the rest of the server works', async () => {
    const other = Fastify()
    registerConsole(other, join(folder, 'nowhere'))
    other.get('/healthz', async () => 'ok')
    const { statusCode, body } = await other.inject('/')
    expect([statusCode, body]).toEqual([503, expect.stringContaining('npm run build')])
    expect((await other.inject('/healthz')).statusCode).toBe(200)
  })
})
