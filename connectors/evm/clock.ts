/**
 * The role `clock`: follows the anchor chain from a cursor kept in the log and writes what happens there as ticks, without
 * leaving out a block or an epoch. Whatever fails, it goes on trying; it ends only for what trying again cannot mend.
 */
import type { EpochTick } from '../../schemas/types.ts'
import { type Clock, type Log, LogError } from '../../streams/ports.ts'
import { type BlockHeader, type ContractBlockSource, nodesAddress } from './chain-reader.ts'
import { applyTick, type ChainState, type ClockMarket, type Head, orphanTick, ticksOf } from './chain-state.ts'
import { type ChainStep, nextStep, type ReadOptions } from './chain-steps.ts'
import { type ClockSession, type ClockTopics, openSession, SessionLost } from './clock-log.ts'
import { EvmError } from './errors.ts'
import { marketOnChain } from './market-check.ts'
import { createRpc, type Endpoint, type Rpc, type RpcObserver, type RpcOptions } from './rpc.ts'
import { followSlots, readAllSlots, readSlots, slotReading } from './slots.ts'

export interface ClockOptions extends Partial<ClockTuning> {
  /** The role's group and transactional id is `<appId>-clock`. */
  readonly appId: string
  readonly topics: ClockTopics
  /** RPC URLs in order of preference. */
  readonly urls: readonly string[]
  readonly chainId: number
  /** ProtocolState. */
  readonly protocolState: string
  /** The configured ones. */
  readonly markets: readonly ClockMarket[]
  /** Where the very first start begins; absent = at the head. Epochs released before it are not taken up. */
  readonly startBlock?: number
  readonly observer?: ClockObserver
}

export interface ClockTuning {
  /** Blocks behind the head that are waited for. */
  readonly depth: number
  readonly pollMs: number
  /** Blocks read and written in one step. */
  readonly rangeBlocks: number
  /** How far back a reorganization is followed. */
  readonly reorgDepthMax: number
  /** For one RPC call. */
  readonly timeoutMs: number
  /** The longest pause between two attempts. */
  readonly backoffMsMax: number
  /** Without a new block for so long, another RPC URL is preferred. */
  readonly stallMs: number
  /** Calls per JSON-RPC batch; 1 for nodes without batches. */
  readonly rpcBatchMax: number
  /** Blocks between two full readings of the slots, against events that a node left out; 0 = only the first. */
  readonly slotsRereadBlocks: number
  /** See SlotRules. */
  readonly slotHistoryBlocks: number
  readonly slotChangesMax: number
  /** Measure of the submission window of markets that are added at run time. */
  readonly addedWindowUnit: ClockMarket['windowUnit']
  /** Markets served at one time. */
  readonly marketsMax: number
  /** The newest blocks of a window that its CLOSE names: those that validate knows, `headsKept`. A record must have room. */
  readonly acceptedHeadersMax: number
  /** How the contract counts blocks: on Arbitrum Nitro chains `l1BlockNumber` (window.ts). */
  readonly contractBlock: ContractBlockSource
}

export const CLOCK_DEFAULTS: ClockTuning = {
  depth: 2,
  pollMs: 500,
  rangeBlocks: 50,
  reorgDepthMax: 256,
  timeoutMs: 10_000,
  backoffMsMax: 15_000,
  stallMs: 60_000,
  rpcBatchMax: 50,
  slotsRereadBlocks: 0,
  slotHistoryBlocks: 604_800,
  slotChangesMax: 256,
  addedWindowUnit: 'blocks',
  marketsMax: 64,
  acceptedHeadersMax: 4_096,
  contractBlock: 'number',
}
const BACKOFF_MS_FIRST = 200

export interface ClockObserver extends RpcObserver {
  /**
   * Told after each step, also when there is no new block. `lag`: blocks between the head, less the depth, and the cursor;
   * `cursorTime`: timestamp of the cursor's block, seconds.
   */
  advanced?(progress: { head: number; cursor: number; cursorTime: number; lag: number }): void
  wrote?(kind: EpochTick['kind'], ticks: number): void
  slotsChanged?(rows: number): void
  /** Blocks from `firstOrphaned` on left the chain, `blocks` of which had ticks. */
  reorged?(firstOrphaned: number, blocks: number): void
  /** The nodes no longer have the state of these blocks: it was read as of the newest one. */
  stateMissing?(fromBlock: number): void
  /** A step failed and is tried again. */
  failed?(error: unknown, retryInMs: number): void
  recovered?(): void
}

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
  /** Address of the slot registry, once the contract has told it. */
  nodes?: string
}

type BlocksStep = ChainStep & { kind: 'blocks' }

