/**
 * The store and the anchor chain as the anchor's effects meet them, by the seed: they refuse, revert, leave transactions
 * lying, take mined ones out again, and go back behind what was final. What they hold outlives the processes; what may never
 * be, they throw.
 */
import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create } from 'multiformats/hashes/digest'
import { SeededRandom } from '../../connectors/log/simulated/seeded-random.ts'
import { END_OF_BATCHES, isEnding, isNonceOnly, isPayout, nonceKey } from '../../schemas/anchor-keys.ts'
import type { AnchorIntent, AnchorKey, AnchorOutcome, AnchorResult } from '../../schemas/types.ts'
import { resultOf } from '../topology/anchor/anchor-harness.ts'
import { hash } from './chain-story.ts'
import type { PayChain, PayoutGiven, PayoutIntent } from './pay-chain.ts'

export interface Answer {
  readonly key: AnchorKey
  readonly result: AnchorResult
}

interface Transaction {
  readonly key: AnchorKey
  readonly attempt: number
  readonly raw: string
  /** Of a call of updateRewards. */
  readonly payout?: PayoutIntent
}

/** What an intent needs from the log. */
export interface Given {
  /** To be stored. */
  readonly bytes: Uint8Array
  /** Of a payout. */
  readonly payout: PayoutGiven | undefined
}

interface Known {
  readonly key: AnchorKey
  readonly intent: AnchorIntent
  readonly given: Given
}

interface Mined extends Transaction {
  /** FOREIGN: somebody else used the key. */
  readonly outcome: 'MINED' | 'REVERTED' | 'FILLED' | 'FOREIGN'
  readonly where: ReturnType<typeof placeOf>
  /** What came of a call of updateRewards. */
  readonly told?: Pick<AnchorResult, 'error'> | Pick<AnchorResult, 'payout'>
}

/** Failures of one key, below what makes the stage give up. */
const FAILURES_MAX = 4
const SIGNER = `0x${'51'.repeat(20)}`
/** The chain goes back by at most so many of our transactions, and those that lie deeper are told to be settled. */
const DEPTH_MAX = 6
const REORGS_MAX = 2
/** With each intent that is carried out. */
const REORG_CHANCE = 0.015
/** With each dry run that passes, another sequencer of the market ends the epoch right behind it. */
const RIVAL_CHANCE = 0.12
const RIVALS_MAX = 2
const ENDED = 'E43'
/** The key was used before: so many nonces are somebody else's. */
const FOREIGN_NONCES = 2

export class AnchorChain {
  private readonly random: SeededRandom
  /** By nonce; transactions are mined in the order of nonces. */
  private readonly mined: Mined[] = []
  private readonly pending = new Map<number, Transaction>()
  private readonly failures = new Map<string, number>()
  /** The outcome of an attempt is drawn once. */
  private readonly drawn = new Map<string, AnchorOutcome>()
  private readonly given: Answer[] = []
  /** The newest intent of each key. */
  private readonly latest = new Map<string, Known>()
  /** Dry runs of payouts to which nothing definite could be said. */
  private readonly unanswered = new Map<string, Known>()
  private readonly pay: PayChain
  private readonly back: SeededRandom
  private reorgs = 0
  /** The most transactions that it ever had. */
  private highest = 0
  private readonly rival: SeededRandom | undefined
  /** Epochs that another sequencer has ended: `market/epoch`. */
  readonly endedByRival = new Set<string>()

  /** @param hasRival another sequencer of the market ends some epochs */
  constructor(seed: number, pay: PayChain, hasRival = false) {
    this.pay = pay
    if (hasRival) this.rival = new SeededRandom(seed ^ 0x71ba1)
    this.random = new SeededRandom(seed ^ 0xc4a1)
    this.back = new SeededRandom(seed ^ 0xbacc)
    const key = { dataMarket: 'somebody', epochId: 0, batchIndex: 0 }
    for (let nonce = 0; seed % 5 === 0 && nonce < FOREIGN_NONCES; nonce++)
      this.mined.push({ key, attempt: 0, raw: 'foreign', outcome: 'FOREIGN', where: placeOf(nonce, 0) })
  }

  /** It does not go back any more. */
  calm(): void {
    this.reorgs = REORGS_MAX
  }

