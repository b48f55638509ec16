/**
 * The role `clock`: follows the anchor chain from a cursor kept in the log and writes what happens there as ticks, without
 * leaving out a block or an epoch. Whatever fails, it goes on trying; it ends only for what trying again cannot mend.
 */

import { doubling } from '../../../streams/back-off.ts'
import { type Clock, type Log, LogError, mayBeginAgain } from '../../../streams/ports.ts'
import { agreedSlots, agreedStep } from '../agreed-readings.ts'
import type { BlockHeader, StateAt } from '../contract/chain-reader.ts'
import { marketOnChain } from '../contract/market-check.ts'
import { NotSaid } from '../contract/not-said.ts'
import { EvmError } from '../errors.ts'
import type { Ask, Endpoint, RpcOptions } from '../nodes/ask.ts'
import { createRpc, type Rpc } from '../nodes/rpc.ts'
import { type ChainState, type Head, UNKNOWN_HASH } from './chain-state.ts'
import {
  type BlocksStep,
  type ChainPast,
  type ChainStep,
  type ContractFacts,
  genesisHash,
  type ReadOptions,
} from './chain-steps.ts'
import { type ClockSession, openSession } from './clock-log.ts'
import { CLOCK_DEFAULTS, type ClockOptions, type ClockTuning } from './clock-options.ts'
import { createMarketSwitches } from './market-switches.ts'
import { LogsIncomplete } from './release-check.ts'
import { FirstLooks } from './second-look.ts'
import { followSlots, readAllSlots, readSlots, slotReading, slotsGone } from './slots.ts'
import { ticksOfStep } from './step-ticks.ts'
import { tellOfStep } from './step-told.ts'

const BACKOFF_MS_FIRST = 200

export interface ClockPorts {
  readonly log: Log
  readonly clock: Clock
  /** Opens an RPC endpoint; the default speaks HTTP. */
  readonly connect?: (url: string, options: RpcOptions) => Endpoint
}

export interface RunningClock {
  /** Resolves when the role has ended: with the failure that nothing can be done about, or undefined after `close`. */
  readonly stopped: Promise<Error | undefined>
  close(): Promise<void>
}

interface Context {
  readonly settings: ClockOptions & ClockTuning
  readonly ports: ClockPorts
  readonly rpc: Rpc
  readonly signal: AbortSignal
  readonly firstLooks: FirstLooks
  readonly notSaid: NotSaid
  /** The contract's facts as of a block, for the step that follows it; read anew after every failure. */
  facts?: ContractFacts & { readonly hash: string }
}

/** Rejects at once with EvmError `WRONG_CHAIN` when a node that answers serves another chain; a node that is down is waited for. */
export async function startClock(options: ClockOptions, ports: ClockPorts): Promise<RunningClock> {
  const settings = settingsOf(options)
  const { urls, chainId, timeoutMs, slowMs, rpcBatchMax: batchMax, agreement, observer } = settings
  const rpc = createRpc(
    { urls, chainId, timeoutMs, slowMs, batchMax, agreement },
    { clock: ports.clock, observer, connect: ports.connect },
  )
  await rpc.check().catch((error: unknown) => {
    rpc.close()
    throw error
  })
  const abort = new AbortController()
  const notSaid = new NotSaid((what, why) => observer?.notSaid?.(what, why))
  const stopped = follow({ settings, ports, rpc, signal: abort.signal, firstLooks: new FirstLooks(), notSaid }).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  )
  void stopped.then(() => rpc.close())
  return {
    stopped,
    close: async () => {
      abort.abort()
      await stopped
    },
  }
}

function settingsOf(options: ClockOptions): Context['settings'] {
  const markets = options.markets.map((market) => ({ ...market, dataMarket: market.dataMarket.toLowerCase() }))
  return { ...CLOCK_DEFAULTS, ...options, markets, protocolState: options.protocolState.toLowerCase() }
}

