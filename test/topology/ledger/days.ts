/** Days of a market in the test driver: epochs of some slots, with the day that their ticks carry. */
import type { Day, EpochTick, SlotDay } from '../../../schemas/types.ts'
import type { MarketRules } from '../../../topology/rules.ts'
import {
  closeTick,
  createWorld,
  hashOf,
  headTick,
  MARKET,
  openTick,
  rulesOf,
  submissionOf,
  type World,
} from '../world.ts'

const DAILY_QUOTA = 2

export interface EpochOfDay {
  readonly day: number
  readonly daysEnded?: number
  readonly skippedFrom?: number
  readonly refusedFrom?: number
  readonly dailyQuota?: number
  /** Slot → what it reports for a project of its own; for `shared` all of them report the same project. */
  readonly votes?: Readonly<Record<number, string>>
  readonly shared?: boolean
}

export interface DaysOptions {
  readonly market?: Partial<MarketRules>
  readonly partitions?: number
  readonly slots?: number
}

/** Epochs one behind the other, each open for three blocks. */
export function createDays({ market, partitions = 1, slots = 8 }: DaysOptions = {}) {
  const rules = rulesOf({ rewards: 'on', payoutEpochs: 1_000, ...market })
  const world = createWorld({ rules, partitions, slots })
  let block = 10
  world.tick(headTick(block))
  const next = (): number => {
    world.tick(headTick(++block))
    return block
  }

  const open = (epochId: number, of: EpochOfDay): ((of?: Partial<EpochOfDay>) => void) => {
    const { day, dailyQuota = DAILY_QUOTA, skippedFrom = 0, refusedFrom = 0, votes = {}, shared = false } = of
    const released = next()
    const said = { day, dailyQuota, skippedFrom, refusedFrom }
    world.tick({ ...openTick(epochId, released), ...said })
    next()
    for (const [slotId, snapshotCid] of Object.entries(votes))
      world.submit(
        submissionOf({
          slotId: Number(slotId),
          epochId,
          snapshotCid,
          projectId: shared ? 'shared' : `of-${slotId}`,
          header: hashOf(released),
          deadline: 1_000_000,
          receivedAt: released * 2_000 + Number(slotId),
        }),
      )
    return ({ daysEnded = of.daysEnded ?? 0 } = {}) =>
      world.tick({ ...closeTick(epochId, released, next()), ...said, daysEnded } as EpochTick)
  }

  return {
    ...world,
    world,
    /** Releases an epoch; gives what closes it. */
    open,
    epoch: (epochId: number, of: EpochOfDay): void => open(epochId, of)(),
    ...readingsOf(world),
  }
}

export function readingsOf({ driver, topics }: Pick<World, 'driver' | 'topics'>) {
  return {
    day: (day: number, dataMarket = MARKET): Day | undefined =>
      driver.rows(topics.days).find(({ key }) => key.day === day && key.dataMarket === dataMarket)?.value,
    /** Slot → its row, ascending. */
    slotsOf: (day: number): ReadonlyMap<number, SlotDay> =>
      new Map(
        driver
          .rows(topics.slotDays)
          .filter(({ key }) => key.day === day)
          .sort((a, b) => a.key.slotId - b.key.slotId)
          .map(({ key, value }) => [key.slotId, value]),
      ),
    payouts: () => driver.read(topics.payouts).map(({ value }) => value),
  }
}
