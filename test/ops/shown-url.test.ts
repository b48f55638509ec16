import { describe, expect, test } from 'vitest'
import { CliError, explain } from '../../ops/cli-error.ts'
import { createHealth } from '../../ops/health.ts'
import { createLog } from '../../ops/logging/log.ts'
import { outputTo } from '../../ops/output.ts'
import { createRunLines } from '../../ops/run/lines.ts'
import { shownUrl, withoutKeys } from '../../ops/shown-url.ts'

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
  test('behavior: what a role says of itself to whoever asks', () => {
    const health = createHealth(['clock'], () => 0)
    health.set('clock', false, said)
    expectHidden(health.report().roles.clock!.detail)
    health.fail('clock', said)
    expectHidden(health.report().roles.clock!.detail)
  })
})