/** Runs until the signal; throws only what is final. */
async function follow(context: Context): Promise<void> {
  const { settings, ports, rpc, signal } = context
  const { clock } = ports
  let session: ClockSession | undefined
  const backOffMs = doubling({ firstMs: BACKOFF_MS_FIRST, mostMs: settings.backoffMsMax })
  let failures = 0
  let movedAt = clock.now()
  let rotatedAt = movedAt
  const switched = (dataMarket: string, isOn: boolean): void => settings.observer?.marketSwitched?.(dataMarket, isOn)
  const lookAtSwitches = createMarketSwitches(settings.protocolState, { rpc, clock, switched })
  try {
    while (!signal.aborted) {
      try {
        session ??= await openSession(settings, ports)
        await takeMarketRequests(session, context)
        const moved = await advance(session, context)
        const requests = await session.requests()
        if (requests) await session.resend(requests)
        await lookAtSwitches(session.markets.served())
        if (failures > 0) settings.observer?.recovered?.()
        settings.observer?.releasesMissing?.(undefined)
        failures = 0
        if (moved) movedAt = clock.now()
        else await clock.sleep(settings.pollMs, signal)
      } catch (error) {
        if (isFinal(error)) throw error
        delete context.facts
        if (!(error instanceof EvmError)) session = await drop(session)
        if (error instanceof LogsIncomplete) settings.observer?.releasesMissing?.(error.gap)
        const pauseMs = backOffMs(++failures)
        settings.observer?.failed?.(error, pauseMs)
        await clock.sleep(pauseMs, signal)
      }
      const stillMs = clock.now() - Math.max(movedAt, rotatedAt)
      if (stillMs > settings.stallMs) {
        rpc.rotate(clock.now() - movedAt)
        rotatedAt = clock.now()
      }
    }
  } finally {
    await drop(session)
  }
}

async function drop(session: ClockSession | undefined): Promise<undefined> {
  await session?.close().catch(() => undefined)
  return undefined
}

/** A node that cannot say anything of a market holds up nothing else: the request waits for the next step. */
async function takeMarketRequests(session: ClockSession, { settings, rpc }: Context): Promise<void> {
  const check = async (dataMarket: string): Promise<string | undefined> => {
    const found = await rpc.read((ask) => marketOnChain(ask, settings.protocolState, dataMarket))
    return 'refused' in found ? found.refused : undefined
  }
  try {
    await session.takeMarketRequests(check)
  } catch (error) {
    if (!(error instanceof EvmError) || !error.retriable) throw error
  }
}

/**
 * Another clock has taken over, or the log refuses for good. Whatever a node says may be otherwise the next time, or at
 * another node; trouble with the log, unlike that with a node, means reading it again: so does a topic that was made anew.
 */
const isFinal = (error: unknown): boolean =>
  error instanceof LogError ? !mayBeginAgain(error) : error instanceof EvmError && error.code === 'FENCED'

/** Makes a step on the chain. False when there is nothing new. */
async function advance(session: ClockSession, context: Context): Promise<boolean> {
  const { settings } = context
  const { step, past } = await readStep(session, context)
  if (step.kind === 'reorg') await goBack(session, step.orphaned, past?.chain, context)
  if (step.kind === 'blocks') await goOn(session, step, context)
  const newest = session.chain.heads.at(-1)
  if (newest !== undefined && newest.hash !== UNKNOWN_HASH) {
    const { number: cursor, timestamp: cursorTime } = newest
    const lag = Math.max(0, step.head - settings.depth - cursor)
    settings.observer?.advanced?.({ head: step.head, cursor, cursorTime, lag })
  }
  return step.kind !== 'idle'
}

/** By the blocks at hand; when none of them is left on the chain, by all that the log holds. */
async function readStep(session: ClockSession, context: Context): Promise<{ step: ChainStep; past?: ChainPast }> {
  const { settings, rpc, firstLooks, notSaid } = context
  notSaid.begin()
  let isPastNeeded = false
  const reading = (past?: ChainPast): Promise<ChainStep> => {
    const { counts } = context.facts?.hash === session.chain.heads.at(-1)?.hash ? { ...context.facts } : {}
    const options: ReadOptions = {
      ...settings,
      now: context.ports.clock.now(),
      follows: (dataMarket, epochId) => session.markets.follows(dataMarket, epochId),
      isOurs: (dataMarket) => session.markets.isOurs(dataMarket),
      served: session.markets.served(),
      firstLooks,
      notSaid,
      facts: { nodes: session.place?.registry?.address, counts },
      past,
      pastNeeded: () => {
        isPastNeeded = true
      },
    }
    return withAnyState(context, session.chain, (anyState) => agreedStep(rpc, session.chain, options, anyState))
  }
  try {
    return { step: await reading() }
  } catch (error) {
    if (!isPastNeeded) throw error
    const past = await session.past(settings.acceptedHeadersMax)
    return { step: await reading(past), past }
  }
}

