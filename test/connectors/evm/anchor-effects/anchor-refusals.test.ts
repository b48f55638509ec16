import { Transaction } from 'ethers'
import { describe, expect, it } from 'vitest'
import { newSendMemory } from '../../../../connectors/evm/anchor-effects/anchor-memory.ts'
import { broadcast, reasonInWords } from '../../../../connectors/evm/anchor-effects/anchor-refusal.ts'
import { EvmError } from '../../../../connectors/evm/errors.ts'
import type { Ask } from '../../../../connectors/evm/nodes/ask.ts'
import type { AnchorIntent, AnchorProgress } from '../../../../schemas/types.ts'
import { applyResult } from '../../../../topology/anchor/anchor-transitions.ts'
import { ANCHOR_RULES_DEFAULTS } from '../../../../topology/anchor-rules.ts'
import { REFUSAL_WORDS } from './refusal-words.ts'
import { CID, eventLog, follow, intentOf, KEY, STATE, scripted, signer } from './scripted-send.ts'

type Script = ReturnType<typeof scripted>
const call = { to: STATE, data: '0x1234' }
const SUBMIT = await signer.sign(intentOf([]), call)
const ROUNDS_MAX = 40

describe('words', () => {
  it.each(REFUSAL_WORDS)('default: %s: %.80s is %s', (_client, words, reason) => {
    expect(reasonInWords(words)).toBe(reason)
  })
})

describe('broadcast', () => {
  const takes: Ask = async () => SUBMIT.hash
  const refuses: Ask = () => Promise.reject(new EvmError('RPC_ERROR', 'gibberish', { retriable: true }))
  const to = (...asks: Ask[]) => broadcast({ each: (reading) => asks.map((ask) => reading(ask)) }, SUBMIT.raw)

  it('default: one node that takes it is enough', async () => {
    expect(await to(refuses, takes)).toBeUndefined()
  })

  it('behavior: with none it is what all of them say, each word once', async () => {
    expect(await to(refuses, async () => null, refuses)).toEqual({
      words: 'gibberish; answered with null',
      unanswered: false,
    })
  })
})

/** A chain with one pool. `refuses` says which transactions the node refuses; what it takes is mined in the next block. */
function chain(words: string, refuses: (tx: Transaction, turn: number) => boolean) {
  const script = scripted()
  const { node } = script
  node.balance = 10n ** 18n
  let turns = 0
  let pool: Transaction | undefined
  const offered: Transaction[] = []
  node.take = (raw) => {
    const tx = Transaction.from(raw)
    offered.push(tx)
    if (refuses(tx, turns)) return words
    pool = tx
    return undefined
  }
  const turn = (): void => {
    turns++
    if (!pool || pool.nonce !== node.nonceNow || pool.gasPrice === 0n) return
    const filler = pool.data === '0x'
    const logs = filler ? [] : [eventLog('SnapshotBatchSubmitted')]
    node.receipts.set(pool.hash!, { block: node.head, status: 1, gasUsed: 21_000, logs })
    node.nonceNow++
    pool = undefined
  }
  const mine = (tx: Transaction): void => {
    pool = tx
  }
  return { script, turn, offered, mine }
}

const progressOf = (): AnchorProgress => ({
  ...{ key: KEY, phase: 'SENDING', step: 'SEND', call: 'SUBMIT', attempt: 3, delayMs: 0, retries: 0, batchOffset: 0 },
  ...{ batches: 0, cid: CID, roothash: '', finalizedCidsRootHash: '', signer: signer.address, chainNonce: 7, nonce: 7 },
  quote: { gasLimit: 100_000, maxFeePerGas: '100', maxPriorityFeePerGas: '1' },
  ...{ rawTransactions: [SUBMIT.raw], transactionHash: SUBMIT.hash, blockNumber: -1, blockHash: '', error: '' },
  ...{ attestations: [], attested: false, diverged: false, reorgs: 0, payout: null },
})

/** Follows and decides in turn, as connector and stage do, until the nonce is settled or nothing more happens. */
async function anchoring(script: Script, turn: (n: number) => void, rules = ANCHOR_RULES_DEFAULTS) {
  let at = progressOf()
  const memory = newSendMemory()
  const outcomes: string[] = []
  for (let round = 0; round < ROUNDS_MAX && ['SENDING', 'SIGNING', 'MINED'].includes(at.phase); round++) {
    const { step, attempt, nonce, quote, rawTransactions, call: what } = at
    const intent: AnchorIntent = { ...intentOf([...rawTransactions]), ...quote, step, attempt, nonce, call: what }
    if (step === 'SIGN') {
      const { raw, hash } = await signer.sign(
        intent,
        what === 'FILL' ? { to: signer.address, data: '0x' } : call,
        memory.legacy ? 'legacy' : 'eip1559',
      )
      at = applyResult(
        at,
        { ...EMPTY, step, attempt, outcome: 'SIGNED', rawTransaction: raw, transactionHash: hash },
        rules,
      )
      continue
    }
    const results = await follow(script, intent, turn, { memory, turnsMax: 60 })
    if (results.length === 0) break
    for (const result of results) {
      outcomes.push(result.outcome)
      at = applyResult(at, result, rules)
    }
  }
  return { at, outcomes }
}

