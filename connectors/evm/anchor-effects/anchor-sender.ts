/** Sends a transaction while its nonce is free, and finds out when that leads nowhere. */

import type { AnchorIntent, AnchorKey, AnchorResult } from '../../../schemas/types.ts'
import type { Clock } from '../../../streams/ports.ts'
import { agreedBlockGas, agreedPrice, agreedRefusal } from '../agreed-readings.ts'
import type { Rpc } from '../nodes/rpc.ts'
import { type ContractCall, dryRun, type Head, type Receipt } from './anchor-chain.ts'
import type { View } from './anchor-look.ts'
import type { SendMemory } from './anchor-memory.ts'
import type { AnchorSettings } from './anchor-options.ts'
import { type Price, priceHere } from './anchor-price.ts'
import {
  broadcast,
  cannotPay,
  examine,
  isHeld,
  pauseAfter,
  type Refusal,
  type RefusalReason,
  type Refused,
} from './anchor-refusal.ts'
import { resultOf } from './anchor-result.ts'
import type { HeadWatch } from './head-watch.ts'

/** Times that a transaction is stuck, each time with a higher fee, with every node refusing it; then a filler takes its place. */
const REFUSED_ROUNDS_MAX = 3

/** Claims of a node that can be checked elsewhere: that it has the transaction, or that the nonce is used. */
const CLAIMS: readonly RefusalReason[] = ['known', 'nonce']
/** After so many in a row, with nothing of it to be seen, such words are taken for what they are. */
const DOUBTED_REFUSALS = 3
/** Blocks that pass by a transaction which is next before the nodes are asked whether they still have it; twice as many each time that none has. */
const MISSED_BLOCKS = 2

export interface SendPorts {
  readonly rpc: Pick<Rpc, 'read' | 'each' | 'agree' | 'agreeing'>
  readonly clock: Clock
  readonly heads: HeadWatch
  /** Runs an action until it does not fail for an outage. */
  readonly persist: <T>(action: () => Promise<T>) => Promise<T>
  readonly answer: (result: AnchorResult) => Promise<void>
  /** Throws OutsideLimits when the newest form is not to be sent. */
  readonly needSendable: () => void
  /** Told whether the transaction is in no block. */
  readonly pending: (pending: boolean) => void
  readonly memory: SendMemory
  /** The further facts that are told about a final call. */
  readonly outcomeOf?: (receipt: Receipt) => Promise<Partial<AnchorResult>>
  readonly signal: AbortSignal
}

interface Sent {
  readonly key: AnchorKey
  readonly intent: AnchorIntent
  /** The call of the transaction before a filler took its place. */
  readonly call: ContractCall
}

/** Sends a transaction, for one attempt. */
export class Sender {
  private readonly sent: Sent
  private readonly settings: AnchorSettings
  private readonly ports: SendPorts
  /** When and at which block it began to be in none. */
  private started = 0
  private firstBlock: number | undefined
  /** When it began to be the next of the signer; undefined while it is not. */
  private nextSince: number | undefined
  private broadcastAt = Number.NEGATIVE_INFINITY
  /** The block since which none has it, and how many may pass it by. */
  private missedSince = 0
  private missedMax = MISSED_BLOCKS
  /** In a row. */
  private refusals = 0
  /** A node took it at some time of this attempt. */
  private taken = false
  private behindGap = false
  /** The newest refusal, until it is considered. */
  private refused: Refused | undefined
  /** The newest that was considered; undefined once a node took it. */
  private refusal: Refusal | undefined

  constructor(sent: Sent, settings: AnchorSettings, ports: SendPorts) {
    this.sent = sent
    this.settings = settings
    this.ports = ports
  }

  /**
   * Until the next look at the latest, ms: for the next broadcast, or to tell that it is in no block. Times in the past are not
   * waited for.
   */
  get waitMs(): number {
    const { rebroadcastMs, stuckMs } = this.settings
    const now = this.ports.clock.now()
    const due = [this.broadcastAt - now, (this.nextSince ?? now) + stuckMs - now].filter((ms) => ms > 0)
    return Math.min(rebroadcastMs, stuckMs, ...due)
  }

  /** A block has it: should that be lost, it waits anew. */
  isMined(): void {
    this.firstBlock = undefined
    this.nextSince = undefined
  }

