/**
 * Takes the clock's ticks in chain order, once each, and puts each into the band of the submissions, in every partition.
 * A block that is missing is asked for again; a tick that contradicts the chain so far is kept out and asked for again.
 * Either way the request says why, so that nothing is skipped in silence.
 */
import type { EpochMarker, EpochTick, MarketKey, SubmissionKey, TickRequest } from '../schemas/types.ts'
import type { ProcessorContext, ProcessorSupplier } from '../streams/processor.ts'
import type { ProtocolRules } from './rules.ts'
import type { Stores } from './stores.ts'
import { createTickChain, type TickProblem } from './tick-chain.ts'
import { createTickGap } from './tick-gap.ts'
import type { SubmissionEvent } from './topics.ts'

export type FanOutOutputs = {
  readonly markers: readonly [SubmissionKey, SubmissionEvent]
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
    return { process: (_, tick) => commitAfter(context, take(tick)) }
  }

/** Each accepted tick opens, moves or closes something for everybody: it does not wait for the next commit interval. */
function commitAfter(context: ProcessorContext<FanOutOutputs>, accepted: number): undefined {
  if (accepted > 0) context.requestCommit()
}

export interface TickOutputs {
  accept(tick: EpochTick): void
  request(request: TickRequest): void
}

/** @returns takes one tick, and answers how many were accepted by it (those that had waited for it, too) */
export function createTickFanOut(
  chain: ReturnType<typeof createTickChain>,
  gap: ReturnType<typeof createTickGap>,
  outputs: TickOutputs,
): (tick: EpochTick) => number {
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
    const toBlock = gap.lastMissing()
    if (toBlock === undefined) return
    const fromBlock = chain.nextBlock()!
    outputs.request({ fromBlock, toBlock, reason: `gap: blocks ${fromBlock} to ${toBlock} are missing` })
  }

  const wait = (tick: EpochTick): void => {
    if (gap.add(tick)) askForMissing()
  }

  const drain = (): number => {
    let accepted = 0
    const waited = !gap.isEmpty()
    for (let tick = gap.takeBefore(chain.nextBlock()!); tick; tick = gap.takeBefore(chain.nextBlock()!))
      if (take(tick)) accepted++
    if (waited) askForMissing()
    return accepted
  }

  return (tick) => {
    if (tick.kind === 'ORPHAN') gap.dropFrom(tick)
    else if (chain.isAhead(tick)) {
      wait(tick)
      return 0
    }
    if (!take(tick)) return 0
    return 1 + (tick.kind === 'HEAD' ? drain() : 0)
  }
}

/** The stamp is the engine's: it sets from and of on sending. */
const markerOf = (tick: EpochTick): EpochMarker => ({ tick, from: 0, of: 1, count: 0, checksum: 0 })
const keyOf = ({ dataMarket, epochId }: EpochTick) => ({ dataMarket, epochId })
