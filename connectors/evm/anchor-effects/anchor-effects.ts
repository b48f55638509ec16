/** Carries out intents: for each key the one in force, and no other. */

import { isPayout } from '../../../schemas/anchor-keys.ts'
import type { AnchorIntent, AnchorKey, AnchorResult } from '../../../schemas/types.ts'
import type { Clock } from '../../../streams/ports.ts'
import { wordsOf } from '../errors.ts'
import { createCalls } from './anchor-calls.ts'
import { type PlacedIntent, textOf } from './anchor-intents.ts'
import { needSendable, OutsideLimits } from './anchor-limits.ts'
import { createSendMemories } from './anchor-memory.ts'
import type { AnchorObserver, AnchorSettings } from './anchor-options.ts'
import { createPersist, endsSession } from './anchor-persist.ts'
import { createProgressWatch } from './anchor-progress.ts'
import { resultOf } from './anchor-result.ts'
import { sendAndFollow } from './anchor-send.ts'
import { whyUnsound } from './anchor-sound.ts'
import { createSteps, type StepPorts } from './anchor-steps.ts'
import { createTasks } from './anchor-tasks.ts'
import { createAttestationWatch } from './anchor-watch.ts'
import type { EffectsPorts } from './effects-ports.ts'
import { createNonceWatch } from './nonce-watch.ts'
import { createPayoutSteps } from './payout-steps.ts'

export interface Effects {
  /** Ends what is under way for the key and begins the new intent. */
  take(change: PlacedIntent): void
  /** Resolves when nothing is under way; after the signal. */
  ended(): Promise<void>
}

export function createEffects(settings: AnchorSettings, ports: EffectsPorts): Effects {
  const { clock, rpc, heads, answers, signal } = ports
  const { observer } = settings
  const memories = createSendMemories()
  const progress = createProgressWatch(clock)
  const persist = createPersist(settings, clock)
  const calls = createCalls(settings, ports.batches, ports.payouts)

  const answer = async (key: AnchorKey, result: AnchorResult): Promise<void> => {
    await answers.write(key, result)
    progress.concluded(key, result)
    observer?.concluded?.(key, result)
  }

  const watch = createAttestationWatch(settings, {
    ...ports,
    answer,
    persist: (action) => persist('WATCH', signal, action),
  })

  const nonces = createNonceWatch(settings, {
    ...{ rpc, clock, heads, signal, answer, idle: progress.idle },
    persist: (action) => persist('KEEP', signal, action),
    callOf: (key, intent) => calls.originalCall(key, intent, signal),
  })

  const stepPorts = { ...ports, calls, memories, persist, payoutSteps: createPayoutSteps(settings, ports) }
  const once = createSteps(settings, stepPorts)
  const send = createSending(settings, { ...stepPorts, answer })
  const carryOut = createCarrying(clock, observer, { once, send, answer })
  const tasks = createTasks(carryOut, signal, ports.fail)
  const watching = Promise.all([watch.follow(), nonces.follow()]).catch(ports.fail)

  return {
    take(change) {
      const { key, intent } = change
      tasks.end(key)
      if (intent.step !== 'SIGN' && intent.step !== 'SEND') memories.forget(key)
      watch.remove(key)
      if (whyUnsound(key, intent) !== undefined) {
        nonces.take({ key, intent: { ...intent, step: 'DONE' } })
        tasks.begin(change)
        return
      }
      nonces.take(change)
      progress.take(change)
      if (intent.step === 'WATCH') watch.add(key, intent)
      else if (intent.step !== 'DONE' && intent.step !== 'KEEP') tasks.begin(change)
    },
    async ended() {
      await watching
      await tasks.ended()
    },
  }
}

interface CarryingPorts {
  readonly once: ReturnType<typeof createSteps>
  readonly send: ReturnType<typeof createSending>
  readonly answer: (key: AnchorKey, result: AnchorResult) => Promise<void>
}

/** Carries out an intent. Whatever fails of it for no outage is its answer. */
function createCarrying(clock: Clock, observer: AnchorObserver | undefined, { once, send, answer }: CarryingPorts) {
  const refuse = async ({ key, intent, offset }: PlacedIntent, why: string): Promise<void> => {
    observer?.intentRefused?.(key, { offset, step: intent.step, why })
    // what failed before it was stored is not to be tried again at once
    await answer(key, resultOf(intent, intent.step === 'STORE' ? 'REJECTED' : 'FAILED', { error: why }))
  }
  return async (change: PlacedIntent, until: AbortSignal): Promise<void> => {
    const { key, intent } = change
    const unsound = whyUnsound(key, intent)
    if (unsound !== undefined) return refuse(change, unsound)
    if (intent.delayMs > 0) await clock.sleep(intent.delayMs, until)
    if (until.aborted) return
    try {
      if (intent.step === 'SEND') return await send(key, intent, until)
      const result = await once(key, intent, until)
      if (!until.aborted) await answer(key, result)
    } catch (error) {
      if (until.aborted || endsSession(error)) throw error
      await refuse(change, error instanceof OutsideLimits ? error.message : wordsOf(error))
    }
  }
}

interface SendingPorts extends StepPorts {
  readonly answer: (key: AnchorKey, result: AnchorResult) => Promise<void>
}

/** The step SEND: it may have several answers, until what became of its nonce is definite. */
function createSending(settings: AnchorSettings, ports: SendingPorts) {
  const { rpc, clock, heads, persist, answer, memories, calls, payoutSteps } = ports
  const signers = ports.signers.map(({ address }) => address)
  const pending = new Set<string>()
  const report = (key: AnchorKey, isPending: boolean): void => {
    const before = pending.size
    if (isPending) pending.add(textOf(key))
    else pending.delete(textOf(key))
    if (pending.size !== before) settings.observer?.pending?.(pending.size)
  }
  return async (key: AnchorKey, intent: AnchorIntent, until: AbortSignal): Promise<void> => {
    // Older forms than the filler may still be mined.
    const original = await persist('SEND', until, () => calls.originalCall(key, intent, until))
    const call = original ?? { to: settings.protocolStateOf(key.dataMarket).toLowerCase(), data: '0x' }
    const checked = { intent, call: { to: call.to, data: original?.data }, signers }
    try {
      await sendAndFollow(key, intent, call, settings, {
        rpc,
        clock,
        heads,
        persist: (action) => persist('SEND', until, action),
        answer: (result) => answer(key, result),
        needSendable: () => needSendable(checked, settings),
        pending: (isPending) => report(key, isPending),
        memory: memories.of(key),
        signal: until,
        ...(isPayout(key) && { outcomeOf: (receipt) => payoutSteps.outcome(key, intent, receipt, until) }),
      })
    } finally {
      report(key, false)
    }
  }
}
