/**
 * The role `anchor-effects`: carries out what the anchor stage decided. It acts only on committed intents and answers
 * through the log; every effect can be repeated, so it may be killed and started again at any point.
 */
import { setMaxListeners } from 'node:events'
import { type Clock, LogError, type Membership } from '../../../streams/ports.ts'
import { EvmError } from '../errors.ts'
import { createRpc, type Rpc } from '../nodes/rpc.ts'
import { openAnswers } from './anchor-answers.ts'
import { createBatchReader } from './anchor-batches.ts'
import { createEffects } from './anchor-effects.ts'
import { createIntentFollower } from './anchor-intents.ts'
import { ANCHOR_DEFAULTS, type AnchorOptions, type AnchorPorts, type AnchorSettings } from './anchor-options.ts'
import { createSigner, type Signer } from './anchor-signer.ts'
import { watchHead } from './head-watch.ts'

export interface RunningAnchor {
  /** Lower case. */
  readonly signer: string
  /** Resolves when the role has ended: with the failure that nothing can be done about, or undefined after `close`. */
  readonly stopped: Promise<Error | undefined>
  close(): Promise<void>
}

/** Members with another way to execute intents are not to be in one group. */
const FINGERPRINT = 'anchor-effects/1'

interface Role {
  readonly settings: AnchorSettings
  readonly ports: AnchorPorts
  readonly rpc: Rpc
  readonly signers: readonly Signer[]
  readonly signal: AbortSignal
}

/** Rejects at once with EvmError `WRONG_CHAIN` when a node that answers serves another chain; one that is down is waited for. */
export async function startAnchor(options: AnchorOptions, ports: AnchorPorts): Promise<RunningAnchor> {
  const settings = { ...ANCHOR_DEFAULTS, ...options }
  const { urls, chainId, timeoutMs, rpcBatchMax: batchMax, logRangeBlocks, agreement, observer } = settings
  const signer = createSigner(settings.signerKey, chainId)
  const signers = [signer, ...(settings.formerSignerKeys ?? []).map((key) => createSigner(key, chainId))]
  const rpc = createRpc(
    { urls, chainId, timeoutMs, batchMax, logRangeBlocks, agreement },
    { clock: ports.clock, observer, connect: ports.connect },
  )
  await rpc.check().catch((error: unknown) => {
    rpc.close()
    throw error
  })
  const abort = new AbortController()
  const stopped = holdRole({ settings, ports, rpc, signers, signal: abort.signal }).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  )
  void stopped.then(() => rpc.close())
  return {
    signer: signer.address,
    stopped,
    close: async () => {
      abort.abort()
      await stopped
    },
  }
}

/** Joins the group, and works while the one partition is this member's. Throws only what is final. */
async function holdRole(role: Role): Promise<void> {
  const { settings, ports, signal } = role
  for (let failures = 0; !signal.aborted; ) {
    const member = new AbortController()
    const stop = (): void => member.abort()
    signal.addEventListener('abort', stop, { once: true })
    let membership: Membership | undefined
    const joinedAt = ports.clock.now()
    try {
      const ownership = createOwnership()
      let lost: Error | undefined
      membership = await joinGroup(role, ownership, (cause) => {
        lost = cause
        member.abort()
      })
      await workWhileOwner(role, ownership, member.signal)
      if (!signal.aborted) throw new LogError('LOST', 'thrown out of the group', { retriable: true, cause: lost })
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof LogError && error.retriable)) throw error
      if (ports.clock.now() - joinedAt > settings.backoffMsMax) failures = 0
      const pauseMs = backoff(settings, failures++)
      settings.observer?.waiting?.('log', error, pauseMs)
      await ports.clock.sleep(pauseMs, signal)
    } finally {
      signal.removeEventListener('abort', stop)
      await membership?.leave().catch(() => undefined)
    }
  }
}

function joinGroup({ settings, ports }: Role, ownership: Ownership, lost: (cause: Error) => void): Promise<Membership> {
  const { appId, instanceId, topics, observer } = settings
  const topic = topics.anchorIntents.name
  const join = { group: `${appId}-anchor-effects`, topics: [topic], instanceId, fingerprint: FINGERPRINT }
  const tell = (owns: boolean): void => {
    ownership.set(owns)
    observer?.owning?.(owns)
  }
  return ports.log.join(join, {
    assigned: (partitions) => tell(partitions.some((partition) => partition.topic === topic)),
    lost: (cause) => {
      tell(false)
      lost(cause)
    },
  })
}

async function workWhileOwner(role: Role, ownership: Ownership, signal: AbortSignal): Promise<void> {
  const { settings, ports } = role
  for (let failures = 0; !signal.aborted; ) {
    const owned = await ownership.next(signal)
    if (!owned || signal.aborted) continue
    try {
      await work(role, AbortSignal.any([signal, owned]))
      failures = 0
    } catch (error) {
      if (signal.aborted || owned.aborted) continue
      // Fenced while the group says it is ours: the group has not noticed yet, or will give it back.
      const passes = error instanceof LogError ? error.retriable : error instanceof EvmError && error.code === 'FENCED'
      if (!passes) throw error
      const pauseMs = backoff(settings, failures++)
      settings.observer?.waiting?.('log', error as Error, pauseMs)
      await ports.clock.sleep(pauseMs, signal)
    }
  }
}

/** One session of ownership: reads every intent in force and carries it out, until the signal. */
async function work({ settings, ports, rpc, signers }: Role, signal: AbortSignal): Promise<void> {
  const { log, clock } = ports
  const { topics, observer } = settings
  const failure = new AbortController()
  const session = AbortSignal.any([signal, failure.signal])
  setMaxListeners(0, session) // every effect under way listens to it, and after an outage there are many
  const failed = (error: Error, retryInMs: number): void => observer?.waiting?.('head', error, retryInMs)
  const answers = await openAnswers(ports, `${settings.appId}-anchor-effects`, topics.anchorResults, session)
  const heads = watchHead(rpc, clock, { ...settings, failed }, session)
  const effects = createEffects(settings, {
    ...ports,
    rpc,
    heads,
    answers,
    signers,
    batches: createBatchReader(log, topics.batches),
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

const backoff = ({ backoffMs, backoffMsMax }: AnchorSettings, failures: number): number =>
  Math.min(backoffMsMax, backoffMs * 2 ** Math.min(failures, 16))

interface Ownership {
  set(owns: boolean): void
  /** A signal that is aborted when this period of ownership ends; undefined when `until` comes first. */
  next(until: AbortSignal): Promise<AbortSignal | undefined>
}

function createOwnership(): Ownership {
  let period: AbortController | undefined
  let wake: () => void = () => {}
  return {
    set(owns) {
      if (owns === (period !== undefined)) return
      period?.abort()
      period = owns ? new AbortController() : undefined
      wake()
    },
    async next(until) {
      while (!period && !until.aborted)
        await new Promise<void>((resolve) => {
          wake = resolve
          until.addEventListener('abort', () => resolve(), { once: true })
        })
      return until.aborted ? undefined : period?.signal
    },
  }
}
