/**
 * The store and the anchor chain as the anchor's effects meet them, by the seed: they refuse, revert, leave transactions
 * lying and take mined ones out again. What they hold outlives the processes; what may never be, they throw.
 */
import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create } from 'multiformats/hashes/digest'
import { SeededRandom } from '../../connectors/log/seeded-random.ts'
import type { AnchorIntent, AnchorKey, AnchorOutcome, AnchorResult } from '../../schemas/types.ts'
import { resultOf } from '../topology/anchor-harness.ts'
import { hash } from './chain-story.ts'

export interface Answer {
  readonly key: AnchorKey
  readonly result: AnchorResult
}

interface Transaction {
  readonly key: AnchorKey
  readonly attempt: number
  readonly raw: string
}

interface Mined extends Transaction {
  readonly outcome: 'MINED' | 'REVERTED' | 'FILLED'
}

/** Failures of one key, below what makes the stage give up. */
const FAILURES_MAX = 4
const SIGNER = `0x${'51'.repeat(20)}`

export class AnchorChain {
  private readonly random: SeededRandom
  /** By nonce; transactions are mined in the order of nonces. */
  private readonly mined: Mined[] = []
  private readonly pending = new Map<number, Transaction>()
  private readonly failures = new Map<string, number>()
  /** The outcome of an attempt is drawn once. */
  private readonly drawn = new Map<string, AnchorOutcome>()
  private readonly given: Answer[] = []

  constructor(seed: number) {
    this.random = new SeededRandom(seed ^ 0xc4a1)
  }

  /** @returns what is to be told, which may concern other keys too; now and then also something told long ago */
  carryOut(key: AnchorKey, intent: AnchorIntent, bytes: Uint8Array): Answer[] {
    const answers = this.answersTo(key, intent, bytes)
    this.given.push(...answers)
    const old = this.random.chance(0.2) ? this.random.pick(this.given) : undefined
    return old ? [...answers, old] : answers
  }

  private answersTo(key: AnchorKey, intent: AnchorIntent, bytes: Uint8Array): Answer[] {
    const { step, attempt, nonce, call } = intent
    const answer = (outcome: AnchorOutcome, fields: Partial<AnchorResult> = {}): Answer[] => [
      { key, result: resultOf({ step, attempt, outcome, ...fields }) },
    ]
    if (step === 'STORE') {
      if (this.draw(key, attempt, { FAILED: 0.15 }) === 'FAILED') return answer('FAILED', { error: 'no space' })
      const digest = create(0x12, createHash('sha256').update(bytes).digest())
      return answer('STORED', { cid: CID.createV1(raw.code, digest).toString() })
    }
    if (step === 'PREPARE') {
      const done = this.mined.findIndex((one) => one.outcome === 'MINED' && contentOf(one.key) === contentOf(key))
      if (done >= 0) return answer('ALREADY_ANCHORED', placeOf(done))
      if (this.draw(key, attempt, { FAILED: 0.1 }) === 'FAILED') return answer('FAILED', { error: 'no node' })
      return answer('READY', { ...QUOTE, signer: SIGNER, nonce: this.mined.length })
    }
    if (step === 'SIGN') {
      if (call !== 'FILL' && this.draw(key, attempt, { FAILED: 0.08 }) === 'FAILED')
        return answer('FAILED', { error: 'no signer' })
      const rawTransaction = `${nonce} ${call === 'FILL' ? 'filler' : contentOf(key)} ${attempt}`
      return answer('SIGNED', { rawTransaction, transactionHash: `0x${nonce}` })
    }
    return step === 'SEND' ? this.send(nonce, { key, attempt, raw: intent.rawTransactions.at(-1)! }) : []
  }

  private send(nonce: number, sent: Transaction): Answer[] {
    const [other] = [this.mined[nonce], this.pending.get(nonce)].filter((one) => one && !isSame(one.key, sent.key))
    if (other) throw new Error(`nonce ${nonce} was approved for "${other.raw}" and for "${sent.raw}"`)
    const before = this.mined[nonce]
    if (before) return [minedAnswer(nonce, { ...before, attempt: sent.attempt })].flatMap(withFinal)
    if ((this.pending.get(nonce)?.attempt ?? 0) < sent.attempt) this.pending.set(nonce, sent)
    return this.mine()
  }

  /** Everything that is next in the order of nonces. */
  private mine(): Answer[] {
    const answers: Answer[] = []
    for (;;) {
      const nonce = this.mined.length
      const next = this.pending.get(nonce)
      if (!next) return answers
      const { key, attempt } = next
      const drawn = this.draw(key, attempt, { STUCK: 0.1, REVERTED: 0.12, REORGED: 0.12 })
      if (drawn === 'STUCK')
        return [...answers, { key, result: resultOf({ ...QUOTE, ...SENT, attempt, outcome: drawn }) }]
      const isFiller = next.raw.includes('filler')
      const mined: Mined = { ...next, outcome: isFiller ? 'FILLED' : drawn === 'REVERTED' ? 'REVERTED' : 'MINED' }
      this.pending.delete(nonce)
      if (drawn === 'REORGED' && !isFiller) {
        const reorged = resultOf({ ...SENT, attempt, outcome: 'REORGED' })
        return [...answers, minedAnswer(nonce, mined), { key, result: reorged }]
      }
      this.add(mined)
      answers.push(...withFinal(minedAnswer(nonce, mined)))
    }
  }

  private add(mined: Mined): void {
    if (mined.outcome === 'MINED') {
      const done = this.mined.filter(({ outcome }) => outcome === 'MINED').map(({ key }) => key)
      if (done.some((key) => isSame(key, mined.key))) throw new Error(`${contentOf(mined.key)} was anchored twice`)
      if (done.some((key) => isSame(key, { ...mined.key, batchIndex: -1 })))
        throw new Error(`${contentOf(mined.key)} came after the end of its epoch`)
    }
    this.mined.push(mined)
  }

  /** One of these outcomes by its probability, or none; the same for the same attempt. */
  private draw(key: AnchorKey, attempt: number, chances: { readonly [O in AnchorOutcome]?: number }) {
    const content = contentOf(key)
    const id = `${content} ${attempt}`
    const known = this.drawn.get(id)
    if (known !== undefined && known in chances) return known
    const failures = this.failures.get(content) ?? 0
    let left = this.random.next()
    for (const [outcome, chance] of Object.entries(chances) as [AnchorOutcome, number][]) {
      left -= chance
      if (left >= 0 || failures >= FAILURES_MAX) continue
      this.failures.set(content, failures + 1)
      this.drawn.set(id, outcome)
      return outcome
    }
    return undefined
  }
}

const contentOf = ({ dataMarket, epochId, batchIndex }: AnchorKey): string => `${dataMarket}/${epochId}/${batchIndex}`
const isSame = (a: AnchorKey, b: AnchorKey): boolean => contentOf(a) === contentOf(b)
const placeOf = (nonce: number) => ({
  transactionHash: `0x${nonce}`,
  blockNumber: 100 + nonce,
  blockHash: hash(`anchor block ${100 + nonce}`),
})

const minedAnswer = (nonce: number, { key, attempt, outcome }: Mined): Answer => ({
  key,
  result: resultOf({ ...SENT, ...placeOf(nonce), attempt, outcome }),
})
const withFinal = (mined: Answer): Answer[] =>
  mined.result.outcome === 'MINED' ? [mined, { ...mined, result: { ...mined.result, outcome: 'FINAL' } }] : [mined]

const QUOTE = { gasLimit: 500_000, maxFeePerGas: '2000', maxPriorityFeePerGas: '100' }
const SENT = { step: 'SEND' } as const
