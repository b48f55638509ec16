/** A node over HTTP that has limits, and ways of its own to say so. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Endpoint } from '../../../../connectors/evm/nodes/ask.ts'
import { connectHttp } from '../../../../connectors/evm/nodes/http-endpoint.ts'

interface Call {
  readonly id: number
  readonly method: string
}
type Respond = (asked: Call | Call[], outgoing: ServerResponse, incoming: IncomingMessage) => void

let open: (() => void)[] = []
afterEach(() => {
  for (const close of open) close()
  open = []
})

async function nodeThat(
  respond: Respond,
  batchMax = 50,
  login = '',
): Promise<Endpoint & { readonly sizes: number[]; readonly url: string }> {
  const sizes: number[] = []
  const server: Server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const asked = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Call | Call[]
    sizes.push(Array.isArray(asked) ? asked.length : 1)
    respond(asked, outgoing, incoming)
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const url = `http://${login}127.0.0.1:${(server.address() as AddressInfo).port}`
  const endpoint = connectHttp(url, { urls: [url], chainId: 1, timeoutMs: 5_000, batchMax })
  open.push(() => {
    endpoint.close()
    server.closeAllConnections()
    server.close()
  })
  return { ...endpoint, ask: endpoint.ask, close: () => endpoint.close(), sizes, url }
}

const resultOf = ({ id }: Call) => ({ jsonrpc: '2.0', id, result: `0x${id.toString(16)}` })
const answer = (asked: Call | Call[]) => JSON.stringify(Array.isArray(asked) ? asked.map(resultOf) : resultOf(asked))
const errorOf = (id: number | null, message: string) => ({ jsonrpc: '2.0', id, error: { code: -32000, message } })
const many = (node: Endpoint, calls = 40) =>
  Promise.all(Array.from({ length: calls }, () => node.ask('eth_call', []))).then((all) => new Set(all).size)

describe('a node that takes ten calls in a batch', () => {
  const LIMIT = 10
  const isOver = (asked: Call | Call[]): asked is Call[] => Array.isArray(asked) && asked.length > LIMIT
  test.each<[string, (asked: Call[], outgoing: ServerResponse) => void]>([
    ['HTTP 413', (_, outgoing) => void outgoing.writeHead(413).end('too large')],
    ['an error in place of a list', (_, outgoing) => void outgoing.end(JSON.stringify(errorOf(null, 'batch limit')))],
    ['one error in a list', ([first], outgoing) => void outgoing.end(JSON.stringify([errorOf(first!.id, 'too many')]))],
    [
      'an error for every call',
      (asked, outgoing) => void outgoing.end(JSON.stringify(asked.map(({ id }) => errorOf(id, 'no')))),
    ],
    [
      'an error for those above ten',
      (asked, outgoing) =>
        void outgoing.end(JSON.stringify(asked.map((one, i) => (i < LIMIT ? resultOf(one) : errorOf(one.id, 'over'))))),
    ],
  ])('behavior: it says so with %s: smaller ones are sent from then on', async (_name, refuse) => {
    const node = await nodeThat((asked, outgoing) =>
      isOver(asked) ? refuse(asked, outgoing) : void outgoing.end(answer(asked)),
    )
    expect(await many(node)).toBe(40)
    node.sizes.length = 0
    expect(await many(node)).toBe(40)
    expect(node.sizes.every((size) => size <= LIMIT)).toBe(true)
    expect(node.sizes.length).toBeLessThan(15)
  })
})

test('behavior: one that takes no batches at all is asked one by one', async () => {
  const node = await nodeThat((asked, outgoing) =>
    Array.isArray(asked) ? void outgoing.writeHead(400).end() : void outgoing.end(answer(asked)),
  )
  expect(await many(node, 7)).toBe(7)
  node.sizes.length = 0
  expect(await many(node, 7)).toBe(7)
  expect(node.sizes).toEqual(Array(7).fill(1))
})

describe('ids that come back as strings', () => {
  const idAs = (text: (id: number) => unknown) => (asked: Call | Call[], outgoing: ServerResponse) => {
    const one = (call: Call) => ({ ...resultOf(call), id: text(call.id) })
    outgoing.end(JSON.stringify(Array.isArray(asked) ? asked.map(one).reverse() : one(asked)))
  }
  test.each([1, 7])('behavior: the same number as text is the answer, of %i calls', async (calls) => {
    const node = await nodeThat(idAs(String))
    const results = await Promise.all(Array.from({ length: calls }, () => node.ask('eth_call', [])))
    expect(results).toEqual(Array.from({ length: calls }, (_, i) => `0x${i + 1}`))
    expect(node.sizes).toEqual([calls])
  })
  test.each<[string, (id: number) => unknown]>([
    ['another number', (id) => `${id + 1}`],
    ['a number written otherwise', (id) => `0${id}`],
    ['a list with it', (id) => [id]],
    ['nothing', () => ''],
  ])('error: %s is not the answer', async (_name, text) => {
    const node = await nodeThat(idAs(text))
    await expect(node.ask('eth_call', [])).rejects.toThrow('not an answer of JSON-RPC')
  })
})

test('error: one that refuses everything is a failure, and is not asked for every call', async () => {
  const node = await nodeThat((_, outgoing) => void outgoing.writeHead(503).end('no'))
  await expect(many(node)).rejects.toMatchObject({ message: expect.stringContaining('HTTP status 503') })
  expect(node.sizes.length).toBeLessThan(6)
})

test('behavior: a connection that is cut, and a refusal that passes, cost no failure', async () => {
  let requests = 0
  const node = await nodeThat((asked, outgoing) => {
    requests++
    if (requests === 1) outgoing.destroy()
    else if (requests === 3) outgoing.writeHead(502).end()
    else outgoing.end(answer(asked))
  })
  expect(await many(node, 1)).toBe(1)
  expect(await many(node, 1)).toBe(1)
})

test('error: an answer that does not end', async () => {
  const node = await nodeThat((_, outgoing) => {
    const more = (): void => {
      while (!outgoing.destroyed && outgoing.write('x'.repeat(2 ** 20)));
    }
    outgoing.on('drain', more)
    more()
  })
  await expect(node.ask('eth_call', [])).rejects.toMatchObject({ code: 'ANSWER_TOO_LONG' })
})

test('behavior: the words and the data of a revert', async () => {
  const data = `0x08c379a0${'20'.padStart(64, '0')}${'3'.padStart(64, '0')}${'453339'.padEnd(64, '0')}`
  const node = await nodeThat(
    (asked, outgoing) =>
      void outgoing.end(
        JSON.stringify({
          ...errorOf((asked as Call).id, 'execution reverted: E39'),
          error: { code: 3, message: 'execution reverted: E39', data },
        }),
      ),
  )
  await expect(node.ask('eth_call', [])).rejects.toMatchObject({ code: 'CALL_EXCEPTION', data, reason: 'E39' })
})

test('args: a login in the URL', async () => {
  let given: string | undefined
  const node = await nodeThat(
    (asked, outgoing, incoming) => {
      given = incoming.headers.authorization
      outgoing.end(answer(asked))
    },
    1,
    'user:p%40ss@',
  )
  await node.ask('eth_chainId', [])
  expect(given).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`)
})

test('error: a node that redirects is not followed: it could have us ask whatever this machine reaches', async () => {
  const inner = await nodeThat((asked, outgoing) => void outgoing.end(answer(asked)))
  const node = await nodeThat((_, outgoing) => void outgoing.writeHead(307, { location: inner.url }).end())
  await expect(node.ask('eth_call', [])).rejects.toThrow('the node redirects to another address')
  expect(inner.sizes).toEqual([])
})

describe('an answer that costs more than what was asked for is worth', () => {
  const listOf = (item: string, bytes: number): string =>
    `[${Array(Math.floor(bytes / (item.length + 1)))
      .fill(item)
      .join(',')}]`
  const long = listOf('{}', 8 * 2 ** 20)
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  const resultIn = (text: string) => (asked: Call | Call[]) =>
    Array.isArray(asked)
      ? `[${asked.map(({ id }) => `{"id":${id},"result":${text}}`).join(',')}]`
      : `{"id":${asked.id},"result":${text}}`

  test.each([
    ['eth_blockNumber', long],
    ['eth_blockNumber', `"${'0'.repeat(2 ** 17)}"`],
    ['eth_getBlockByNumber', long],
    ['eth_getTransactionReceipt', long],
    ['eth_getLogs', long],
    ['eth_getLogs', deep],
    ['eth_call', long],
  ])('bound: of %s it is refused before it is parsed, and asked for once', async (method, text) => {
    const node = await nodeThat((asked, outgoing) => void outgoing.end(resultIn(text)(asked)))
    const parse = vi.spyOn(JSON, 'parse')
    const failure = await node.ask(method, []).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'ANSWER_TOO_LONG', retriable: true })
    expect(parse.mock.calls.some(([given]) => given.length > 10_000)).toBe(false)
    parse.mockRestore()
    expect(node.sizes).toEqual([1])
  })

  test('bound: in a batch it is asked for once, and smaller batches are no remedy', async () => {
    const node = await nodeThat((asked, outgoing) => void outgoing.end(resultIn(long)(asked)))
    const all = await Promise.allSettled(Array.from({ length: 10 }, () => node.ask('eth_blockNumber', [])))
    expect(all.every((one) => one.status === 'rejected' && one.reason.code === 'ANSWER_TOO_LONG')).toBe(true)
    expect(node.sizes).toEqual([10])
  })

  test('bound: batches whose answers are too long together only are smaller from then on', async () => {
    const some = listOf('"0x"', 3 * 2 ** 20)
    const node = await nodeThat((asked, outgoing) => void outgoing.end(resultIn(some)(asked)))
    const ask = () => Promise.allSettled(Array.from({ length: 8 }, () => node.ask('eth_getLogs', [])))
    const refused = (all: readonly PromiseSettledResult<unknown>[]) => all.filter(({ status }) => status === 'rejected')
    expect(refused(await ask())).toHaveLength(8)
    expect(node.sizes).toEqual([8])
    for (let again = 0; again < 4; again++) await ask()
    expect(refused(await ask())).toHaveLength(0)
  })

  test('bound: what is as large as it may be is taken', async () => {
    const call = `"0x${'00'.repeat(2 ** 20)}"`
    const logs = listOf('{"a":"","b":""}', 4 * 2 ** 20)
    const node = await nodeThat(
      (asked, outgoing) =>
        void outgoing.end(resultIn(Array.isArray(asked) || asked.method === 'eth_call' ? call : logs)(asked)),
    )
    expect(await node.ask('eth_call', [])).toHaveLength(2 + 2 * 2 ** 20)
    expect(await node.ask('eth_getLogs', [])).toHaveLength(262_144)
  })
})

test('error: two answers to one call of a batch are none', async () => {
  const node = await nodeThat((asked, outgoing) => {
    const [first, ...others] = (asked as Call[]).map(resultOf)
    outgoing.end(JSON.stringify([first, ...others, { ...first, result: '0x0' }]))
  })
  const all = await Promise.allSettled([node.ask('eth_blockNumber', []), node.ask('eth_gasPrice', [])])
  for (const one of all) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'BAD_ANSWER' } })
})
