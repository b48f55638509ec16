import { describe, expect, it } from 'vitest'
import {
  ANCHOR_DEFAULTS,
  type AnchorObserver,
  type AnchorSettings,
} from '../../../../connectors/evm/anchor-effects/anchor-options.ts'
import { createProgressWatch } from '../../../../connectors/evm/anchor-effects/anchor-progress.ts'
import { resultOf } from '../../../../connectors/evm/anchor-effects/anchor-result.ts'
import { createSigner } from '../../../../connectors/evm/anchor-effects/anchor-signer.ts'
import type { HeadWatch } from '../../../../connectors/evm/anchor-effects/head-watch.ts'
import { createNonceWatch } from '../../../../connectors/evm/anchor-effects/nonce-watch.ts'
import { dataMarketInterface, protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import { EvmError } from '../../../../connectors/evm/errors.ts'
import type { Ask } from '../../../../connectors/evm/nodes/ask.ts'
import { createRpc, type Rpc } from '../../../../connectors/evm/nodes/rpc.ts'
import { nonceKey } from '../../../../schemas/anchor-keys.ts'
import type { AnchorIntent, AnchorKey, AnchorResult } from '../../../../schemas/types.ts'
import { hex } from '../../../hex.ts'

const MARKET = '0x00000000000000000000000000000000000000aa'
const STATE = '0x00000000000000000000000000000000000000bb'
const SIGNER = createSigner(`0x${'11'.repeat(32)}`, 1).address
const HASH = `0x${'ee'.repeat(32)}`
const DEPTH = 20
const RECEIPT = { status: '0x1', gasUsed: '0x1', logs: [] }

const blockHash = (n: number, branch = 0): string => `0x${`${branch}`.repeat(8)}${n.toString(16).padStart(56, '0')}`
const keyOf = (batchIndex: number, epochId = 3): AnchorKey => ({ dataMarket: MARKET, epochId, batchIndex })

/** A final transaction in a block; or, without one, a transaction that is sent. */
const intentOf = (nonce: number, block?: number, fields: Partial<AnchorIntent> = {}): AnchorIntent => ({
  step: block === undefined ? 'SEND' : 'KEEP',
  attempt: 5,
  call: 'SUBMIT',
  delayMs: 0,
  batchOffset: 0,
  cid: 'bafkrei',
  finalizedCidsRootHash: '',
  signer: SIGNER,
  nonce,
  gasLimit: 100_000,
  maxFeePerGas: '100',
  maxPriorityFeePerGas: '1',
  rawTransactions: [HASH],
  blockNumber: block ?? -1,
  blockHash: block === undefined ? '' : blockHash(block),
  payout: null,
  ...fields,
})

const COMPLETED = dataMarketInterface.getFunction('epochIdToBatchSubmissionsCompleted')!

/** A node whose every answer is a field. Blocks from `forkedFrom` on are of another branch. */
function scripted() {
  const node = {
    head: 30,
    forkedFrom: Number.POSITIVE_INFINITY,
    nonce: 0,
    revert: '',
    isMinedAgain: false,
    releaseBlock: 25,
    /** By `epochIdToBatchSubmissionsCompleted`. */
    isEnded: true,
    asked: [] as string[],
  }
  const contract = (data: string): string => {
    if (data.startsWith(COMPLETED.selector)) return dataMarketInterface.encodeFunctionResult(COMPLETED, [node.isEnded])
    const { name } = protocolStateInterface.getFunction(data.slice(0, 10))!
    if (name === 'epochInfo') return protocolStateInterface.encodeFunctionResult(name, [0, node.releaseBlock, 0])
    if (name === 'batchSubmissionWindow') return protocolStateInterface.encodeFunctionResult(name, [100])
    throw new Error(`unexpected ${name}`)
  }
  const headerAt = (n: number) => ({
    number: hex(n),
    hash: blockHash(n, n >= node.forkedFrom ? 1 : 0),
    parentHash: blockHash(n - 1, n > node.forkedFrom ? 1 : 0),
    timestamp: hex(1_700_000_000 + 2 * n),
    gasLimit: hex(30_000_000),
    baseFeePerGas: hex(50),
  })
  const ask: Ask = async (method, params) => {
    const [first] = params as [string & { data: string }]
    node.asked.push(`${method} ${String(first)}`)
    switch (method) {
      case 'eth_getBlockByNumber':
        if (first === 'latest') return headerAt(node.head)
        return Number(first) > node.head ? null : headerAt(Number(first))
      case 'eth_getTransactionCount':
        return hex(node.nonce)
      case 'eth_maxPriorityFeePerGas':
        return hex(3)
      case 'eth_getTransactionReceipt':
        if (!node.isMinedAgain) return null
        return { ...RECEIPT, transactionHash: first, blockNumber: hex(29), blockHash: blockHash(29) }
      case 'eth_call':
        if (first.data !== '0x1234') return contract(first.data)
        if (!node.revert) return '0x'
        throw new EvmError('RPC_ERROR', 'reverted', {
          retriable: true,
          cause: { code: 'CALL_EXCEPTION', data: '0x08c379a0', reason: node.revert },
        })
      default:
        throw new Error(`unexpected ${method}`)
    }
  }
  return { node, ask, headerAt }
}

/** Lets the watch look at so many heads in a row; before each `turn` may change the node. */
async function watch(
  { node, ask, headerAt }: ReturnType<typeof scripted>,
  intents: readonly (readonly [AnchorKey, AnchorIntent])[],
  {
    heads: count = 6,
    turn = (_: number): void => {},
    observer = {} as AnchorObserver,
    hasBatch = true,
    idle = (_: number) => ({ ms: 0, words: '' }),
    /** By default this node is the only one. */
    rpc = undefined as Pick<Rpc, 'read' | 'agreeing'> | undefined,
  } = {},
): Promise<{ key: AnchorKey; result: AnchorResult }[]> {
  const answers: { key: AnchorKey; result: AnchorResult }[] = []
  const abort = new AbortController()
  let turns = 0
  let time = 0
  const heads: HeadWatch = {
    head: undefined,
    done: Promise.resolve(),
    changed: async () => {
      if (++turns > count) abort.abort()
      time += 10_000
      node.head++
      turn(turns)
      const { number, hash } = headerAt(node.head)
      return { number: Number(number), hash, contractBlock: node.head, gasLimit: 1, baseFeePerGas: 50n, parentHash: '' }
    },
  }
  const settings = { ...ANCHOR_DEFAULTS, reorgDepthMax: DEPTH, standstillMs: 30_000, observer }
  const watching = createNonceWatch(settings as unknown as AnchorSettings, {
    rpc: rpc ?? {
      read: (reading) => reading(ask),
      agreeing: async (reading) => [{ node: 0, value: await reading(ask) }],
    },
    clock: { now: () => time, sleep: async () => {} },
    idle: () => idle(time),
    heads,
    persist: (action) => action(),
    answer: async (key, result) => void answers.push({ key, result }),
    callOf: async () => (hasBatch ? { to: STATE, data: '0x1234' } : undefined),
    signal: abort.signal,
  })
  for (const [key, intent] of intents) watching.take({ key, intent })
  await watching.follow()
  return answers
}

const told = (answers: readonly { key: AnchorKey; result: AnchorResult }[]): string[] =>
  answers.map(({ key, result }) => `${key.batchIndex} ${result.outcome} ${result.error}`.trim())

describe('createNonceWatch', () => {
  it('default: what stays on the chain is said to be settled at the depth, once', async () => {
    const script = scripted()
    const answers = await watch(script, [[keyOf(0), intentOf(7, 14)]])
    expect(told(answers)).toEqual(['0 SETTLED'])
    expect(script.node.head - 14).toBeGreaterThanOrEqual(DEPTH)
  })

  it('behavior: another block in the place of a final one is told after three looks, in the order of nonces', async () => {
    const script = scripted()
    script.node.forkedFrom = 27
    const wentBack: unknown[] = []
    const observer: AnchorObserver = { wentBack: (...about) => wentBack.push(about) }
    const intents = [
      [keyOf(-1), intentOf(9, 29, { call: 'END' })],
      [keyOf(0), intentOf(8, 28, { step: 'WATCH' })],
      [nonceKey(SIGNER, 7), intentOf(7, 27, { call: 'FILL' })],
      [keyOf(0, 2), intentOf(6, 26)],
    ] as const
    expect(told(await watch(script, intents, { heads: 2, observer }))).toEqual([])
    const answers = await watch(script, intents, { heads: 5, observer })
    expect(told(answers)).toEqual(['-2 REORGED', '0 REORGED', '-1 REORGED'])
    expect(answers[1]!.result).toMatchObject({ step: 'WATCH', attempt: 5, blockNumber: 28, blockHash: blockHash(28) })
    expect(wentBack).toEqual([[3, 27]])
  })

  it('behavior: a node that is behind, or says another thing only once, changes nothing', async () => {
    const behind = scripted()
    behind.node.head = 20
    expect(await watch(behind, [[keyOf(0), intentOf(8, 28)]], { heads: 5 })).toEqual([])
    const flapping = scripted()
    const turn = (n: number): void => {
      flapping.node.forkedFrom = n % 3 === 0 ? Number.POSITIVE_INFINITY : 27
    }
    expect(await watch(flapping, [[keyOf(0), intentOf(8, 28)]], { heads: 10, turn })).toEqual([])
  })

  describe.each([0, 1, 2])('of three nodes, of which two must agree, one lies (node %i)', (place) => {
    const three = (
      { ask }: ReturnType<typeof scripted>,
      lie: (method: string, params: readonly unknown[]) => unknown,
    ) => {
      const askOf =
        (node: number): Ask =>
        async (method, params) => {
          if (method === 'eth_chainId') return '0x1'
          return (node === place ? lie(method, params) : undefined) ?? (await ask(method, params))
        }
      const options = { urls: ['0', '1', '2'], chainId: 1, timeoutMs: 1_000, batchMax: 1, agreement: 2 }
      return createRpc(options, {
        clock: { now: () => 0, sleep: () => new Promise(() => undefined) },
        connect: (url) => ({ ask: askOf(Number(url)), close: () => undefined }),
      })
    }

    it('behavior: nothing is taken back because it tells of another block', async () => {
      const [script, forged] = [scripted(), scripted()]
      forged.node.forkedFrom = 27
      const rpc = three(script, (method, params) => {
        forged.node.head = script.node.head
        return method === 'eth_getBlockByNumber' ? forged.ask(method, params) : undefined
      })
      const answers = await watch(script, [[keyOf(0), intentOf(8, 28)]], { heads: 10, rpc })
      expect(told(answers)).toEqual([])
    })

    it('behavior: a batch that was taken back is not given up because it says that the call is refused', async () => {
      const [script, liar] = [scripted(), scripted()]
      script.node.forkedFrom = 27
      liar.node.revert = 'E43'
      const rpc = three(script, (method, params) => (method === 'eth_call' ? liar.ask(method, params) : undefined))
      const answers = await watch(script, [[keyOf(0), intentOf(8, 28)]], { heads: 5, rpc })
      expect(told(answers)).toEqual(['0 REORGED'])
    })
  })

  describe('an ending that is on the chain nobody knows where', () => {
    const placeless = intentOf(-1, 0, { call: 'END', blockHash: '', blockNumber: -1, rawTransactions: [], signer: '' })

    it('behavior: is settled when it was there for as many blocks as reorganisations reach, not before', async () => {
      const script = scripted()
      expect(await watch(script, [[keyOf(-1), placeless]], { heads: DEPTH })).toEqual([])
      expect(told(await watch(script, [[keyOf(-1), placeless]], { heads: DEPTH + 1 }))).toEqual(['-1 SETTLED'])
    })

    it('behavior: is called again when the chain goes back and the contract does not have it any more', async () => {
      const script = scripted()
      const turn = (n: number): void => {
        if (n !== 2) return
        script.node.forkedFrom = 27
        script.node.isEnded = false
      }
      const intents = [
        [keyOf(-1), placeless],
        [keyOf(0), intentOf(8, 28)],
      ] as const
      const answers = await watch(script, intents, { heads: 6, turn })
      expect(told(answers).toSorted()).toEqual(['-1 REORGED', '0 REORGED'])
      expect(answers.find(({ key }) => key.batchIndex === -1)!.result).toMatchObject({ step: 'KEEP', attempt: 5 })
    })

    it('behavior: is looked for now and then although no block of ours has left', async () => {
      const script = scripted()
      const turn = (n: number): void => {
        if (n === 2) script.node.isEnded = false
      }
      expect(told(await watch(script, [[keyOf(-1), placeless]], { heads: DEPTH, turn }))).toEqual(['-1 REORGED'])
      const contradicted = scripted()
      const once = (n: number): void => {
        contradicted.node.isEnded = n !== 17
      }
      expect(await watch(contradicted, [[keyOf(-1), placeless]], { heads: DEPTH, turn: once })).toEqual([])
    })
  })

  it('behavior: each is looked at for itself whenever it lies twice as deep; the newest speaks for them between', async () => {
    const script = scripted()
    await watch(
      script,
      [
        [keyOf(0), intentOf(7, 27)],
        [keyOf(1), intentOf(8, 28)],
      ],
      { heads: 16 },
    )
    const blocks = script.node.asked.filter((one) => one.startsWith('eth_getBlockByNumber'))
    expect(blocks.filter((one) => one.endsWith(hex(27)))).toHaveLength(3) // 4, 8 and 16 blocks behind the head
    expect(blocks.filter((one) => one.endsWith(hex(28)))).toHaveLength(16)
  })

  it('behavior: one that was final in a block of no branch is found although newer ones stay', async () => {
    const script = scripted()
    const answers = await watch(script, [
      [keyOf(0), intentOf(7, 27, { blockHash: blockHash(27, 9) })],
      [keyOf(1), intentOf(8, 28)],
    ])
    expect(told(answers)).toEqual(['0 REORGED'])
  })

  it('behavior: one whose block a node lied about is found at a look behind it, although a newer one stays', async () => {
    const script = scripted()
    const turn = (n: number): void => {
      script.node.forkedFrom = n <= 2 ? 27 : Number.POSITIVE_INFINITY
    }
    const answers = await watch(
      script,
      [
        [keyOf(0), intentOf(7, 27, { blockHash: blockHash(27, 1) })],
        [keyOf(1), intentOf(8, 28)],
      ],
      { heads: 9, turn },
    )
    expect(told(answers)).toEqual(['0 REORGED'])
  })

  const reasons: [string, Partial<ReturnType<typeof scripted>['node']>, boolean, string][] = [
    ['the contract refuses it', { revert: 'E43' }, true, 'E43'],
    ['its window is over', { releaseBlock: 1, head: 150 }, true, 'the batch submission window is over'],
    ['its epoch left the chain too', { releaseBlock: 0 }, true, 'the node knows no epoch 3'],
    ['the log has lost the batch', {}, false, 'the log does not have the batch any more'],
    ['it is on the chain again', { revert: 'E25', isMinedAgain: true }, true, ''],
  ]
  it.each(reasons)('behavior: why it cannot be sent as it is: %s', async (_, state, hasBatch, error) => {
    const script = scripted()
    Object.assign(script.node, { forkedFrom: 27 }, state)
    const [answer] = await watch(script, [[keyOf(0), intentOf(8, 28)]], { hasBatch })
    expect(answer!.result).toMatchObject({ outcome: 'REORGED', error })
  })

  it('behavior: a nonce before ours that nobody has is told after three looks, with the fees of now', async () => {
    const script = scripted()
    script.node.nonce = 7
    const gaps: unknown[] = []
    const observer: AnchorObserver = { gapFound: (...gap) => void gaps.push(gap) }
    const intents = [[keyOf(0), intentOf(9)]] as const
    expect(await watch(script, intents, { heads: 2, observer })).toEqual([])
    const [answer] = await watch(script, intents, { heads: 3, observer })
    expect(answer!.key).toEqual(nonceKey(SIGNER, 7))
    expect(answer!.result).toMatchObject({
      outcome: 'UNFILLED',
      nonce: 7,
      maxFeePerGas: '103',
      maxPriorityFeePerGas: '3',
    })
    expect(gaps).toEqual([[7, SIGNER, 9]])
  })

  it.each([
    ['it is ours', [[keyOf(0), intentOf(7)]]],
    [
      'a later one is final: the node is behind',
      [
        [keyOf(0), intentOf(9)],
        [keyOf(1), intentOf(8, 28)],
      ],
    ],
    ['nothing waits for it', [[keyOf(1), intentOf(5, 28)]]],
  ] as [string, [AnchorKey, AnchorIntent][]][])('behavior: no gap: %s', async (_, intents) => {
    const script = scripted()
    script.node.nonce = 7
    expect(await watch(script, intents)).toEqual([])
  })

  it('behavior: that the next nonce does not move while transactions wait is said, and that it moves again', async () => {
    const script = scripted()
    script.node.nonce = 7
    const said: [number, string][] = []
    const observer: AnchorObserver = { standstill: (ms, words) => void said.push([ms, words]) }
    const turn = (n: number): void => {
      script.node.nonce = n > 5 ? 8 : 7
    }
    const intents = [7, 8].map((nonce) => [keyOf(nonce), intentOf(nonce)] as const)
    await watch(script, intents, { heads: 6, turn, observer })
    expect(said.map(([ms]) => ms)).toEqual([0, 0, 0, 30_000, 40_000, 0])
    expect(said[3]![1]).toBe(`nonce 7 of ${SIGNER} is in no block since 30 s, 2 transactions wait for it`)
  })

  it('behavior: a nonce that moves by fillers alone is a standstill all the same', async () => {
    const script = scripted()
    const said: [number, string][] = []
    const observer: AnchorObserver = { standstill: (ms, words) => void said.push([ms, words]) }
    const turn = (n: number): void => {
      script.node.nonce = n
    }
    const progress = createProgressWatch({ now: () => 0, sleep: async () => {} })
    const idle = (time: number) => ({ ...progress.idle(), ms: time })
    progress.take({ key: keyOf(0), intent: intentOf(100) })
    await watch(script, [[keyOf(0), intentOf(100)]], { heads: 4, turn, observer, idle })
    expect(said.map(([ms]) => ms)).toEqual([0, 0, 30_000, 40_000])
    expect(said[2]![1]).toContain('1 calls wait, of epoch 3 of 0x')
  })

  it('behavior: what was mined, or is decided, waits no more; fillers never did', () => {
    let time = 0
    const progress = createProgressWatch({ now: () => time, sleep: async () => {} })
    const send = { ...intentOf(7), step: 'SEND' } as const
    progress.take({ key: nonceKey(SIGNER, 7), intent: send })
    expect(progress.idle()).toEqual({ ms: 0, words: '' })
    for (const index of [0, 1]) progress.take({ key: keyOf(index), intent: send })
    time = 5_000
    expect(progress.idle().ms).toBe(5_000)
    progress.concluded(keyOf(0), resultOf(send, 'STUCK'))
    expect(progress.idle().ms).toBe(5_000)
    progress.concluded(keyOf(0), resultOf(send, 'MINED'))
    expect(progress.idle().ms).toBe(0)
    time = 9_000
    expect(progress.idle().words).toContain('since 4 s, and 1 calls wait')
    progress.take({ key: keyOf(1), intent: { ...send, step: 'DONE' } })
    expect(progress.idle().words).toBe('')
  })

  it('behavior: what is taken back by another intent is not watched any more', async () => {
    const script = scripted()
    script.node.forkedFrom = 27
    const key = keyOf(0)
    expect(
      await watch(script, [
        [key, intentOf(8, 28)],
        [key, { ...intentOf(8), step: 'DONE' }],
      ]),
    ).toEqual([])
  })
})