/** Rejects at once with EvmError `WRONG_CHAIN` when a node that answers serves another chain; a node that is down is waited for. */
export async function startClock(options: ClockOptions, ports: ClockPorts): Promise<RunningClock> {
  const settings = settingsOf(options)
  const { urls, chainId, timeoutMs, rpcBatchMax: batchMax, observer } = settings
  const rpc = createRpc(
    { urls, chainId, timeoutMs, batchMax },
    { clock: ports.clock, observer, connect: ports.connect },
  )
  await rpc.check().catch((error: unknown) => {
    rpc.close()
    throw error
  })
  const abort = new AbortController()
  const stopped = follow({ settings, ports, rpc, signal: abort.signal }).then(
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
  let failures = 0
  let movedAt = clock.now()
  try {
    while (!signal.aborted) {
      try {
        session ??= await openSession(settings, ports)
        await takeMarketRequests(session, context)
        const moved = await advance(session, context)
        const requests = await session.requests()
        if (requests) await session.resend(requests)
        if (failures > 0) settings.observer?.recovered?.()
        failures = 0
        if (moved) movedAt = clock.now()
        else await clock.sleep(settings.pollMs, signal)
      } catch (error) {
        if (!isRetriable(error)) throw error
        if (!(error instanceof EvmError)) session = await drop(session)
        const pauseMs = Math.min(settings.backoffMsMax, BACKOFF_MS_FIRST * 2 ** Math.min(failures++, 16))
        settings.observer?.failed?.(error, pauseMs)
        await clock.sleep(pauseMs, signal)
      }
      if (clock.now() - movedAt > settings.stallMs) {
        rpc.rotate()
        movedAt = clock.now()
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

/** Trouble with the log means reading it again; trouble with a node does not. */
const isRetriable = (error: unknown): boolean =>
  error instanceof SessionLost || ((error instanceof EvmError || error instanceof LogError) && error.retriable)

/** One step on the chain. False when there is nothing new. */
async function advance(session: ClockSession, context: Context): Promise<boolean> {
  const { settings, rpc } = context
  context.nodes ??= await rpc.read((ask) => nodesAddress(ask, settings.protocolState))
  const options: ReadOptions = {
    ...settings,
    follows: (dataMarket, epochId) => session.markets.follows(dataMarket, epochId),
    addresses: { protocolState: settings.protocolState, nodes: context.nodes },
  }
  const step = await withAnyState(context, session.chain, (anyState) =>
    rpc.read((ask) => nextStep(ask, session.chain, options, anyState)),
  )
  if (step.kind === 'reorg') await goBack(session, step.orphaned, context)
  if (step.kind === 'blocks') await goOn(session, step, context)
  const newest = session.chain.heads.at(-1)
  if (newest !== undefined) {
    const { number: cursor, timestamp: cursorTime } = newest
    const lag = Math.max(0, step.head - settings.depth - cursor)
    settings.observer?.advanced?.({ head: step.head, cursor, cursorTime, lag })
  }
  return step.kind !== 'idle'
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

async function goBack(session: ClockSession, orphaned: Head, { settings }: Context): Promise<void> {
  const newest = session.chain.heads.at(-1)!
  await session.writeSlots(session.slots.orphan(orphaned.number))
  await session.writeTicks([orphanTick(orphaned, session.slotsOffset)], session.slotsReadAt!)
  settings.observer?.reorged?.(orphaned.number, newest.number - orphaned.number + 1)
  settings.observer?.wrote?.('ORPHAN', 1)
}

/** The rows of the slots first: a tick names the offset below which all that its block changed can be read. */
async function goOn(session: ClockSession, { blocks, contractBlockOf }: BlocksStep, context: Context): Promise<void> {
  const { settings, rpc } = context
  const addresses = { protocolState: settings.protocolState, nodes: context.nodes! }
  // All that is read from a node is read before the table changes: a failure must leave it as it was.
  const readAll = ({ hash: blockHash }: BlockHeader) =>
    withAnyState(context, session.chain, (anyState) =>
      rpc.read((ask) => readAllSlots(ask, addresses, anyState ? 'latest' : { blockHash })),
    )
  const reading = await slotReading(blocks, session.slotsReadAt, readAll, settings.slotsRereadBlocks)
  const last = blocks.at(-1)!.header
  const due = session.slots.due(last.number)
  const resumed = due.length > 0 ? await readDue(context, session, last, due) : []
  const rows = followSlots(session.slots, blocks, reading, resumed)
  await session.writeSlots(rows)
  const ticks: EpochTick[] = []
  let chain = session.chain
  const [first] = blocks
  const news = session.markets.news(first!.header.number, chain.heads.at(-1)?.number, chain.open)
  const unitOf = (dataMarket: string) => session.markets.unitOf(dataMarket)
  for (const block of blocks) {
    const changes = block === first ? news.changes : []
    const bounds = { slotsOffset: session.slotsOffset, acceptedHeadersMax: settings.acceptedHeadersMax }
    const ofBlock = ticksOf(chain, block, unitOf, contractBlockOf, bounds, changes)
    chain = ofBlock.reduce((state, tick) => applyTick(state, tick, 0), chain)
    for (const tick of ofBlock) ticks.push(tick)
  }
  await session.writeTicks(ticks, reading?.block ?? session.slotsReadAt!, news)
  if (rows.length > 0) settings.observer?.slotsChanged?.(rows.length)
  for (const kind of ['HEAD', 'OPEN', 'CLOSE'] as const) {
    const count = ticks.filter((tick) => tick.kind === kind).length
    if (count > 0) settings.observer?.wrote?.(kind, count)
  }
}

/** Slots whose suspension is over, as of a block. */
const readDue = (context: Context, session: ClockSession, { hash: blockHash }: BlockHeader, due: readonly number[]) =>
  withAnyState(context, session.chain, (anyState) =>
    context.rpc.read((ask) => readSlots(ask, context.nodes!, due, anyState ? 'latest' : { blockHash })),
  )
