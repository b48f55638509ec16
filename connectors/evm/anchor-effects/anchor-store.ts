/**
 * The step STORE: waits for the stores as long as the contract takes the batch. No answer of a store is final; the end of the
 * window is, and so is a batch that the log has lost.
 */

import type { AnchorIntent, AnchorKey, AnchorResult } from '../../../schemas/types.ts'
import { doubling } from '../../../streams/back-off.ts'
import { LogError } from '../../../streams/ports.ts'
import { agreedPrepare } from '../agreed-readings.ts'
import { EvmError } from '../errors.ts'
import type { Rpc } from '../nodes/rpc.ts'
import { BatchGone } from './anchor-batches.ts'
import { headerOf, readContract } from './anchor-chain.ts'
import { textOf } from './anchor-intents.ts'
import type { AnchorPorts, AnchorSettings, BatchKeeping } from './anchor-options.ts'
import { windowIsOver } from './anchor-prepare.ts'
import { NotYet, resultOf } from './anchor-result.ts'
import type { HeadWatch } from './head-watch.ts'

/** After so long it is told what the stores say; each time twice as long as before, since every telling is a record. */
const untilToldMs = doubling({ firstMs: 2_000, mostMs: 60_000 })

export interface StorePorts extends Pick<AnchorPorts, 'storage' | 'clock'> {
  readonly rpc: Rpc
  readonly heads: HeadWatch
  /** Signal of the session: a batch that enough stores hold is given to the others after the step. */
  readonly signal: AbortSignal
  readonly read: (intent: AnchorIntent) => Promise<Uint8Array>
}

/**
 * @returns STORED; LATE when the window is over before enough stores hold the batch; REJECTED when the log has lost it; or
 * FAILED with what the stores say so far, after which the stage has it tried on
 */
export async function storeStep(
  key: AnchorKey,
  intent: AnchorIntent,
  settings: AnchorSettings,
  ports: StorePorts,
  until: AbortSignal,
): Promise<AnchorResult> {
  const { clock, heads, signal } = ports
  const keeping = ports.storage.keep(textOf(key), () => ports.read(intent), signal)
  const stored = keeping.held.then(
    (cid) => resultOf(intent, 'STORED', { cid }),
    (error: unknown) => {
      if (!(error instanceof BatchGone)) throw error
      return resultOf(intent, 'REJECTED', { error: error.message })
    },
  )
  stored.catch(() => {}) // thrown where it is awaited
  const tellAt = clock.now() + untilToldMs(intent.attempt)
  const windowOver = createWindowLook(key, intent, settings, ports)
  for (let seen = heads.head; ; seen = heads.head) {
    const waited = new AbortController()
    const next = heads.changed(seen, Math.max(1, tellAt - clock.now()), AbortSignal.any([until, waited.signal]))
    const result = await Promise.race([stored, next.then(() => undefined)])
    waited.abort()
    if (result) return result
    until.throwIfAborted()
    const isDue = clock.now() >= tellAt
    if ((keeping.failing || isDue || intent.attempt > 1) && (await windowOver())) {
      keeping.drop()
      return resultOf(intent, 'LATE', { error: `the submission window was over: ${keeping.describe()}` })
    }
    // While nodes were asked enough stores may have taken it.
    if (isDue) return (await Promise.race([stored, undefined])) ?? told(keeping, intent, settings)
  }
}

function told(keeping: BatchKeeping, intent: AnchorIntent, { observer, backoffMs }: AnchorSettings): AnchorResult {
  const error = keeping.describe()
  observer?.waiting?.('STORE', new Error(error), backoffMs)
  return resultOf(intent, 'FAILED', { error })
}

/**
 * Whether the contract does not take the batch any more. Until the newest head lies behind the window as it was read once
 * nobody is asked; nodes that do not answer leave it open.
 */
function createWindowLook(key: AnchorKey, intent: AnchorIntent, settings: AnchorSettings, ports: StorePorts) {
  const { rpc, heads } = ports
  const { protocolStateOf, contractBlock, observer, backoffMs } = settings
  const to = protocolStateOf(key.dataMarket).toLowerCase()
  let last: number | undefined
  const lastBlock = (): Promise<number> =>
    rpc.read(async (ask) => {
      const [, release] = await readContract(ask, to, 'epochInfo', [key.dataMarket, key.epochId], 'latest')
      const [window] = await readContract(ask, to, 'batchSubmissionWindow', [key.dataMarket], 'latest')
      return Number(release) + Number(window)
    })
  const isOver = (): Promise<AnchorResult> =>
    agreedPrepare(rpc, async (ask) => {
      const head = (await headerOf(ask, 'latest', contractBlock))!
      const over = await windowIsOver(ask, { key, intent, call: { to, data: '0x' } }, head, settings)
      const same = over && (await headerOf(ask, head.number, contractBlock))
      if (same && same.hash !== head.hash) throw new NotYet(`the node does not have its newest block ${head.number}`)
      return resultOf(intent, over ? 'LATE' : 'READY')
    })
  return async (): Promise<boolean> => {
    try {
      last ??= await lastBlock()
      if (heads.head !== undefined && heads.head.contractBlock < last) return false
      return (await isOver()).outcome === 'LATE'
    } catch (error) {
      if (!(error instanceof EvmError || error instanceof NotYet) || isFinal(error)) throw error
      observer?.waiting?.('head', error, backoffMs)
      return false
    }
  }
}

const isFinal = (error: Error): boolean =>
  error instanceof EvmError && (error.code === 'FENCED' || error.code === 'SIGNER_KEY')

/** Tells of a log that is away; the stores are not at fault then. */
export const readTold =
  (read: () => Promise<Uint8Array>, { observer, backoffMs }: AnchorSettings): (() => Promise<Uint8Array>) =>
  () =>
    read().catch((error: unknown) => {
      if (error instanceof LogError && error.retriable) observer?.waiting?.('STORE', error, backoffMs)
      throw error
    })
