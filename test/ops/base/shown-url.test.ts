import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { CliError, explain } from '../../../ops/base/cli-error.ts'
import { createHealth } from '../../../ops/base/health.ts'
import { httpUrl, parseOptions } from '../../../ops/base/options.ts'
import { outputTo } from '../../../ops/base/output.ts'
import { shownUrl, withoutKeys } from '../../../ops/base/shown-url.ts'
import { createRunLines } from '../../../ops/run/lines.ts'
import { createLog } from '../../../ops/watch/logging/log.ts'

const KEY = '0123456789abcdef0123456789abcdef'

test.each([
  ['http://127.0.0.1:8545', 'http://127.0.0.1:8545'],
  [`https://eth.example/v2/${KEY}`, 'https://eth.example/v2/…'],
  [`https://eth.example/rpc?apikey=${KEY}`, 'https://eth.example/rpc?…'],
  ['https://user:secret@eth.example:8080/', 'https://…@eth.example:8080/'],
  ['https://user:sec@ret@eth.example', 'https://…@eth.example'],
  [`wss://eth.example#${KEY}`, 'wss://eth.example#…'],
  ['no address', 'no address'],
])('default: %s', (url, shown) => expect(shownUrl(url)).toBe(shown))

test('behavior: in the words of a library, too', () => {
  const said = `server response 401 (request={  }, info={ "requestUrl": "https://u:p@eth.example/v2/${KEY}", "status": 401 })`
  expect(withoutKeys(said)).toBe(
    'server response 401 (request={  }, info={ "requestUrl": "https://…@eth.example/v2/…", "status": 401 })',
  )
})

describe('whatever brings it there, no key is in', () => {
  const url = `http://me:hunter2@host.example/${KEY}`
  const said = `GET "${url}?a=b\\" failed`
  const expectHidden = (text: string): void => {
    expect(text).toContain('host.example')
    expect(text).not.toMatch(/hunter2|0123456789|a=b/)
  }
  test('error: of a command', () => {
    expectHidden(explain(new CliError(said, 'Check it.')).lines.join())
    expectHidden(explain(new Error(said)).lines.join())
    expectHidden(explain(Object.assign(new Error(said), { code: 'UNREACHABLE', retriable: true })).lines.join())
  })
  test('behavior: the log, which stays JSON, and the lines of a process', () => {
    const written: string[] = []
    const to = { write: (line: string) => void written.push(line) }
    createLog({ level: 'info', to }).info({ event: 'note', nested: { text: said } })
    for (const json of [true, false]) createRunLines(outputTo(to as never), json).warn(said)
    expect(written).toHaveLength(3)
    for (const line of written) expectHidden(line)
    for (const line of written.slice(0, 2)) expect(() => JSON.parse(line)).not.toThrow()
  })
  test('behavior: the words of a role about itself to any caller', () => {
    const health = createHealth(['clock'], () => 0)
    health.set('clock', false, said)
    expectHidden(health.report().roles.clock!.detail)
    health.fail('clock', said)
    expectHidden(health.report().roles.clock!.detail)
  })
})

describe('an address that was given', () => {
  const SIGNS = [...'abcXYZ019-._~!$&()*+,;=:@[]{}|^`\'"<> %é\u202e']
  /** Of signs that stand for themselves in every part of an address. */
  const plain = (text: string): string => text.replaceAll(/[%/?#\\@ ]/g, '')
  const key = fc
    .string({ unit: fc.constantFrom(...SIGNS), minLength: 16, maxLength: 40 })
    .map((text) => `k${text}k`)
    .filter((text) => plain(text).replaceAll(':', '').length >= 16) // a shorter one is a name
  const clients: readonly ((url: string) => string)[] = [
    (url) => `GET ${url}: status 500`,
    (url) => `request to ${new URL(url).href} failed`,
    (url) => JSON.stringify({ requestUrl: url, body: '' }),
    (url) => {
      const { href, username, password } = new URL(url)
      return `${href.replace(`${username}:${password}@`, '')}/subjects: ${decodeURIComponent(username)}`
    },
  ]

  test('property: no login, long part of a path or query of its is in a text, whatever signs they are made of', () => {
    fc.assert(
      fc.property(key, key, key, key, fc.constantFrom(...clients), (name, password, path, query, say) => {
        const user = name.replaceAll(':', '')
        const url = `http://${plain(user)}:${plain(password)}@node.example:8545/v3/${plain(path)}?apikey=${plain(query)}`
        expect(httpUrl.safeParse(url).success).toBe(true)
        const shown = withoutKeys(say(url))
        const { username, password: sent, pathname, search } = new URL(url)
        expect(shown).toContain('node.example:8545/v3/')
        for (const secret of [
          plain(user),
          plain(password),
          plain(path),
          plain(query),
          username,
          sent,
          pathname.slice(4),
          search.slice(8),
        ])
          expect(shown.length < secret.length || !shown.includes(secret), `${shown} has ${secret}`).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  test.each([
    ["http://u:aa,hunter2@127.0.0.1:1/v3/x,hunter2aaaaaaaaaaaaaaaa?x='hunter2", 'http://…@127.0.0.1:1/v3/…?…'],
    ['http://u:50%hunter2@127.0.0.1:1/', 'http://…@127.0.0.1:1/'],
  ])('behavior: %s', (url, shown) => {
    httpUrl.parse(url)
    expect(withoutKeys(`GET ${url}: refused`)).toBe(`GET ${shown}: refused`)
  })

  test('behavior: of one that nobody gave, all up to white space, a quotation mark or the next address', () => {
    expect(withoutKeys('(http://u:a,b(c[d@h:1/v3/0123456789,abcdef01?q=a,b), http://u:p@i,http://u:p@j')).toBe(
      '(http://…@h:1/v3/…?…), http://…@i,http://…@j',
    )
  })

  test.each([
    ['http://u:hunter2/x@h', 'http://…'],
    ['http:u:hunter2@h', 'http://…@h/'],
    ['http:u:hunter2/x@h', 'http:…'],
    ['ftp://u:hunter2@h/', 'ftp://…@h/'],
  ])('error: an option that is no address of ours: %s', (rpc, shown) => {
    const parse = () => parseOptions(z.object({ rpc: httpUrl }), { rpc }, 'verify')
    expect(parse).toThrow(`--rpc "${shown}": not an http or https URL`)
  })
})