  /** Whether another sequencer has ended the epoch, so that the contract takes no batch of it any more. */
  private hasRivalEnded = ({ dataMarket, epochId }: AnchorKey): boolean =>
    this.endedByRival.has(`${dataMarket}/${epochId}`)

  private perhapsEndedByRival({ dataMarket, epochId }: AnchorKey): void {
    const ending = contentOf({ dataMarket, epochId, batchIndex: END_OF_BATCHES })
    if (this.contents().includes(ending)) return
    if (this.endedByRival.size < RIVALS_MAX && this.rival?.chance(RIVAL_CHANCE))
      this.endedByRival.add(`${dataMarket}/${epochId}`)
  }

  /** What is on the chain, in the order of nonces: batches and endings by `market/epoch/index`. */
  contents(): string[] {
    return this.mined
      .filter(({ key, outcome }) => outcome === 'MINED' && !isPayout(key))
      .map(({ key }) => contentOf(key))
  }

  /** @returns what is to be told, which may concern other keys too; now and then also something told long ago */
  carryOut(key: AnchorKey, intent: AnchorIntent, given: Given): Answer[] {
    const known = this.latest.get(contentOf(key))
    if (known && known.intent.attempt > intent.attempt && !isNonceOnly(key)) return [] // by a process that began again
    this.latest.set(contentOf(key), { key, intent, given })
    this.unanswered.delete(contentOf(key))
    const answers = this.answersTo({ key, intent, given })
    if (this.reorgs < REORGS_MAX && this.back.chance(REORG_CHANCE)) this.goBack()
    answers.push(...this.lookAtFinal(), ...this.gap())
    this.given.push(...answers)
    const old = this.random.chance(0.2) ? this.random.pick(this.given) : undefined
    return old ? [...answers, old] : answers
  }

  /** Time has passed, in which what was not definite may have become so. */
  askAgain(): Answer[] {
    return [...this.unanswered.values()].flatMap((asked) => this.preparePayout(asked))
  }

  private preparePayout(asked: Known): Answer[] {
    const { key, intent } = asked
    const { step, attempt } = intent
    const knows = (blockHash: string) => this.mined.some(({ where }) => where.blockHash === blockHash)
    const firstLoose = this.reorgs < REORGS_MAX ? this.highest - DEPTH_MAX : Number.POSITIVE_INFINITY
    const prepared = this.pay.prepare(payoutIn(asked)!, knows, firstLoose)
    if (!prepared) {
      this.unanswered.set(contentOf(key), asked)
      return []
    }
    this.unanswered.delete(contentOf(key))
    const ready = prepared.outcome === 'READY' ? { ...QUOTE, signer: SIGNER, nonce: this.mined.length } : {}
    return [{ key, result: resultOf({ step, attempt, ...ready, ...prepared }) }]
  }

  private answersTo(asked: Known): Answer[] {
    const { key, intent, given } = asked
    const { step, attempt, nonce, call } = intent
    const answer = (outcome: AnchorOutcome, fields: Partial<AnchorResult> = {}): Answer[] => [
      { key, result: resultOf({ step, attempt, outcome, ...fields }) },
    ]
    if (step === 'STORE') {
      if (this.draw(key, attempt, { FAILED: 0.15 }) === 'FAILED') return answer('FAILED', { error: 'no space' })
      const digest = create(0x12, createHash('sha256').update(given.bytes).digest())
      return answer('STORED', { cid: CID.createV1(raw.code, digest).toString() })
    }
    if (step === 'PREPARE') {
      if (isPayout(key)) {
        const isFailing = this.draw(key, attempt, { FAILED: 0.1 }) === 'FAILED'
        return isFailing ? answer('FAILED', { error: 'no node' }) : this.preparePayout(asked)
      }
      const done = this.mined.find((one) => one.outcome === 'MINED' && contentOf(one.key) === contentOf(key))
      if (done) return answer('ALREADY_ANCHORED', done.where)
      if (this.hasRivalEnded(key))
        return isEnding(key) ? answer('ALREADY_ANCHORED') : answer('REVERTED', { error: ENDED })
      if (this.draw(key, attempt, { FAILED: 0.1 }) === 'FAILED') return answer('FAILED', { error: 'no node' })
      this.perhapsEndedByRival(key)
      return answer('READY', { ...QUOTE, signer: SIGNER, nonce: this.mined.length })
    }
    if (step === 'SIGN') {
      if (call !== 'FILL' && this.draw(key, attempt, { FAILED: 0.08 }) === 'FAILED')
        return answer('FAILED', { error: 'no signer' })
      const refusal = this.refusalOf(asked)
      if (refusal !== undefined) return answer('FAILED', { error: refusal })
      const rawTransaction = `${nonce} ${call === 'FILL' ? 'filler' : contentOf(key)} ${attempt}`
      return answer('SIGNED', { rawTransaction, transactionHash: `0x${nonce}` })
    }
    const payout = payoutIn(asked)
    const sent = { key, attempt, raw: intent.rawTransactions.at(-1)!, ...(payout && { payout }) }
    return step === 'SEND' ? this.send(nonce, sent) : []
  }

