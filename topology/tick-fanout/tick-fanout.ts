/**
 * Takes the clock's ticks in chain order, once each, and puts each into the band of the submissions, in every partition.
 * A block that is missing is asked for again; a tick that contradicts the chain so far is kept out and asked for once. What lies
 * before the first block here is not asked for, since nobody can send it: the request names no blocks. Each request says why, so
 * that nothing is skipped in silence.
 */
import type { EpochMarker, EpochTick, MarketKey, SubmissionKey, TickRequest } from '../../schemas/types.ts'
import type { ProcessorContext, ProcessorSupplier } from '../../streams/processor.ts'
import type { ProtocolRules } from '../rules.ts'
import type { Stores } from '../stores.ts'
import { createTickChain, type TickChain, type TickProblem, tell } from './tick-chain.ts'
import { faultOf } from './tick-fault.ts'
import { createTickGap, type TickGap } from './tick-gap.ts'

export type FanOutOutputs = {
  readonly markers: readonly [SubmissionKey, EpochMarker]
  readonly requests: readonly [MarketKey, TickRequest]
}

export const fanOutTicks =
  (
    rules: ProtocolRules,
    stores: Pick<Stores, 'chainHeads' | 'chainEpochs' | 'tickGap'>,
  ): ProcessorSupplier<MarketKey, EpochTick, FanOutOutputs> =>
  (context) => {
    const { markers, requests } = context.outputs
    const take = createTickFanOut(
      createTickChain(context.store(stores.chainHeads), context.store(stores.chainEpochs), rules.headsKept),
      createTickGap(context.store(stores.tickGap)),
      {
        accept: (tick) => markers.send({ ...keyOf(tick), projectId: '' }, markerOf(tick)),
        request: (request) => requests.send({ dataMarket: '' }, request),
      },
    )
    return { process: (key, tick) => commitAfter(context, take(key, tick)) }
  }

/** Each accepted tick opens, moves or closes something for everybody: it does not wait for the next commit interval. */
function commitAfter(context: ProcessorContext<FanOutOutputs>, accepted: number): undefined {
  if (accepted > 0) context.requestCommit()
}

export interface TickOutputs {
  accept(tick: EpochTick): void
  request(request: TickRequest): void
}

/** @returns takes Handles one tick, and answers how many ticks were accepted by it (also ticks that had waited for it) */
function createTickFanOut(
  chain: TickChain,
  gap: TickGap,
  outputs: TickOutputs,
): (key: MarketKey, tick: EpochTick) => number {
  const take = (tick: EpochTick): boolean => {
    const answer = chain.offer(tick)
    if (answer === 'accepted') outputs.accept(tick)
    else if (answer !== 'duplicate') refuse(tick, answer)
    return answer === 'accepted'
  }

  const refuse = (tick: EpochTick, problem: TickProblem): void => {
    if (!chain.isNewProblem(tick, problem)) return
    const { fromBlock, toBlock, text } = problem
    outputs.request({ fromBlock, toBlock, reason: `${tick.kind} ${tick.blockNumber} refused: ${text}` })
  }

  const askForMissing = (): void => {
    const [fromBlock, toBlock] = [chain.nextBlock()!, gap.lastMissing()]
    if (toBlock === undefined || toBlock < fromBlock) return
    outputs.request({ fromBlock, toBlock, reason: `gap: blocks ${fromBlock} to ${toBlock} are missing` })
  }

  /**
   * Takes what waited and lacks nothing any more. The ticks of one block come together, so a tick of another block says that the
   * newest block's are all here; ticks of its own block, or above it, may still be coming.
   */
  const drainBefore = ({ blockNumber }: EpochTick): number => {
    const newest = chain.newest()
    if (gap.isEmpty() || newest === blockNumber) return 0
    const upTo = blockNumber > newest! ? blockNumber : Number.MAX_SAFE_INTEGER
    let [taken, accepted] = [0, 0]
    for (let tick = gap.takeNext(chain.nextBlock()!, upTo); tick; tick = gap.takeNext(chain.nextBlock()!, upTo)) {
      taken++
      if (take(tick)) accepted++
    }
    if (taken > 0) askForMissing()
    return accepted
  }

  const takeOrphan = (tick: EpochTick): number => {
    const accepted = take(tick)
    // A tick that waits above a block that leaves the chain is dropped with it.
    if (accepted || gap.has(tick)) gap.dropFrom(tick.blockNumber)
    return accepted ? 1 : 0
  }

  return (key, tick) => {
    const fault = faultOf(key, tick)
    if (fault !== undefined) {
      refuse(tick, tell(fault))
      return 0
    }
    if (tick.kind === 'ORPHAN') return takeOrphan(tick)
    const drained = drainBefore(tick)
    if (!chain.isAhead(tick)) return drained + (take(tick) ? 1 : 0)
    if (gap.add(tick)) askForMissing()
    return drained
  }
}

/** The stamp is the engine's: it sets from and of on sending. */
const markerOf = (tick: EpochTick): EpochMarker => ({ tick, from: 0, of: 1, count: 0, checksum: 0, blockTimes: [] })
const keyOf = ({ dataMarket, epochId }: EpochTick) => ({ dataMarket, epochId })
