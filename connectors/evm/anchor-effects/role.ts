/**
 * The role `anchor-effects`: carries out what the anchor stage decided. It acts only on committed intents and answers
 * through the log; every effect can be repeated, so it may be killed and started again at any point.
 */
import { setMaxListeners } from 'node:events'
import { doubling } from '../../../streams/back-off.ts'
import { type RunningPart, startOneOfMany } from '../../../streams/one-of-many.ts'
import type { Clock } from '../../../streams/ports.ts'
import { EvmError } from '../errors.ts'
import { createRpc, type Rpc } from '../nodes/rpc.ts'
import { openAnswers } from './anchor-answers.ts'
import { createBatchReader } from './anchor-batches.ts'
import { createEffects } from './anchor-effects.ts'
import { createIntentFollower } from './anchor-intents.ts'
import { ANCHOR_DEFAULTS, type AnchorOptions, type AnchorPorts, type AnchorSettings } from './anchor-options.ts'
import { createPayoutReader } from './anchor-payouts.ts'
import { createSigner, type Signer } from './anchor-signer.ts'
import { watchHead } from './head-watch.ts'

export interface RunningAnchor extends RunningPart {
  /** Lower case. */
  readonly signer: string
}

/** Members with another way to execute intents, or to seal their answers, are not to be in one group. */
const FINGERPRINT = 'anchor-effects/3'

interface Role {
  readonly settings: AnchorSettings
  readonly ports: AnchorPorts
  readonly rpc: Rpc
  readonly signers: readonly Signer[]
}

/** Rejects at once with EvmError `WRONG_CHAIN` when a node that answers serves another chain; one that is down is waited for. */
export async function startAnchor(options: AnchorOptions, ports: AnchorPorts): Promise<RunningAnchor> {
  const settings = { ...ANCHOR_DEFAULTS, ...options }
  const { urls, chainId, timeoutMs, slowMs, rpcBatchMax: batchMax, logRangeBlocks, agreement, observer } = settings
  const signer = createSigner(settings.signerKey, chainId)
  const signers = [signer, ...(settings.formerSignerKeys ?? []).map((key) => createSigner(key, chainId))]
  const rpc = createRpc(
    { urls, chainId, timeoutMs, slowMs, batchMax, logRangeBlocks, agreement },
    { clock: ports.clock, observer, connect: ports.connect },
  )
  await rpc.check().catch((error: unknown) => {
    rpc.close()
    throw error
  })
  const { appId, instanceId, topics, backoffMs, backoffMsMax } = settings
  const role = { settings, ports, rpc, signers }
  const { stopped, close } = startOneOfMany(
    {
      group: `${appId}-anchor-effects`,
      topic: topics.anchorIntents.name,
      instanceId,
      fingerprint: FINGERPRINT,
      work: (signal) => work(role, signal),
      // Fenced while the group says it is ours: the group has not noticed yet, or will give it back.
      isTakenOver: (error) => error instanceof EvmError && error.code === 'FENCED',
      pauseMs: doubling({ firstMs: backoffMs, mostMs: backoffMsMax }),
      owning: (owns) => observer?.owning?.(owns),
      waiting: (reason, pauseMs) => observer?.waiting?.('log', reason, pauseMs),
    },
    ports,
  )
  void stopped.then(() => rpc.close())
  return { signer: signer.address, stopped, close }
}

/** A session of ownership: reads every intent in force and carries it out, until the signal. */
async function work({ settings, ports, rpc, signers }: Role, signal: AbortSignal): Promise<void> {
  const { log, clock } = ports
  const { topics, observer } = settings
  const failure = new AbortController()
  const session = AbortSignal.any([signal, failure.signal])
  setMaxListeners(0, session) // every effect under way listens to it, and after an outage there are many
  const failed = (error: Error, retryInMs: number): void => observer?.waiting?.('head', error, retryInMs)
  const refused = (error: Error, retryInMs: number): void => observer?.waiting?.('log', error, retryInMs)
  const answers = await openAnswers(ports, `${settings.appId}-anchor-effects`, topics.anchorResults, session, refused)
  const heads = watchHead(rpc, clock, { ...settings, failed }, session)
  const effects = createEffects(settings, {
    ...ports,
    rpc,
    heads,
    answers,
    signers,
    batches: createBatchReader(log, topics.batches),
    payouts: createPayoutReader(log, topics.payouts),
    signal: session,
    fail: (error) => failure.abort(error),
  })
  const intents = createIntentFollower(log, clock, topics.anchorIntents, (left) =>
    settings.observer?.unreadable?.(left),
  )
  const purging = purgeNowAndThen(intents.purge, settings, clock, session)
  try {
    await intents.follow(effects.take, session)
  } finally {
    failure.abort()
    await Promise.all([effects.ended(), heads.done, purging])
    await answers.close().catch(() => undefined)
  }
  if (failure.signal.reason instanceof Error && failure.signal.reason.name !== 'AbortError') throw failure.signal.reason
}

async function purgeNowAndThen(
  purge: () => Promise<void>,
  { purgeIntervalMs, observer }: AnchorSettings,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(purgeIntervalMs, signal)
    if (signal.aborted) return
    await purge().catch((error: Error) => observer?.waiting?.('purge', error, purgeIntervalMs))
  }
}
