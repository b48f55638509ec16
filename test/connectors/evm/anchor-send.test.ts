import { Wallet } from 'ethers'
import { describe, expect, it } from 'vitest'
import { protocolStateInterface } from '../../../connectors/evm/abi.ts'
import { ANCHOR_DEFAULTS, type AnchorObserver, type AnchorSettings } from '../../../connectors/evm/anchor-options.ts'
import { sendAndFollow } from '../../../connectors/evm/anchor-send.ts'
import { createSigner } from '../../../connectors/evm/anchor-signer.ts'
import { EvmError } from '../../../connectors/evm/errors.ts'
import type { HeadWatch } from '../../../connectors/evm/head-watch.ts'
import type { Ask } from '../../../connectors/evm/rpc.ts'
import type { AnchorIntent, AnchorKey, AnchorResult } from '../../../schemas/types.ts'

const MARKET = `0x${'aa'.repeat(20)}`
const STATE = `0x${'bb'.repeat(20)}`
const KEY: AnchorKey = { dataMarket: MARKET, epochId: 5, batchIndex: 0 }
const signer = createSigner(`0x${'11'.repeat(32)}`, 1)
const CID = 'bafkrei'

const intentOf = (rawTransactions: string[], fields: Partial<AnchorIntent> = {}): AnchorIntent => ({
  step: 'SEND',
  attempt: 3,
  call: 'SUBMIT',
  delayMs: 0,
  batchOffset: 0,
  cid: CID,
  finalizedCidsRootHash: '',
  signer: signer.address,
  nonce: 7,
  gasLimit: 100_000,
  maxFeePerGas: '100',
  maxPriorityFeePerGas: '1',
  rawTransactions,
  blockNumber: -1,
  ...fields,
})

const hex = (n: number | bigint): string => `0x${n.toString(16)}`
const eventLog = (name: string, epochId = KEY.epochId, cid = CID, address = STATE) => ({
  ...protocolStateInterface.encodeEventLog(name, [MARKET, cid, epochId, 1]),
  address,
})

/** A node whose every answer is a field. `time` is the clock, moved on by waiting for a head. */
function scripted() {
  const node = {
    head: 10,
    forks: new Map<number, string>(),
    nonceNow: 7,
    nonceSettled: 7,
    receipts: new Map<string, { block: number; status: number; gasUsed: number; logs: object[]; hash?: string }>(),
    sent: [] as string[],
    refusal: undefined as string | undefined,
    revert: undefined as string | undefined,
  }
  const hashAt = (n: number): string => `0x${(node.forks.get(n) ?? n.toString(16)).padStart(64, '0')}`
  const blockOf = (n: number) => ({
    number: hex(n),
    hash: hashAt(n),
    gasLimit: hex(30_000_000),
    baseFeePerGas: hex(50),
  })
  const ask: Ask = async (method, params) => {
    const [first, second] = params as [string, string]
    switch (method) {
      case 'eth_getBlockByNumber':
        return blockOf(first === 'latest' ? node.head : Number(first))
      case 'eth_getTransactionReceipt': {
        const found = node.receipts.get(first)
        if (!found) return null
        const { block, status, gasUsed, logs } = found
        const where = { blockNumber: hex(block), blockHash: found.hash ?? hashAt(block) }
        return { ...where, status: hex(status), gasUsed: hex(gasUsed), logs }
      }
      case 'eth_getTransactionCount':
        return hex(second === 'latest' ? node.nonceNow : node.nonceSettled)
      case 'eth_maxPriorityFeePerGas':
        return hex(3)
      case 'eth_getBalance':
        return hex(42)
      case 'eth_call': {
        if (!node.revert) return '0x'
        const cause = { code: 'CALL_EXCEPTION', data: '0x08c379a0', reason: node.revert }
        throw new EvmError('RPC_ERROR', 'reverted', { retriable: true, cause })
      }
      case 'eth_sendRawTransaction':
        node.sent.push(first)
        if (node.refusal) throw new EvmError('RPC_ERROR', `node: ${node.refusal}`, { retriable: true })
        return '0x'
      default:
        throw new Error(`unexpected ${method}`)
    }
  }
  return { node, ask }
}

/** Follows a transaction; before each wait for a head `turn(n)` may change the node. Ends after `turnsMax` waits. */
async function follow(
  { node, ask }: ReturnType<typeof scripted>,
  intent: AnchorIntent,
  turn: (n: number) => void = () => {},
  { turnsMax = 30, observer = {} as AnchorObserver, key = KEY } = {},
): Promise<AnchorResult[]> {
  const results: AnchorResult[] = []
  const abort = new AbortController()
  let turns = 0
  let time = 0
  const heads: HeadWatch = {
    head: undefined,
    done: Promise.resolve(),
    changed: async () => {
      if (++turns > turnsMax) abort.abort()
      node.head++
      time += 1_000
      turn(turns)
      return undefined
    },
  }
  const tuning = { confirmations: 3, stuckBlocks: 4, stuckMs: 2_000, rebroadcastMs: 5_000 }
  const settings = { ...ANCHOR_DEFAULTS, ...tuning, observer } as unknown as AnchorSettings
  await sendAndFollow(key, intent, { to: STATE, data: '0x1234' }, settings, {
    rpc: { read: (reading) => reading(ask) },
    clock: { now: () => time, sleep: async () => {} },
    heads,
    persist: (action) => action(),
    answer: async (result) => void results.push(result),
    pending: () => {},
    signal: abort.signal,
  })
  return results
}

