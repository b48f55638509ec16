/** Carries out intents: for each key the one in force, and no other. */

import { isPayout } from '../../../schemas/anchor-keys.ts'
import type { AnchorIntent, AnchorKey, AnchorResult } from '../../../schemas/types.ts'
import { type BackOff, doubling, repeated } from '../../../streams/back-off.ts'
import { LogError } from '../../../streams/ports.ts'
import { createLimiter } from '../../limiter.ts'
import { agreedPrepare, agreedRefusal } from '../agreed-readings.ts'
import { EvmError } from '../errors.ts'
import type { Rpc } from '../nodes/rpc.ts'
import type { Answers } from './anchor-answers.ts'
import { BatchGone, type BatchReader } from './anchor-batches.ts'
import { createCalls } from './anchor-calls.ts'
import { dryRun } from './anchor-chain.ts'
import { gasOfAll } from './anchor-gas.ts'
import { type IntentChange, textOf } from './anchor-intents.ts'
import { createSendMemories, formOf } from './anchor-memory.ts'
import type { AnchorPorts, AnchorSettings } from './anchor-options.ts'
import type { PayoutReader } from './anchor-payouts.ts'
import { gasMaxOf, prepare } from './anchor-prepare.ts'
import { createProgressWatch } from './anchor-progress.ts'
import { NotForLong, NotYet, resultOf } from './anchor-result.ts'
import { sendAndFollow } from './anchor-send.ts'
import type { Signer } from './anchor-signer.ts'
import { readTold, storeStep } from './anchor-store.ts'
import { createAttestationWatch } from './anchor-watch.ts'
import type { HeadWatch } from './head-watch.ts'
import { createNonceWatch } from './nonce-watch.ts'
import { createPayoutSteps } from './payout-steps.ts'

export interface EffectsPorts extends AnchorPorts {
  readonly rpc: Rpc
  readonly heads: HeadWatch
  readonly answers: Answers
  /** The first is for what is planned now, the others for what was begun under them. */
  readonly signers: readonly Signer[]
  readonly batches: BatchReader
  readonly payouts: PayoutReader
  readonly signal: AbortSignal
  /** Something that must not happen, or the role is lost: everything of this session ends. */
  readonly fail: (error: unknown) => void
}

export interface Effects {
  /** Ends what is under way for the key and begins the new intent. */
  take(change: IntentChange): void
  /** Resolves when nothing is under way; after the signal. */
  ended(): Promise<void>
}

