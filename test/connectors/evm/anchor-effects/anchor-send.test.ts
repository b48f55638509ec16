import { Wallet } from 'ethers'
import { describe, expect, it } from 'vitest'
import { newSendMemory } from '../../../../connectors/evm/anchor-effects/anchor-memory.ts'
import type {
  AnchorObserver,
  TransactionRefused,
  TransactionUnmined,
} from '../../../../connectors/evm/anchor-effects/anchor-options.ts'
import { protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import { classifyRpcFailure, EvmError } from '../../../../connectors/evm/errors.ts'
import { NotAnswered } from '../../../../connectors/evm/nodes/json-rpc.ts'
import type { AnchorResult } from '../../../../schemas/types.ts'
import { CID, eventLog, follow, intentOf, KEY, MARKET, STATE, scripted, signer } from './scripted-send.ts'

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
    const results = await follow(script, intentOf([older, bumped.raw], { maxFeePerGas: '120' }), (n) => {
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

  it.each([
    ['is not released', 0, 'REVERTED'],
    ['was released in a later block', 11, 'REVERTED'],
    ['was released in a block of the same number, as on Nitro', 10, 'REVERTED'],
    ['was released before', 9, 'LATE'],
  ])('behavior: a late event of an epoch that %s: release %i, %s', async (_what, releaseBlock, outcome) => {
    const script = scripted()
    script.node.releaseBlock = releaseBlock
    script.node.receipts.set(hash, { block: 10, status: 1, gasUsed: 1, logs: [eventLog('DelayedBatchSubmitted')] })
    const [result] = await follow(script, intentOf([raw]))
    expect(result!.outcome).toBe(outcome)
    expect(result!.error.includes('it came before the release of its epoch')).toBe(outcome === 'REVERTED')
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

  it.each([
    ['a receipt', 7],
    ['another one in its place', 9],
  ])('behavior: without a new block there is no look every moment at one that has %s', async (_what, nonceNow) => {
    const script = scripted()
    script.node.nonceNow = nonceNow
    if (nonceNow === 7)
      script.node.receipts.set(hash, { block: 10, status: 1, gasUsed: 1, logs: [eventLog('SnapshotBatchSubmitted')] })
    script.node.unlinked = 11
    const waits: number[] = []
    await follow(script, intentOf([raw]), undefined, { waits })
    expect(new Set(waits)).toEqual(new Set([2_000]))
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
    script.node.nonceDeep = 8
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

  it.each(['intrinsic gas too low', 'too many requests', 'gibberish'])(
    'behavior: "%s" ends nothing: it is followed, and goes on when it is taken',
    async (refusal) => {
      const script = scripted()
      script.node.refusal = refusal
      const refused: TransactionRefused[] = []
      const observer: AnchorObserver = { transactionRefused: (_, one) => void refused.push(one) }
      const turn = (n: number) => {
        if (n === 2) script.node.refusal = undefined
        if (n === 3)
          script.node.receipts.set(hash, {
            block: 12,
            status: 1,
            gasUsed: 1,
            logs: [eventLog('SnapshotBatchSubmitted')],
          })
      }
      expect(outcomes(await follow(script, intentOf([raw]), turn, { observer }))).toEqual(['MINED', 'FINAL'])
      expect(refused[0]).toMatchObject({ words: `node: ${refusal}`, nonce: 7, isNew: true })
    },
  )

  it('behavior: what every node refuses round after round gives its place to a filler', async () => {
    const script = scripted()
    script.node.refusal = 'gibberish'
    const memory = newSendMemory()
    const rounds = async () => outcomes(await follow(script, intentOf([raw]), undefined, { memory }))
    expect([await rounds(), await rounds(), await rounds()]).toEqual([['STUCK'], ['STUCK'], ['REJECTED']])
    expect(memory.legacy).toBe(true)
    const asFiller = intentOf([raw, filler.raw], { call: 'FILL' })
    expect(outcomes(await follow(script, asFiller, undefined, { memory }))).toEqual(['STUCK'])
  })

  it.each([
    [
      'a gateway that lets no transaction through',
      () => classifyRpcFailure(new NotAnswered('HTTP status 403: no'), 'send', 0),
    ],
    ['time-outs', () => new EvmError('UNREACHABLE', 'no answer in time', { retriable: true })],
  ])('behavior: with %s nobody has refused it: no filler, no higher fee, and it goes on', async (_, failure) => {
    const script = scripted()
    const asked: string[] = []
    let isThrough = false
    const ask: typeof script.ask = async (method, params) => {
      if (method !== 'eth_sendRawTransaction' || isThrough) return script.ask(method, params)
      asked.push(method)
      throw failure()
    }
    const memory = { ...newSendMemory(), refusedRounds: 2 }
    const reasons: string[] = []
    const observer: AnchorObserver = { transactionRefused: (_, { reason }) => void reasons.push(reason) }
    const turn = (n: number): void => {
      if (n === 20) isThrough = true
      const isSent = script.node.sent.length > 0 && script.node.receipts.size === 0
      const mined = { block: script.node.head, status: 1, gasUsed: 1, logs: [eventLog('SnapshotBatchSubmitted')] }
      if (isSent) script.node.receipts.set(hash, mined)
    }
    const results = await follow({ ...script, ask }, intentOf([raw]), turn, { observer, memory, turnsMax: 60 })
    expect(outcomes(results)).toEqual(['MINED', 'FINAL'])
    expect(asked.length).toBeGreaterThan(3)
    expect(new Set(reasons)).toEqual(new Set(['unreachable']))
  })

  it('behavior: while a node has it in its pool, a refusal is none by all', async () => {
    const script = scripted()
    script.node.refusal = 'gibberish'
    script.node.noncePending = 8
    const memory = { ...newSendMemory(), refusedRounds: 2 }
    expect(outcomes(await follow(script, intentOf([raw]), undefined, { memory }))).toEqual(['STUCK'])
  })

  it('behavior: a refused call that the contract refuses by now is given up at once, with the code', async () => {
    const script = scripted()
    script.node.refusal = 'execution reverted'
    script.node.revert = 'E43'
    expect(await follow(script, intentOf([raw]))).toMatchObject([{ outcome: 'REJECTED', error: 'E43' }])
    expect(script.node.head).toBe(10)
  })

  it('behavior: signed for more gas than a block has by now it is given up, whatever the words', async () => {
    const script = scripted()
    script.node.refusal = 'gibberish'
    const large = intentOf([], { gasLimit: 30_000_001 })
    const rawTransactions = [(await signer.sign(large, call)).raw]
    script.node.balance = 10n ** 18n
    expect(await follow(script, { ...large, rawTransactions })).toMatchObject([{ outcome: 'REJECTED' }])
  })

  it.each(['insufficient funds for gas * price + value', 'gibberish'])(
    'behavior: without money ("%s") it is sent again and again, and is not called stuck',
    async (refusal) => {
      const script = scripted()
      script.node.refusal = refusal
      script.node.balance = 42n
      const low: [bigint, bigint][] = []
      const observer: AnchorObserver = { lowBalance: (wei, needed) => void low.push([wei, needed]) }
      expect(await follow(script, intentOf([raw]), undefined, { observer })).toEqual([])
      expect(low[0]).toEqual([42n, 10_000_000n])
      expect(script.node.sent.length).toBeGreaterThan(4)
    },
  )

  it('behavior: what waited long for money is not stuck as soon as it is taken', async () => {
    const script = scripted()
    const { node } = script
    node.refusal = 'insufficient funds'
    node.balance = 42n
    let takenAt: number | undefined
    const turn = (n: number): void => {
      if (n === 10) Object.assign(node, { refusal: undefined, balance: 10n ** 18n, sent: [] })
      if (n > 10 && node.sent.length > 0) takenAt ??= n
      if (n !== (takenAt ?? n) + 2) return
      node.receipts.set(hash, { block: node.head, status: 1, gasUsed: 1, logs: [eventLog('SnapshotBatchSubmitted')] })
    }
    expect(outcomes(await follow(script, intentOf([raw]), turn))).toEqual(['MINED', 'FINAL'])
  })

  it('behavior: signed for more than the signer has, it is given up when less is asked by now', async () => {
    const script = scripted()
    script.node.refusal = 'insufficient funds'
    script.node.balance = 11_000_000n
    const results = await follow(script, intentOf([bumped.raw], { maxFeePerGas: '120' }))
    expect(results).toMatchObject([{ outcome: 'REJECTED', error: expect.stringContaining('less is asked') }])
  })

  it('behavior: an answer that is not the hash is a refusal', async () => {
    const script = scripted()
    script.node.sendAnswer = null
    const refused: TransactionRefused[] = []
    await follow(script, intentOf([raw]), undefined, {
      observer: { transactionRefused: (_, one) => void refused.push(one) },
    })
    expect(refused[0]).toMatchObject({ reason: 'other', words: 'answered with null' })
  })

  it('behavior: refused behind a gap it is sent as soon as its turn comes, whatever the pause', async () => {
    const script = scripted()
    const { node } = script
    Object.assign(node, { refusal: 'insufficient funds', balance: 42n, nonceNow: 6 })
    const counts: number[] = []
    let came: number | undefined
    const turn = (n: number): void => {
      counts[n] = node.sent.length
      if (n < 11 || counts[n - 1] === counts[n]) return // just sent, so that the next is due in five turns
      came ??= n
      node.nonceNow = 7
    }
    await follow(script, intentOf([raw]), turn)
    expect(counts[came! + 1]).toBe(counts[came!]! + 1)
  })

  it.each([
    [7, 'other'],
    [8, 'known'],
  ])(
    'behavior: that a node has it is believed when it can be seen (next pending nonce %d: %s)',
    async (pending, said) => {
      const script = scripted()
      script.node.refusal = 'already known'
      script.node.noncePending = pending
      const reasons: string[] = []
      const observer: AnchorObserver = { transactionRefused: (_, { reason }) => void reasons.push(reason) }
      await follow(script, intentOf([raw]), undefined, { observer })
      expect(reasons.slice(0, 3)).toEqual(['known', 'known', said])
    },
  )

  it('behavior: a node that is indexing is no reason not to send', async () => {
    const script = scripted()
    script.node.receiptRefusal = 'transaction indexing is in progress'
    expect(outcomes(await follow(script, intentOf([raw])))).toEqual(['STUCK'])
    expect(new Set(script.node.sent)).toEqual(new Set([raw]))
  })

  it('error: a used nonce says nothing while receipts cannot be read', async () => {
    const script = scripted()
    script.node.receiptRefusal = 'transaction indexing is in progress'
    script.node.nonceNow = 8
    script.node.nonceDeep = 8
    await expect(follow(script, intentOf([raw]))).rejects.toMatchObject({ retriable: true })
  })

  it('behavior: a receipt that was seen is enough, when it cannot be read any more', async () => {
    const script = scripted()
    const logs = [eventLog('SnapshotBatchSubmitted')]
    script.node.receipts.set(hash, { block: 10, status: 1, gasUsed: 1, logs })
    const turn = (n: number): void => {
      if (n === 1) script.node.receiptRefusal = 'transaction indexing is in progress'
    }
    expect(outcomes(await follow(script, intentOf([raw]), turn))).toEqual(['MINED', 'FINAL'])
  })

  it('behavior: a receipt from a block that is not of the chain is none', async () => {
    const script = scripted()
    const logs = [eventLog('SnapshotBatchSubmitted')]
    script.node.receipts.set(hash, { block: 2, status: 1, gasUsed: 1, logs, hash: `0x${'f'.repeat(64)}` })
    expect(outcomes(await follow(script, intentOf([raw])))).toEqual(['STUCK'])
    expect(script.node.sent).toContain(raw)
  })

  it('behavior: FINAL needs a linked chain of blocks on top, which two forks do not give', async () => {
    const script = scripted()
    script.node.receipts.set(hash, { block: 5, status: 1, gasUsed: 1, logs: [eventLog('SnapshotBatchSubmitted')] })
    script.node.unlinked = 7
    expect(outcomes(await follow(script, intentOf([raw])))).toEqual(['MINED'])
    script.node.unlinked = undefined
    expect(outcomes(await follow(script, intentOf([raw])))).toEqual(['MINED', 'FINAL'])
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

describe('a transaction that was mined, and whose block the node has no more', () => {
  const inBlock = (block: number) => ({ block, status: 1, gasUsed: 1, logs: [eventLog('SnapshotBatchSubmitted')] })
  const lose = ({ node }: ReturnType<typeof scripted>): void => {
    node.receipts.delete(hash)
    node.missing.add(10)
  }
  const minedOnce = () => {
    const script = scripted()
    script.node.receipts.set(hash, inBlock(10))
    script.node.noncePending = 8 // what is sent lies in its pool
    return script
  }

  it.each([
    ['its receipt is gone too', (script: ReturnType<typeof scripted>) => lose(script)],
    ['its receipt is still told', ({ node }: ReturnType<typeof scripted>) => void node.missing.add(10)],
    [
      'an earlier one of the signer is gone as well',
      (script: ReturnType<typeof scripted>) => {
        lose(script)
        script.node.nonceNow = 6
      },
    ],
  ])('behavior: with its nonce free it is sent again, and counts where it is mined then: %s', async (_what, lost) => {
    const script = minedOnce()
    const results = await follow(script, intentOf([raw]), (n) => {
      if (n === 1) lost(script)
      if (n === 4) script.node.receipts.set(hash, inBlock(13))
    })
    expect(script.node.sent).toEqual([raw])
    expect(results.map(({ outcome, blockNumber }) => `${outcome} ${blockNumber}`)).toEqual([
      'MINED 10',
      'MINED 13',
      'FINAL 13',
    ])
  })

  it('behavior: it is sent again at each interval, and is stuck only so long after it was lost', async () => {
    const script = scripted()
    const { node } = script
    node.unlinked = 11 // so that it is not final while it lies there
    const sent: number[] = []
    const results = await follow(script, intentOf([raw]), (n) => {
      sent[n] = node.sent.length
      if (n === 1) node.receipts.set(hash, inBlock(10))
      if (n === 20) lose(script)
    })
    expect(outcomes(results)).toEqual(['MINED', 'STUCK'])
    expect([sent[1], sent[20], sent[21]]).toEqual([1, 1, 2])
    expect(node.head).toBe(34)
  })

  it('behavior: with its nonce used the node lacks only the block: nothing is sent, and it is nobody else’s', async () => {
    const script = minedOnce()
    Object.assign(script.node, { nonceNow: 8, nonceDeep: 8 })
    const results = await follow(script, intentOf([raw]), (n) => {
      if (n === 1) lose(script)
    })
    expect(outcomes(results)).toEqual(['MINED'])
    expect(script.node.sent).toEqual([])
  })

  it('behavior: the block comes back, as of a node that was behind: it is final as before', async () => {
    const script = minedOnce()
    const results = await follow(script, intentOf([raw]), (n) => {
      if (n === 1) lose(script)
      if (n === 3) script.node.missing.clear()
    })
    expect(outcomes(results)).toEqual(['MINED', 'FINAL'])
  })
})

describe('a transaction that could be next and is in no block', () => {
  const listen = () => {
    const told: TransactionUnmined[] = []
    return { told, observer: { transactionUnmined: (_, one) => void told.push(one) } satisfies AnchorObserver }
  }

  it('behavior: after so long it is told once, with what was seen, however often it is signed anew', async () => {
    const script = scripted()
    const { told, observer } = listen()
    const memory = newSendMemory()
    for (let round = 0; round < 3; round++) await follow(script, intentOf([raw]), undefined, { observer, memory })
    expect(told).toEqual([
      { nonce: 7, ms: 2_000, block: 12, nextNonce: 7, inPool: false, taken: true, lostBlock: undefined },
    ])
    script.node.noncePending = 8
    await follow(script, intentOf([raw]), undefined, { observer })
    expect(told[1]).toMatchObject({ inPool: true })
  })

  it('behavior: one that its node took and dropped is sent again after two blocks, then after four more, and told at once', async () => {
    const script = scripted()
    const { told, observer } = listen()
    const sent: number[] = []
    const count = () => void sent.push(script.node.sent.length)
    await follow(script, intentOf([raw]), count, { observer })
    expect(sent).toEqual([1, 1, 2, 2])
    expect(told).toMatchObject([{ block: 12, taken: true, inPool: false }])
    script.node.noncePending = 8 // and one that lies in a pool is not
    await follow(script, intentOf([raw]), count)
    expect(sent.slice(4)).toEqual([3, 3, 3, 3])
    Object.assign(script.node, { noncePending: 7, revert: 'E43' }) // nor one whose call has become pointless
    await follow(script, intentOf([raw]), count)
    expect(sent.slice(8)).toEqual([4, 4, 4, 4])
  })

  it('behavior: of one that was mined, from when its block was lost', async () => {
    const script = scripted()
    const { told, observer } = listen()
    const receipt = { block: 10, status: 1, gasUsed: 1, logs: [eventLog('SnapshotBatchSubmitted')] }
    script.node.unlinked = 11
    const turn = (n: number): void => {
      if (n === 1) script.node.receipts.set(hash, receipt)
      if (n !== 9) return
      script.node.receipts.clear()
      script.node.missing.add(10)
    }
    await follow(script, intentOf([raw]), turn, { observer })
    expect(told).toMatchObject([{ ms: 2_000, block: 21, lostBlock: 10 }])
  })

  it('behavior: of what no node takes the refusal is told, and this only when one took it after all', async () => {
    const script = scripted()
    const { told, observer } = listen()
    const waits: number[] = []
    Object.assign(script.node, { refusal: 'gibberish', balance: 42n }) // so that it waits for money, and is not signed anew
    const turn = (n: number): void => {
      if (n === 20) Object.assign(script.node, { refusal: undefined, balance: 10n ** 18n })
      if (n <= 20) expect(told).toEqual([])
    }
    await follow(script, intentOf([raw]), turn, { observer, waits })
    expect(told).toMatchObject([{ ms: 2_000, taken: true }])
    expect(Math.min(...waits)).toBeGreaterThan(1)
  })

  it('behavior: nothing is told of one that waits for another, or is mined in time', async () => {
    const { told, observer } = listen()
    const behind = scripted()
    behind.node.nonceNow = 6
    await follow(behind, intentOf([raw]), undefined, { observer })
    const soon = scripted()
    soon.node.nonceNow = 6
    await follow(
      soon,
      intentOf([raw]),
      (n) => {
        if (n === 10) soon.node.nonceNow = 7
        if (n === 11)
          soon.node.receipts.set(hash, {
            block: soon.node.head,
            status: 1,
            gasUsed: 1,
            logs: [eventLog('SnapshotBatchSubmitted')],
          })
      },
      { observer },
    )
    expect(told).toEqual([])
  })
})

describe('createSigner', () => {
  it('behavior: the same intent gives the same bytes, which ethers reads back', async () => {
    const again = await signer.sign(intentOf([]), call)
    expect(again.raw).toBe(raw)
    expect(new Wallet(`0x${'11'.repeat(32)}`).address.toLowerCase()).toBe(signer.address)
  })
})