const call = { to: STATE, data: '0x1234' }
const { raw, hash } = await signer.sign(intentOf([]), call)
const bumped = await signer.sign(intentOf([], { maxFeePerGas: '120' }), call)
const filler = await signer.sign(intentOf([]), { to: signer.address, data: '0x' })
const outcomes = (results: AnchorResult[]): string[] => results.map(({ outcome }) => outcome)

describe('sendAndFollow', () => {
  it('default: sends, tells when it is mined, and when it is deep enough', async () => {
    const script = scripted()
    const results = await follow(script, intentOf([raw]), (n) => {
      if (n === 2)
        script.node.receipts.set(hash, { block: 12, status: 1, gasUsed: 1, logs: [eventLog('SnapshotBatchSubmitted')] })
    })
    expect(outcomes(results)).toEqual(['MINED', 'FINAL'])
    expect(results[1]).toMatchObject({ attempt: 3, transactionHash: hash, blockNumber: 12 })
    expect(script.node.sent).toEqual([raw])
    expect(script.node.head).toBe(15)
  })

  it('behavior: a transaction that is mined already is not sent', async () => {
    const script = scripted()
    script.node.receipts.set(hash, { block: 5, status: 1, gasUsed: 1, logs: [eventLog('SnapshotBatchSubmitted')] })
    expect(outcomes(await follow(script, intentOf([raw])))).toEqual(['MINED', 'FINAL'])
    expect(script.node.sent).toEqual([])
  })

  it.each([raw, hash])('behavior: the newest form is sent, and each counts when it is mined (%#)', async (older) => {
    const script = scripted()
    const results = await follow(script, intentOf([older, bumped.raw]), (n) => {
      if (n === 1)
        script.node.receipts.set(hash, { block: 11, status: 1, gasUsed: 1, logs: [eventLog('SnapshotBatchSubmitted')] })
    })
    expect(script.node.sent).toEqual([bumped.raw])
    expect(results.at(-1)).toMatchObject({ outcome: 'FINAL', transactionHash: hash })
  })

  const effects: [
    what: string,
    receipt: { status: number; gasUsed: number; logs: object[] },
    outcome: string,
    error: string,
  ][] = [
    ['the late event', { status: 1, gasUsed: 1, logs: [eventLog('DelayedBatchSubmitted')] }, 'LATE', ''],
    ['no event', { status: 1, gasUsed: 1, logs: [] }, 'REVERTED', 'NO_EVENT'],
    [
      'the event of another batch',
      { status: 1, gasUsed: 1, logs: [eventLog('SnapshotBatchSubmitted', 5, 'bafother')] },
      'REVERTED',
      'NO_EVENT',
    ],
    [
      'the event of another epoch',
      { status: 1, gasUsed: 1, logs: [eventLog('SnapshotBatchSubmitted', 6)] },
      'REVERTED',
      'NO_EVENT',
    ],
    [
      'the event of another contract',
      { status: 1, gasUsed: 1, logs: [eventLog('SnapshotBatchSubmitted', 5, CID, MARKET)] },
      'REVERTED',
      'NO_EVENT',
    ],
    ['a failure for want of gas', { status: 0, gasUsed: 99_000, logs: [] }, 'REVERTED', 'OUT_OF_GAS'],
    ['a failure for no known reason', { status: 0, gasUsed: 20_000, logs: [] }, 'REVERTED', 'REVERTED'],
  ]
  it.each(effects)('behavior: a receipt with %s is %s, at the depth', async (_what, receipt, outcome, error) => {
    const script = scripted()
    script.node.receipts.set(hash, { block: 10, ...receipt })
    const results = await follow(script, intentOf([raw]))
    expect(results).toMatchObject([{ outcome, error }])
    expect(script.node.head).toBe(13)
  })

  it('behavior: the code of a revert is found by running the call again', async () => {
    const script = scripted()
    script.node.revert = 'E43'
    script.node.receipts.set(hash, { block: 1, status: 0, gasUsed: 99_000, logs: [] })
    expect(await follow(script, intentOf([raw]))).toMatchObject([{ outcome: 'REVERTED', error: 'E43' }])
  })

  it('behavior: a mined filler is FILLED', async () => {
    const script = scripted()
    script.node.receipts.set(filler.hash, { block: 1, status: 1, gasUsed: 21_000, logs: [] })
    const results = await follow(script, intentOf([raw, filler.raw], { call: 'FILL' }))
    expect(outcomes(results)).toEqual(['FILLED'])
  })

  it('behavior: a receipt that a lagging node does not have is no reorg', async () => {
    const script = scripted()
    const receipt = { block: 10, status: 1, gasUsed: 1, logs: [eventLog('SnapshotBatchSubmitted')] }
    script.node.receipts.set(hash, receipt)
    const results = await follow(script, intentOf([raw]), (n) => {
      if (n === 1) script.node.receipts.delete(hash)
      if (n === 5) script.node.receipts.set(hash, receipt)
    })
    expect(outcomes(results)).toEqual(['MINED', 'FINAL'])
  })

  it('behavior: another block in its place is a reorg', async () => {
    const script = scripted()
    script.node.receipts.set(hash, { block: 10, status: 1, gasUsed: 1, logs: [eventLog('SnapshotBatchSubmitted')] })
    const results = await follow(script, intentOf([raw]), (n) => {
      if (n !== 1) return
      script.node.receipts.delete(hash)
      script.node.forks.set(10, 'f')
    })
    expect(outcomes(results)).toEqual(['MINED', 'REORGED'])
  })

  it('behavior: mined again in another block, it is told again', async () => {
    const script = scripted()
    const receipt = { block: 10, status: 1, gasUsed: 1, logs: [eventLog('SnapshotBatchSubmitted')] }
    script.node.receipts.set(hash, receipt)
    const results = await follow(script, intentOf([raw]), (n) => {
      if (n === 1) script.node.receipts.set(hash, { ...receipt, block: 11 })
    })
    expect(results.map(({ outcome, blockNumber }) => `${outcome} ${blockNumber}`)).toEqual([
      'MINED 10',
      'MINED 11',
      'FINAL 11',
    ])
  })

  it('behavior: stuck after so many blocks and so long, with what the chain asks now', async () => {
    const script = scripted()
    const results = await follow(script, intentOf([raw]))
    expect(results).toMatchObject([{ outcome: 'STUCK', maxFeePerGas: '103', maxPriorityFeePerGas: '3', error: '' }])
    expect(script.node.head).toBe(14)
  })

  it('behavior: behind a gap nothing is stuck', async () => {
    const script = scripted()
    script.node.nonceNow = 6
    expect(await follow(script, intentOf([raw]))).toEqual([])
  })

  it('behavior: a nonce is taken only when several looks agree, at the depth', async () => {
    const script = scripted()
    script.node.nonceNow = 9
    expect(await follow(script, intentOf([raw]))).toEqual([])
    script.node.nonceSettled = 8
    const before = script.node.head
    expect(await follow(script, intentOf([raw]))).toMatchObject([{ outcome: 'NONCE_TAKEN', nonce: 9 }])
    expect(script.node.head - before).toBe(2)
    expect(script.node.sent).toEqual([])
  })

  it.each([
    'already known',
    'nonce too low: next nonce 8, tx nonce 7',
    'replacement transaction underpriced',
    'max fee per gas less than block base fee',
    'transaction already imported',
  ])('behavior: "%s" is no failure; it is followed', async (refusal) => {
    const script = scripted()
    script.node.refusal = refusal
    expect(outcomes(await follow(script, intentOf([raw])))).toEqual(['STUCK'])
  })

  it.each(['intrinsic gas too low', 'exceeds block gas limit'])('behavior: "%s" is for good', async (refusal) => {
    const script = scripted()
    script.node.refusal = refusal
    expect(await follow(script, intentOf([raw]))).toMatchObject([{ outcome: 'REJECTED', error: `node: ${refusal}` }])
  })

  it('behavior: without money it is sent again and again, and is not called stuck', async () => {
    const script = scripted()
    script.node.refusal = 'insufficient funds for gas * price + value'
    const low: [bigint, bigint][] = []
    const observer: AnchorObserver = { lowBalance: (wei, needed) => void low.push([wei, needed]) }
    expect(await follow(script, intentOf([raw]), undefined, { observer })).toEqual([])
    expect(low[0]).toEqual([42n, 10_000_000n])
    expect(script.node.sent.length).toBeGreaterThan(4)
  })

  it('error: any other refusal of a node is an outage', async () => {
    const script = scripted()
    script.node.refusal = 'too many requests'
    await expect(follow(script, intentOf([raw]))).rejects.toMatchObject({ retriable: true })
  })

  it('behavior: the ending call counts by its own event', async () => {
    const script = scripted()
    const log = protocolStateInterface.encodeEventLog('BatchSubmissionsCompleted', [MARKET, 5, 1])
    script.node.receipts.set(hash, { block: 1, status: 1, gasUsed: 1, logs: [{ ...log, address: STATE }] })
    const key = { ...KEY, batchIndex: -1 }
    expect(outcomes(await follow(script, intentOf([raw], { call: 'END' }), undefined, { key }))).toEqual([
      'MINED',
      'FINAL',
    ])
  })
})

describe('createSigner', () => {
  it('behavior: the same intent gives the same bytes, which ethers reads back', async () => {
    const again = await signer.sign(intentOf([]), call)
    expect(again.raw).toBe(raw)
    expect(new Wallet(`0x${'11'.repeat(32)}`).address.toLowerCase()).toBe(signer.address)
  })
})
