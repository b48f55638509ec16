/** The ticks of a step, and what they say of markets. */
import type { EpochTick } from '../../../schemas/types.ts'
import { applyTick, ticksOf } from './chain-state.ts'
import type { BlocksStep } from './chain-steps.ts'
import type { ClockSession } from './clock-log.ts'

export function ticksOfStep(session: ClockSession, step: BlocksStep, acceptedHeadersMax: number) {
  const { blocks, contractBlockOf, late } = step
  const ticks: EpochTick[] = []
  let chain = session.chain
  const [first] = blocks
  const news = session.markets.news(first!.header.number, chain.heads.at(-1)?.number, chain.open)
  const unitOf = (dataMarket: string) => session.markets.unitOf(dataMarket)
  const lateReleases = late.flatMap(({ releases }) => releases)
  for (const block of blocks) {
    const isFirst = block === first
    const { number } = block.header
    const refused = step.refused.filter((one) => one.block === number || (isFirst && one.block < number))
    const releases = isFirst ? [...lateReleases, ...block.releases] : block.releases
    const markets = isFirst ? news.changes : []
    const facts = { unitOf, contractBlockOf, slotsOffset: session.slotsOffset, acceptedHeadersMax, markets }
    const ofBlock = ticksOf(chain, { ...block, releases, refused }, facts)
    chain = ofBlock.reduce((state, tick) => applyTick(state, tick, 0), chain)
    for (const tick of ofBlock) ticks.push(tick)
  }
  return { ticks, news }
}