  /** Why the call of a payout cannot be made now. */
  private refusalOf(known: Known): string | undefined {
    const payout = payoutIn(known)
    return payout && this.pay.refusal(payout)
  }

  private send(nonce: number, sent: Transaction): Answer[] {
    const [other] = [this.mined[nonce], this.pending.get(nonce)].filter((one) => one && !isSame(one.key, sent.key))
    if (isNonceOnly(sent.key)) return this.sendFiller(nonce, sent)
    if (other) throw new Error(`nonce ${nonce} was approved for "${other.raw}" and for "${sent.raw}"`)
    const before = this.mined[nonce]
    if (before) return [minedAnswer({ ...before, attempt: sent.attempt })].flatMap(withFinal)
    const error = sent.payout && this.pay.refusal(sent.payout)
    if (error !== undefined) {
      const { key, attempt } = sent
      return [{ key, result: resultOf({ ...SENT, attempt, outcome: 'REJECTED', error }) }]
    }
    if ((this.pending.get(nonce)?.attempt ?? 0) < sent.attempt) this.pending.set(nonce, sent)
    return this.mine()
  }

  /** Whatever the nonce was for before, it is not any more; but what a block has, it has. */
  private sendFiller(nonce: number, sent: Transaction): Answer[] {
    const there = this.mined[nonce]
    if (!there) this.pending.set(nonce, sent)
    return there ? [minedAnswer({ ...there, key: sent.key, attempt: sent.attempt, outcome: 'FILLED' })] : this.mine()
  }

  /** The newest blocks are replaced. The pool may have some of what was in them, and gives that to the new ones. */
  private goBack(): void {
    const floor = Math.max(0, this.highest - DEPTH_MAX)
    const lost = this.mined.splice(floor + this.back.below(this.mined.length - floor + 1))
    if (lost.length === 0) return
    this.reorgs++
    this.pay.loseFrom(this.mined.length)
    for (const one of lost) {
      if (one.outcome === 'FOREIGN' || this.back.chance(0.6)) return
      const again = { ...one, where: placeOf(this.mined.length, this.reorgs) }
      this.mined.push(one.outcome === 'MINED' && one.payout ? this.executed(again, one.payout) : again)
    }
  }

  private executed(one: Mined, payout: PayoutIntent): Mined {
    const told = this.pay.make(payout, this.mined.length)
    return { ...one, outcome: 'error' in told ? 'REVERTED' : 'MINED', told }
  }

  /** What every final transaction is answered with that is not on the chain any more, or so deep that it stays. */
  private lookAtFinal(): Answer[] {
    const final = [...this.latest.values()].filter(({ intent: { step } }) => step === 'WATCH' || step === 'KEEP')
    const answers: Answer[] = []
    for (const known of final.sort((a, b) => a.intent.nonce - b.intent.nonce)) {
      const { key, intent } = known
      const { step, attempt, blockHash } = intent
      const at = this.mined.findIndex(({ where }) => where.blockHash === blockHash)
      const again = this.mined.some((one) => one.outcome === 'MINED' && isSame(one.key, key))
      const cannot = again || isNonceOnly(key) || this.back.chance(0.7) ? '' : 'the window is over'
      const ended = cannot === '' && !again && !isNonceOnly(key) && this.hasRivalEnded(key) ? ENDED : cannot
      const error = isPayout(key) ? (!again && at < 0 && this.refusalOf(known)) || '' : ended
      // The ending of another sequencer is in no block of ours, and none of them is taken out.
      if (at < 0 && isEnding(key) && blockHash === '') continue
      if (at < 0) answers.push({ key, result: resultOf({ step, attempt, outcome: 'REORGED', error }) })
      else if (step === 'KEEP' && at < this.highest - DEPTH_MAX)
        answers.push({ key, result: resultOf({ step, attempt, outcome: 'SETTLED' }) })
      else continue
      this.latest.set(contentOf(key), { ...known, intent: { ...intent, step: 'DONE' } })
    }
    return answers
  }