export function createEffects(settings: AnchorSettings, ports: EffectsPorts): Effects {
  const { clock, rpc, heads, answers, signal } = ports
  const { observer } = settings
  const current = new Map<string, AbortController>()
  const pending = new Set<string>()
  const underWay = new Set<Promise<void>>()
  const memories = createSendMemories()
  const progress = createProgressWatch(clock)
  const calling = createLimiter(settings.stepsAtOnce)

  const answer = async (key: AnchorKey, result: AnchorResult): Promise<void> => {
    await answers.write(key, result)
    progress.concluded(key, result)
    observer?.concluded?.(key, result)
  }

  const outageMs = doubling({ firstMs: settings.backoffMs, mostMs: settings.backoffMsMax })
  const pauseMs: BackOff = (failures, error) =>
    error instanceof NotYet && !(error instanceof NotForLong) ? settings.pollMs : outageMs(failures)
  /** Tries until it does not fail for an outage, or for what is not definite yet. */
  const persist = <T>(step: string, until: AbortSignal, action: () => Promise<T>): Promise<T> => {
    const failed = (error: unknown, ms: number): void => observer?.waiting?.(step, error as Error, ms)
    return repeated({ clock, signal: until, pauseMs, mayPass, failed }, async () => {
      until.throwIfAborted()
      return await action()
    })
  }

  const { contractCall, originalCall } = createCalls(settings, ports.batches, ports.payouts)
  const payoutSteps = createPayoutSteps(settings, ports)

  const watch = createAttestationWatch(settings, {
    ...ports,
    answer,
    persist: (action) => persist('WATCH', signal, action),
  })

  const nonces = createNonceWatch(settings, {
    ...{ rpc, clock, heads, signal, answer, idle: progress.idle },
    persist: (action) => persist('KEEP', signal, action),
    callOf: (key, intent) => originalCall(key, intent, signal),
  })

  const store = (key: AnchorKey, intent: AnchorIntent, until: AbortSignal): Promise<AnchorResult> => {
    const whole = async (): Promise<Uint8Array> => (await ports.batches.whole(intent.batchOffset, signal)).json
    return storeStep(key, intent, settings, { ...ports, read: readTold(whole, settings) }, until)
  }

  const prepareCall = async (key: AnchorKey, intent: AnchorIntent, until: AbortSignal): Promise<AnchorResult> => {
    const signer = ports.signers[0]!.address
    if (isPayout(key)) return payoutSteps.prepare(key, intent, signer, until)
    const call = await contractCall(key, intent, until)
    const input = { key, intent, call, signer }
    const result = await agreedPrepare(rpc, (ask) => prepare(ask, input, settings))
    return gasOfAll(rpc, result, input, heads.head ? gasMaxOf(heads.head, settings) : result.gasLimit, settings)
  }

  const sign = async (key: AnchorKey, intent: AnchorIntent, until: AbortSignal): Promise<AnchorResult> => {
    const signer = ports.signers.find(({ address }) => address === intent.signer)
    if (!signer) throw new NotYet(`nonce ${intent.nonce} belongs to ${intent.signer}, whose key is not here`)
    const call = intent.call === 'FILL' ? { to: signer.address, data: '0x' } : await contractCall(key, intent, until)
    if (intent.call === 'REWARD') {
      const refusal = await agreedRefusal(rpc, (ask) => dryRun(ask, signer.address, call, 'latest')) // it may have waited
      if (refusal !== undefined) return resultOf(intent, 'FAILED', { error: refusal })
    }
    const { raw, hash } = await signer.sign(intent, call, await formOf(memories.of(key), heads.head, rpc, settings))
    observer?.signed?.(intent.nonce, BigInt(intent.maxFeePerGas), intent.gasLimit)
    return resultOf(intent, 'SIGNED', { nonce: intent.nonce, rawTransaction: raw, transactionHash: hash })
  }

  const send = async (key: AnchorKey, intent: AnchorIntent, until: AbortSignal): Promise<void> => {
    // Older forms than the filler may still be mined.
    const original = await persist('SEND', until, () => originalCall(key, intent, until))
    const call = original ?? { to: settings.protocolStateOf(key.dataMarket).toLowerCase(), data: '0x' }
    const report = (isPending: boolean): void => {
      const before = pending.size
      if (isPending) pending.add(textOf(key))
      else pending.delete(textOf(key))
      if (pending.size !== before) observer?.pending?.(pending.size)
    }
    try {
      await sendAndFollow(key, intent, call, settings, {
        rpc,
        clock,
        heads,
        persist: (action) => persist('SEND', until, action),
        answer: (result) => answer(key, result),
        pending: report,
        memory: memories.of(key),
        signal: until,
        ...(isPayout(key) && { outcomeOf: (receipt) => payoutSteps.outcome(key, intent, receipt, until) }),
      })
    } finally {
      report(false)
    }
  }

  /** A step with one answer. Only what can never be had is FAILED. */
  const once = async (key: AnchorKey, intent: AnchorIntent, until: AbortSignal): Promise<void> => {
    const actions = {
      STORE: () => store(key, intent, until),
      PREPARE: () => prepareCall(key, intent, until),
      SIGN: () => sign(key, intent, until),
    }
    const action = actions[intent.step as keyof typeof actions]
    const run = intent.step === 'STORE' ? action : () => calling(action) // stores have limits of their own
    const result = await persist(intent.step, until, run).catch((error: unknown) => {
      if (until.aborted || !isDefinite(error)) throw error
      return resultOf(intent, 'FAILED', { error: (error as Error).message })
    })
    if (!until.aborted) await answer(key, result)
  }

  const run = async ({ key, intent }: IntentChange, until: AbortSignal): Promise<void> => {
    if (intent.delayMs > 0) await clock.sleep(intent.delayMs, until)
    if (until.aborted) return
    if (intent.step === 'SEND') await send(key, intent, until)
    else await once(key, intent, until)
  }

  const begin = (change: IntentChange): void => {
    const text = textOf(change.key)
    const abort = new AbortController()
    const stop = (): void => abort.abort()
    current.set(text, abort)
    signal.addEventListener('abort', stop, { once: true })
    const task = run(change, abort.signal)
      .catch((error: unknown) => {
        if (!abort.signal.aborted) ports.fail(error)
      })
      .finally(() => {
        signal.removeEventListener('abort', stop)
        if (current.get(text) === abort) current.delete(text)
        underWay.delete(task)
      })
    underWay.add(task)
  }

  const watching = Promise.all([watch.follow(), nonces.follow()]).catch(ports.fail)

  return {
    take(change) {
      const { key, intent } = change
      current.get(textOf(key))?.abort()
      if (intent.step !== 'SIGN' && intent.step !== 'SEND') memories.forget(key)
      watch.remove(key)
      nonces.take(change)
      progress.take(change)
      if (intent.step === 'WATCH') watch.add(key, intent)
      else if (intent.step !== 'DONE' && intent.step !== 'KEEP') begin(change)
    },
    async ended() {
      await watching
      await Promise.all(underWay)
    },
  }
}

/** An outage, or an answer that is not definite yet. All failures of a node may pass (the others are found at the start). */
function mayPass(error: unknown): boolean {
  if (error instanceof NotYet) return true
  if (error instanceof EvmError) return error.code !== 'FENCED' && error.code !== 'SIGNER_KEY'
  if (error instanceof LogError) return error.retriable
  return (error as { retriable?: unknown }).retriable === true
}

const isDefinite = (error: unknown): boolean =>
  error instanceof BatchGone ||
  (!(error instanceof LogError) &&
    !(error instanceof EvmError) &&
    (error as { retriable?: unknown }).retriable === false)