  /** Sends when it is time. Gives an answer, or LOOK after a refusal: what that means is judged by another look. */
  async turn(view: View): Promise<AnchorResult | 'LOOK' | undefined> {
    const { head, nonceNow } = view
    const { clock } = this.ports
    const { stuckBlocks, stuckMs } = this.settings
    if (this.firstBlock === undefined) {
      this.firstBlock = head.number
      this.started = clock.now()
    }
    const isNext = nonceNow === this.sent.intent.nonce
    this.nextSince = isNext ? (this.nextSince ?? clock.now()) : undefined
    const itsTurnCame = this.behindGap && isNext && this.refusals > 0
    this.behindGap = !isNext
    if (this.refused !== undefined) {
      const given = await this.consider(view, this.refused)
      if (given) return given
    } else if (clock.now() >= this.broadcastAt || itsTurnCame || (await this.isDropped(view))) {
      const refusal = await this.refusalBeforeFirst()
      if (refusal !== undefined) return resultOf(this.sent.intent, 'REJECTED', { error: refusal })
      await this.send(head)
      if (this.refused !== undefined) return 'LOOK'
    }
    if (this.nextSince !== undefined && clock.now() - this.nextSince >= stuckMs)
      await this.tellUnmined(view, () => isHeld(this.ports.rpc, this.sent.intent))
    // A transaction behind a nonce gap is never mined at any fee; only the next nonce can be stuck.
    const long = head.number - this.firstBlock >= stuckBlocks && clock.now() - this.started >= stuckMs
    return long && isNext ? this.conclude() : undefined
  }

  /** A node said that it took it, blocks passed it by, and no node has it: the word was worth nothing, and those behind wait. */
  private async isDropped(view: View): Promise<boolean> {
    const { head } = view
    if (!this.taken || this.nextSince === undefined || head.number - this.missedSince < this.missedMax) return false
    this.missedSince = head.number
    if (await isHeld(this.ports.rpc, this.sent.intent)) return false
    this.missedMax *= 2
    await this.tellUnmined(view, async () => false)
    return (await this.refusalNow()) === undefined // else it is left until it is STUCK, and a filler costs less
  }

  /** Says what is seen of it, once, since nothing that is seen says why. The words of the nodes were told when they refused it. */
  private async tellUnmined(
    { head, nonceNow: nextNonce, lost }: View,
    isInPool: () => Promise<boolean>,
  ): Promise<void> {
    const { key, intent } = this.sent
    const { nonce } = intent
    const { clock, memory } = this.ports
    if (memory.unminedTold === nonce || (this.refusal && !CLAIMS.includes(this.refusal.reason))) return
    memory.unminedTold = nonce
    const ms = clock.now() - this.nextSince!
    const seen = {
      block: head.number,
      nextNonce,
      inPool: await isInPool(),
      taken: this.taken,
      lostBlock: lost?.blockNumber,
    }
    this.settings.observer?.transactionUnmined?.(key, { nonce, ms, ...seen })
  }

  /** A call that pays is not sent unchecked: since it was signed an outage may have passed, or somebody else has paid. */
  private async refusalBeforeFirst(): Promise<string | undefined> {
    if (this.broadcastAt !== Number.NEGATIVE_INFINITY) return undefined
    this.ports.needSendable()
    return this.sent.intent.call === 'REWARD' ? this.refusalNow() : undefined
  }

  /** The code with which the contract refuses the call in the newest block; a filler calls nothing. */
  private async refusalNow(): Promise<string | undefined> {
    const { intent, call } = this.sent
    const { rpc, persist } = this.ports
    if (intent.call === 'FILL') return undefined
    return await persist(() => agreedRefusal(rpc, (ask) => dryRun(ask, intent.signer, call, 'latest')))
  }

  private async send(head: Head): Promise<void> {
    this.refused = await broadcast(this.ports.rpc, this.sent.intent.rawTransactions.at(-1)!)
    this.broadcastAt = this.ports.clock.now() + this.settings.rebroadcastMs
    this.missedSince = head.number
    if (this.refused !== undefined) return
    if (!this.taken) {
      this.started = this.ports.clock.now() // a transaction that was refused before did not wait in any pool
      this.firstBlock = head.number
    }
    this.taken = true
    if (this.refusals > 0) this.nextSince = this.ports.clock.now()
    this.refusals = 0
    this.refusal = undefined
  }