  /** Nobody has the next nonce, and later ones wait for it. */
  private gap(): Answer[] {
    const nonce = this.mined.length
    const held = [...this.latest.values()]
      .filter(({ intent }) => intent.step !== 'DONE')
      .map(({ intent }) => intent.nonce)
    if (held.includes(nonce) || !held.some((one) => one > nonce)) return []
    const result = resultOf({ ...QUOTE, step: 'DONE', attempt: 0, outcome: 'UNFILLED', signer: SIGNER, nonce })
    return [{ key: nonceKey(SIGNER, nonce), result }]
  }

  /** Everything that is next in the order of nonces. */
  private mine(): Answer[] {
    const answers: Answer[] = []
    for (;;) {
      const nonce = this.mined.length
      const next = this.pending.get(nonce)
      // What gave its nonce up is not mined any more: that a pool has it before the filler is not simulated (decision 0029).
      if (!next || this.latest.get(contentOf(next.key))?.intent.nonce !== nonce) return answers
      const { key, attempt } = next
      const drawn = this.draw(key, attempt, { STUCK: 0.1, REVERTED: 0.12, REORGED: 0.12 })
      if (drawn === 'STUCK') {
        const error = (next.payout && this.pay.refusalOfStuck(next.payout)) ?? ''
        return [...answers, { key, result: resultOf({ ...QUOTE, ...SENT, attempt, outcome: drawn, error }) }]
      }
      const isFiller = next.raw.includes('filler')
      const isRefused = drawn === 'REVERTED' || (!isPayout(key) && this.hasRivalEnded(key))
      const outcome = isFiller ? 'FILLED' : isRefused ? 'REVERTED' : 'MINED'
      const taken: Mined = { ...next, outcome, where: placeOf(nonce, this.reorgs) }
      const payout = outcome === 'MINED' && drawn === undefined ? next.payout : undefined
      const mined = payout ? this.executed(taken, payout) : taken
      this.pending.delete(nonce)
      if (drawn === 'REORGED' && !isFiller) {
        const reorged = resultOf({ ...SENT, attempt, outcome: 'REORGED' })
        return [...answers, minedAnswer(mined), { key, result: reorged }]
      }
      this.add(mined)
      answers.push(...withFinal(minedAnswer(mined)))
    }
  }

  private add(mined: Mined): void {
    if (mined.outcome === 'MINED') {
      const done = this.mined.filter(({ outcome }) => outcome === 'MINED').map(({ key }) => key)
      if (done.some((key) => isSame(key, mined.key))) throw new Error(`${contentOf(mined.key)} was anchored twice`)
      if (!isPayout(mined.key) && done.some((key) => isSame(key, { ...mined.key, batchIndex: END_OF_BATCHES })))
        throw new Error(`${contentOf(mined.key)} came after the end of its epoch`)
    }
    this.mined.push(mined)
    this.highest = Math.max(this.highest, this.mined.length)
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
const placeOf = (nonce: number, branch: number) => ({
  transactionHash: `0x${nonce}`,
  blockNumber: 100 + nonce,
  blockHash: hash(`anchor block ${100 + nonce} of branch ${branch}`),
})

const minedAnswer = ({ key, attempt, outcome, where, told }: Mined): Answer => ({
  key,
  result: resultOf({ ...SENT, ...where, ...told, attempt, outcome: outcome === 'FOREIGN' ? 'NONCE_TAKEN' : outcome }),
})

/** Of a call of updateRewards; a filler in its place is none. */
const payoutIn = ({ key, intent, given }: Known): PayoutIntent | undefined =>
  given.payout && intent.call === 'REWARD' ? { key, intent, given: given.payout } : undefined
const withFinal = (mined: Answer): Answer[] =>
  mined.result.outcome === 'MINED' ? [mined, { ...mined, result: { ...mined.result, outcome: 'FINAL' } }] : [mined]

const QUOTE = { gasLimit: 500_000, maxFeePerGas: '2000', maxPriorityFeePerGas: '100' }
const SENT = { step: 'SEND' } as const
