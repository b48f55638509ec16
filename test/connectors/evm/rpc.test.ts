import { expect, test } from 'vitest'
import { EvmError } from '../../../connectors/evm/errors.ts'
import { NotAnswered } from '../../../connectors/evm/json-rpc.ts'
import { createRpc } from '../../../connectors/evm/rpc.ts'
import { systemClock } from '../../../connectors/log/system-clock.ts'

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