  /** After a refusal, and a look that found the nonce free. */
  private async consider(view: View, refused: Refused): Promise<AnchorResult | undefined> {
    const { key, intent, call } = this.sent
    const { observer } = this.settings
    const before = this.refusal?.reason
    const refusal = await examine(this.ports.rpc, intent, call, view.head, refused)
    this.refused = undefined
    this.refusals++
    const isClaim =
      CLAIMS.includes(refusal.reason) && view.nonceNow === intent.nonce && this.refusals >= DOUBTED_REFUSALS
    const reason = isClaim && !(await isHeld(this.ports.rpc, intent)) ? 'other' : refusal.reason
    const { facts, words } = refusal
    this.refusal = { ...refusal, reason }
    const retryInMs = pauseAfter(this.refusals, this.settings)
    this.broadcastAt = this.ports.clock.now() + retryInMs
    observer?.transactionRefused?.(key, { reason, words, nonce: intent.nonce, retryInMs, isNew: reason !== before })
    if (cannotPay(facts)) observer?.lowBalance?.(facts.balance!, facts.cost)
    return this.consequenceOf(this.refusal, view.head)
  }

  /** The result that the facts decide at once. Words do so only where it costs nothing but the form of what is signed next. */
  private async consequenceOf({ reason, facts }: Refusal, head: Head): Promise<AnchorResult | undefined> {
    const { intent } = this.sent
    const { memory } = this.ports
    if (facts.revert !== undefined) return resultOf(intent, 'REJECTED', { error: facts.revert })
    if (intent.gasLimit > head.gasLimit && intent.call !== 'FILL') {
      const gasMax = await agreedBlockGas(this.ports.rpc).catch(() => intent.gasLimit)
      const error = `it was signed for ${intent.gasLimit} gas, and a block has ${gasMax} by now`
      if (intent.gasLimit > gasMax) return resultOf(intent, 'REJECTED', { error })
    }
    if (reason !== 'type' || memory.legacy || this.settings.transactionType !== 'auto') return undefined
    memory.legacy = true
    return this.stuck(await this.price())
  }

  /** Called for a transaction that is not mined for long. A call that no node takes at any fee gives its place to a filler, which costs less and reverts for nobody. */
  private async conclude(): Promise<AnchorResult | undefined> {
    const { intent } = this.sent
    const { rpc, memory } = this.ports
    const price = await this.price()
    if (this.refusal && cannotPay(this.refusal.facts)) {
      // A price that has fallen may be paid, but what was signed at the old one is refused for ever.
      const isAffordable = BigInt(intent.gasLimit) * price.maxFee <= this.refusal.facts.balance!
      if (!isAffordable || this.taken || intent.call === 'FILL') return undefined
      return resultOf(intent, 'REJECTED', {
        error: 'it was signed for more than the signer has, and less is asked now',
      })
    }
    if (!this.taken && this.refusals > 0 && !(await isHeld(rpc, intent))) {
      if (this.refusal?.unanswered) {
        // It came through to no node: none has refused it, and no fee is too low for it.
        this.firstBlock = undefined
        return undefined
      }
      memory.refusedRounds++
      if (memory.refusedRounds >= REFUSED_ROUNDS_MAX && intent.call !== 'FILL') {
        memory.legacy = true // its form may be what they refuse: the filler has another
        return resultOf(intent, 'REJECTED', { error: `no node takes it: ${this.refusal?.words ?? ''}` })
      }
    }
    return this.stuck(price)
  }

  private price(): Promise<Price> {
    const { rpc, persist } = this.ports
    return persist(() => agreedPrice(rpc, (ask) => priceHere(ask, this.settings)))
  }

  /** With what the chain asks by now, and whether the call would still do anything. */
  private async stuck({ maxFee, tip }: Price): Promise<AnchorResult> {
    const error = await this.refusalNow()
    this.settings.observer?.feeBumped?.()
    return resultOf(this.sent.intent, 'STUCK', {
      maxFeePerGas: `${maxFee}`,
      maxPriorityFeePerGas: `${tip}`,
      error: error ?? '',
    })
  }
}
