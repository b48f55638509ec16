/** The chain as the whole log tells it: further back than what is kept in memory. */
import type { EpochTick, MarketKey } from '../../../schemas/types.ts'
import type { KafkaTopic } from '../../../streams/kafka-topic.ts'
import { applyTick, EMPTY_CHAIN, forgetOldHeads } from './chain-state.ts'
import type { ChainPast } from './chain-steps.ts'
import { PARTITION, readAll, type TopicReading } from './tick-log.ts'

/** Heads above those asked for are let go, so many at a time. */
const SWEEP_HEADS = 1_024

export interface PastBounds {
  /** Heads that are read; the readers of the ticks cannot take back more. */
  readonly headsMax: number
  /** A log with more heads is not begun anew. */
  readonly beginAnewMax: number
}

export async function pastIn(
  reading: TopicReading,
  ticks: KafkaTopic<MarketKey, EpochTick>,
  { headsMax, beginAnewMax }: PastBounds,
): Promise<Omit<ChainPast, 'genesis'>> {
  let chain = EMPTY_CHAIN
  let isDecided = false
  await readAll(reading, ticks, 0, ({ offset, value }) => {
    const tick = value!
    chain = applyTick(chain, tick, offset)
    if (tick.kind === 'CLOSE') isDecided = true
    if (chain.heads.length >= headsMax + SWEEP_HEADS) chain = forgetOldHeads(chain, headsMax - 1)
  })
  const [bounds] = await reading.log.bounds([{ topic: ticks.name, partition: PARTITION }])
  const isWhole = bounds!.start === 0
  chain = forgetOldHeads(chain, headsMax - 1)
  return { chain, mayBeginAnew: isWhole && !isDecided && chain.heads.length <= beginAnewMax }
}
