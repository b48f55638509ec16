/** The steps of batches, endings and payouts that have one answer: STORE, PREPARE, SIGN. */
import { isPayout } from '../../../schemas/anchor-keys.ts'
import type { AnchorIntent, AnchorKey, AnchorResult, AnchorStep } from '../../../schemas/types.ts'
import { createLimiter } from '../../limiter.ts'
import { agreedPrepare, agreedRefusal } from '../agreed-readings.ts'
import type { Calls } from './anchor-calls.ts'
import { dryRun } from './anchor-chain.ts'
import { gasOfAll } from './anchor-gas.ts'
import { needSignable } from './anchor-limits.ts'
import { formOf, type SendMemories } from './anchor-memory.ts'
import type { AnchorSettings } from './anchor-options.ts'
import { isDefinite, type Persist } from './anchor-persist.ts'
import { gasMaxOf, prepare } from './anchor-prepare.ts'
import { NotYet, resultOf } from './anchor-result.ts'
import { readTold, storeStep } from './anchor-store.ts'
import type { EffectsPorts } from './effects-ports.ts'
import type { PayoutSteps } from './payout-steps.ts'

export interface StepPorts extends EffectsPorts {
  readonly calls: Calls
  readonly payoutSteps: PayoutSteps
  readonly memories: SendMemories
  readonly persist: Persist
}

type Step = (key: AnchorKey, intent: AnchorIntent, until: AbortSignal) => Promise<AnchorResult>

/** A step with one answer. Only what can never be had is FAILED. */
export function createSteps(settings: AnchorSettings, ports: StepPorts): Step {
  const calling = createLimiter(settings.stepsAtOnce)
  const steps: { readonly [S in AnchorStep]?: Step } = {
    STORE: storing(settings, ports), // stores have limits of their own
    PREPARE: (...of) => calling(() => preparing(settings, ports)(...of)),
    SIGN: (...of) => calling(() => signing(settings, ports)(...of)),
  }
  return (key, intent, until) =>
    ports
      .persist(intent.step, until, () => steps[intent.step]!(key, intent, until))
      .catch((error: unknown) => {
        if (until.aborted || !isDefinite(error)) throw error
        return resultOf(intent, 'FAILED', { error: (error as Error).message })
      })
}

const storing =
  (settings: AnchorSettings, ports: StepPorts): Step =>
  (key, intent, until) => {
    const whole = async (): Promise<Uint8Array> => (await ports.batches.whole(intent.batchOffset, ports.signal)).json
    return storeStep(key, intent, settings, { ...ports, read: readTold(whole, settings) }, until)
  }

const preparing =
  (settings: AnchorSettings, { rpc, heads, signers, calls, payoutSteps }: StepPorts): Step =>
  async (key, intent, until) => {
    const signer = signers[0]!.address
    if (isPayout(key)) return payoutSteps.prepare(key, intent, signer, until)
    const call = await calls.contractCall(key, intent, until)
    const input = { key, intent, call, signer }
    const result = await agreedPrepare(rpc, (ask) => prepare(ask, input, settings))
    return gasOfAll(rpc, result, input, heads.head ? gasMaxOf(heads.head, settings) : result.gasLimit, settings)
  }

const signing =
  (settings: AnchorSettings, { rpc, heads, signers, calls, memories }: StepPorts): Step =>
  async (key, intent, until) => {
    const signer = signers.find(({ address }) => address === intent.signer)
    if (!signer) throw new NotYet(`nonce ${intent.nonce} belongs to ${intent.signer}, whose key is not here`)
    const call =
      intent.call === 'FILL' ? { to: signer.address, data: '0x' } : await calls.contractCall(key, intent, until)
    if (intent.call === 'REWARD') {
      const refusal = await agreedRefusal(rpc, (ask) => dryRun(ask, signer.address, call, 'latest')) // it may have waited
      if (refusal !== undefined) return resultOf(intent, 'FAILED', { error: refusal })
    }
    await needSignable(intent, settings, { rpc, head: heads.head })
    const { raw, hash } = await signer.sign(intent, call, await formOf(memories.of(key), heads.head, rpc, settings))
    settings.observer?.signed?.(intent.nonce, BigInt(intent.maxFeePerGas), intent.gasLimit)
    return resultOf(intent, 'SIGNED', { nonce: intent.nonce, rawTransaction: raw, transactionHash: hash })
  }