const EMPTY = {
  ...{ cid: '', signer: '', nonce: -1, gasLimit: 0, maxFeePerGas: '0', maxPriorityFeePerGas: '0', error: '' },
  ...{ rawTransaction: '', transactionHash: '', blockNumber: -1, blockHash: '', attestation: null, payout: null },
}

/** Each state of the chain with what must come of it, in whatever words the node refuses. */
const STATES: Record<string, (words: string) => Promise<void>> = {
  'the nonce was used by us': async (words) => {
    const { script, turn, mine } = chain(words, (tx) => {
      mine(tx)
      return true
    })
    expect((await anchoring(script, turn)).at).toMatchObject({ phase: 'FINAL', call: 'SUBMIT', nonce: 7 })
  },
  'the nonce was used by somebody else': async (words) => {
    const { script, turn } = chain(words, () => true)
    const taken = () => {
      turn()
      script.node.nonceNow = 8
      script.node.nonceDeep = 8
    }
    const { at, outcomes } = await anchoring(script, taken)
    expect(outcomes.at(-1)).toBe('NONCE_TAKEN')
    expect(at).toMatchObject({ phase: 'PREPARING', nonce: -1 })
  },
  'refused for a while, then taken': async (words) => {
    const { script, turn, offered } = chain(words, (_, turns) => turns < 7)
    const { at } = await anchoring(script, turn)
    expect(at).toMatchObject({ phase: 'FINAL', error: '' })
    expect(offered.every(({ data }) => data !== '0x')).toBe(true)
  },
  'refused for good, but not the filler': async (words) => {
    const { script, turn } = chain(words, ({ data }) => data !== '0x')
    const { at, outcomes } = await anchoring(script, turn)
    expect(outcomes.slice(-2)).toEqual(['REJECTED', 'FILLED'])
    const error = expect.stringMatching(/^no node takes it: /)
    expect(at).toMatchObject({ phase: 'PREPARING', call: 'SUBMIT', nonce: -1, error })
  },
  'refused for good, the filler as well, until the nonce is taken': async (words) => {
    const { script, turn, offered } = chain(words, () => true)
    const late = () => {
      turn()
      if (offered.filter(({ data }) => data === '0x').length < 6) return
      script.node.nonceNow = 8
      script.node.nonceDeep = 8
    }
    const { at, outcomes } = await anchoring(script, late)
    expect(outcomes).toContain('REJECTED')
    expect(outcomes.at(-1)).toBe('NONCE_TAKEN')
    expect(at.phase).toBe('PREPARING')
  },
  'the call reverts by now': async (words) => {
    const { script, turn } = chain(words, ({ data }) => data !== '0x')
    script.node.revert = 'E43'
    const { at, outcomes } = await anchoring(script, turn)
    expect(outcomes).toEqual(['REJECTED', 'FILLED'])
    expect(at).toMatchObject({ phase: 'PREPARING', call: 'SUBMIT' })
  },
  'the balance is too low for a while': async (words) => {
    const { script, turn, offered } = chain(words, () => script.node.balance < 10_000_000n)
    script.node.balance = 42n
    const funded = (n: number) => {
      if (n === 20) script.node.balance = 10n ** 18n
      turn()
    }
    const { at, outcomes } = await anchoring(script, funded)
    expect(outcomes.slice(-2)).toEqual(['MINED', 'FINAL'])
    expect(at.call).toBe('SUBMIT')
    expect(offered.length).toBeLessThan(20)
  },
  'the base fee is above what was signed': async (words) => {
    const { script, turn } = chain(words, (tx) => (tx.maxFeePerGas ?? tx.gasPrice)! < 1_000n)
    script.node.baseFee = 1_000n
    const { at, outcomes } = await anchoring(script, turn)
    expect(outcomes).toEqual(['STUCK', 'MINED', 'FINAL'])
    expect(at.quote.maxFeePerGas).toBe('2003')
  },
  'the fee is at the cap until the base fee falls': async (words) => {
    const { script, turn } = chain(words, (tx) => (tx.maxFeePerGas ?? tx.gasPrice)! < script.node.baseFee)
    script.node.baseFee = 1_000n
    let turns = 0
    const falling = () => {
      if (++turns === 8) script.node.baseFee = 50n
      turn()
    }
    const { at, outcomes } = await anchoring(script, falling, { ...ANCHOR_RULES_DEFAULTS, maxFeePerGasMax: '110' })
    expect(outcomes[0]).toBe('STUCK')
    expect(at).toMatchObject({ phase: 'FINAL', transactionHash: SUBMIT.hash })
  },
}

describe.each(Object.entries(STATES))('%s', (_state, ends) => {
  it.each(REFUSAL_WORDS.map(([client, words]) => [client, words.slice(0, 80), words]))(
    'behavior: %s: %j',
    (_, __, words) => ends(words),
  )
})
