import { describe, expect, test } from 'vitest'
import { EvmError } from '../../../../connectors/evm/errors.ts'
import { NotAnswered } from '../../../../connectors/evm/nodes/json-rpc.ts'
import { createRpc } from '../../../../connectors/evm/nodes/rpc.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'

const OPTIONS = { urls: ['http://node'], chainId: 5, timeoutMs: 1_000, batchMax: 1 }

/** What is told of one request whose answer is this. */
async function told(answer: () => Promise<unknown>): Promise<string[]> {
  const outcomes: string[] = []
  const ask = (method: string) => (method === 'eth_chainId' ? Promise.resolve('0x5') : answer())
  const observer = {
    answered: (_: number, method: string, outcome: string) => void outcomes.push(`${method} ${outcome}`),
  }
  const rpc = createRpc(OPTIONS, { clock: systemClock, observer, connect: () => ({ ask, close: () => {} }) })
  await rpc.read((node) => node('eth_call', [])).catch(() => {})
  return outcomes
}

const fails = (fields: object) => () => Promise.reject(Object.assign(new Error(), fields))

test('default: an answer is ok', async () => {
  expect(await told(async () => '0x')).toEqual(['eth_chainId ok', 'eth_call ok'])
})

test.each([
  ['execution reverted: E04', 'refused'],
  ['insufficient funds for gas * price + value', 'refused'],
  ['nonce too low', 'refused'],
  ['internal error', 'failed'],
  ['429 Too Many Requests', 'failed'],
])('behavior: a node that says "%s" has %s', async (message, outcome) => {
  expect((await told(fails({ message }))).at(-1)).toBe(`eth_call ${outcome}`)
})

test('error: a node that is down has failed, whatever the words', async () => {
  expect((await told(fails({ code: 'ECONNREFUSED', message: 'reverted' }))).at(-1)).toBe('eth_call failed')
})

test.each([
  ['an answer that came from no node', new NotAnswered('HTTP status 502: Bad Gateway')],
  ['no answer', new EvmError('UNREACHABLE', 'no answer in time', { retriable: true })],
])('behavior: a transaction with %s is not refused: it has failed', async (_, failure) => {
  const outcomes: string[] = []
  const observer = {
    answered: (_: number, method: string, outcome: string) => void outcomes.push(`${method} ${outcome}`),
  }
  const ask = async (method: string) => {
    if (method === 'eth_chainId') return '0x5'
    throw failure
  }
  const rpc = createRpc(OPTIONS, { clock: systemClock, observer, connect: () => ({ ask, close: () => {} }) })
  await Promise.allSettled(rpc.each((node) => node('eth_sendRawTransaction', ['0x'])))
  expect(outcomes.at(-1)).toBe('eth_sendRawTransaction failed')
})

test('behavior: a transaction goes to each node, and a refusal of it in any words is no failure', async () => {
  const outcomes: string[] = []
  const observer = {
    answered: (node: number, method: string, outcome: string) => void outcomes.push(`${node} ${method} ${outcome}`),
  }
  const sent: string[] = []
  const connect = (url: string) => ({
    ask: async (method: string) => {
      if (method === 'eth_chainId') return '0x5'
      sent.push(url)
      if (url.endsWith('1')) throw new Error('gibberish')
      return '0xabc'
    },
    close: () => {},
  })
  const rpc = createRpc({ ...OPTIONS, urls: ['http://1', 'http://2'] }, { clock: systemClock, observer, connect })
  const each = await Promise.allSettled(rpc.each((ask) => ask('eth_sendRawTransaction', ['0x'])))
  expect(each.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  expect(outcomes.filter((one) => one.includes('send'))).toEqual([
    '0 eth_sendRawTransaction refused',
    '1 eth_sendRawTransaction ok',
  ])
  sent.length = 0
  await rpc.read((ask) => ask('eth_call', [])).catch(() => {})
  expect(sent[0]).toBe('http://1')
})

describe('the chain of a node', () => {
  /** Two nodes; the first may change its chain. */
  const world = () => {
    const node = { chainId: '0x5', asked: 0, failure: undefined as Error | undefined }
    const ask = (url: string) => async (method: string) => {
      if (url.endsWith('2')) return method === 'eth_chainId' ? '0x5' : 'second'
      if (node.failure) throw node.failure
      if (method === 'eth_chainId') node.asked++
      return method === 'eth_chainId' ? node.chainId : `first, of ${node.chainId}`
    }
    let now = 0
    const faults: string[] = []
    const rpc = createRpc(
      { ...OPTIONS, urls: ['http://1', 'http://2'] },
      {
        clock: { now: () => now, sleep: (ms, signal) => systemClock.sleep(ms, signal) },
        observer: { nodeChanged: (one, { fault }) => void faults.push(`${one} ${fault}`) },
        connect: (url) => ({ ask: ask(url), close: () => {} }),
      },
    )
    const pass = (ms: number): void => {
      now += ms
    }
    return { node, faults, pass, read: () => rpc.read((one) => one('eth_call', [])) }
  }

  test('default: is looked at once in a minute, however many read', async () => {
    const { node, pass, read } = world()
    for (let i = 0; i < 5; i++) await read()
    expect(node.asked).toBe(1)
    pass(60_000)
    await Promise.all([read(), read(), read()])
    expect(node.asked).toBe(2)
  })

  test('behavior: that it became another one in the middle of a run is seen within a minute', async () => {
    const { node, faults, pass, read } = world()
    expect(await read()).toBe('first, of 0x5')
    node.chainId = '0x9'
    pass(60_000)
    expect(await read()).toBe('second')
    expect(faults).toEqual(['0 wrong-chain'])
  })

  test.each([
    ['was away', new EvmError('UNREACHABLE', 'connect ECONNREFUSED', { retriable: true })],
    ['stood behind a gateway that did not reach it', new NotAnswered('HTTP status 502: Bad Gateway')],
  ])('behavior: and at once when it %s', async (_, failure) => {
    const { node, faults, pass, read } = world()
    await read()
    Object.assign(node, { chainId: '0x9', failure })
    expect(await read()).toBe('second')
    node.failure = undefined
    pass(2_000)
    for (let i = 0; i < 3; i++) expect(await read()).toBe('second')
    await Promise.allSettled([read(), read()])
    expect(faults.filter((one) => one === '0 null')).toEqual([])
    expect(await read()).toBe('second')
  })
})