/** Reads as of the block; when no node has that state any more, as of the newest one. */
async function withAnyState<T>(
  { settings }: Context,
  chain: ChainState,
  reading: (anyState: boolean) => Promise<T>,
): Promise<T> {
  try {
    return await reading(false)
  } catch (error) {
    if (!(error instanceof EvmError) || error.code !== 'STATE_MISSING') throw error
    settings.observer?.stateMissing?.((chain.heads.at(-1)?.number ?? -1) + 1)
    return reading(true)
  }
}

async function goBack(
  session: ClockSession,
  orphaned: Head,
  past: ChainState | undefined,
  { settings }: Context,
): Promise<void> {
  const newest = session.chain.heads.at(-1)!
  await session.writeOrphan(orphaned, past ?? session.chain)
  settings.observer?.reorged?.(orphaned.number, newest.number - orphaned.number + 1)
  settings.observer?.wrote?.('ORPHAN', 1)
}

/** The rows of the slots first: a tick names the offset below which all that its block changed can be read. */
async function goOn(session: ClockSession, step: BlocksStep, context: Context): Promise<void> {
  const { settings } = context
  // All that is read from a node is read before the table changes: a failure must leave it as it was.
  const { rows, readAt } = await slotRows(session, step, context)
  const place = session.place
  const genesis = place?.genesis ?? (await context.rpc.read(genesisHash))
  const begins = session.chain.heads.length === 0
  await session.writeSlots(rows)
  const { ticks, news } = ticksOfStep(session, step, settings.acceptedHeadersMax)
  const { facts, blocks } = step
  const [first, last] = [blocks[0]!.header, blocks.at(-1)!.header]
  const isSameRegistry = place?.registry?.address === facts.nodes
  const registry = isSameRegistry ? place.registry : { address: facts.nodes, sinceBlock: place ? first.number : 0 }
  await session.writeTicks(ticks, { slotsReadAt: readAt, registry, genesis }, news)
  step.remember()
  if (begins) settings.observer?.began?.(first.number)
  context.facts = { ...facts, hash: last.hash }
  tellOfStep(step, rows.length, ticks, settings.observer)
}

/** The rows of the table of slots that the step changes. @returns with it the block of the newest full reading */
async function slotRows(session: ClockSession, step: BlocksStep, context: Context) {
  const { settings, rpc } = context
  const { blocks, facts, late } = step
  const addresses = { protocolState: settings.protocolState, nodes: facts.nodes }
  const asOf = <T>({ hash: blockHash }: BlockHeader, read: (ask: Ask, at: StateAt) => Promise<T>): Promise<T> =>
    withAnyState(context, session.chain, (anyState) =>
      agreedSlots(rpc, (ask) => read(ask, anyState ? 'latest' : { blockHash })),
    )
  const readAll = async (header: BlockHeader) => {
    const slots = await asOf(header, (ask, at) => readAllSlots(ask, addresses, at))
    return [...slots, ...slotsGone(session.slots, slots)]
  }
  const { slotsReadAt } = session.place ?? {}
  const isUnknown = step.registryChanged || step.slotsUnread
  const due = { rereadBlocks: settings.slotsRereadBlocks, isUnknown }
  const reading = await slotReading(blocks, slotsReadAt, readAll, due)
  const last = blocks.at(-1)!.header
  const read = (ids: readonly number[]) =>
    ids.length === 0 ? [] : asOf(last, (ask, at) => readSlots(ask, addresses, ids, at))
  const resumed = await read(session.slots.due(last.number))
  const lateSlots = await read([...new Set(late.flatMap(({ slotIds }) => slotIds))])
  const rows = followSlots(session.slots, blocks, reading, { resumed, late: lateSlots })
  return { rows, readAt: reading?.block ?? slotsReadAt }
}
