/** The intake's knowledge of slots and epochs, followed from the log (decision 0023). */
import type { Guide } from '../../../connectors/libp2p/admission.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import type { SlotOwnership } from '../../../schemas/types.ts'
import { type ProtocolRules, rulesOfMarket } from '../../../topology/rules.ts'
import type { Topics } from '../../../topology/topics.ts'
import { placeAsOf } from '../../../topology/validate/ownership.ts'
import type { Closeable } from '../../base/lifecycle.ts'
import { type FollowPorts, followTopic } from '../../reading/follow-topic.ts'
import type { SignerPool } from '../signers.ts'
import { blockAges } from './block-ages.ts'
import { openEpochs, type Release } from './epochs-open.ts'

/** Ticks before the end: what is open now was opened in them. */
const TICKS_RECALLED = 20_000

export interface GuideOptions extends Omit<FollowPorts, 'clock'> {
  readonly rules: ProtocolRules
  readonly topics: Topics
  readonly signers: SignerPool
  /** Votes of a slot that are taken for an epoch, as a multiple of the market's quota. */
  readonly quotaFactor: number
}

export interface RunningGuide extends Guide, Closeable {
  /** Age that the youngest of the newest blocks seemed to have when it was heard of, ms; undefined before the first block. */
  blockAge(): number | undefined
}

export function createGuide({ rules, topics, signers, quotaFactor, ...following }: GuideOptions): RunningGuide {
  const owners = new Map<number, readonly SlotOwnership[]>()
  let slotsKnown = false
  let ticksKnown = false
  const ages = blockAges()
  let epochs = openEpochs(rules, () => ages.stamp(systemClock.now()))
  const ports = { ...following, clock: systemClock }
  const slots = followTopic(ports, topics.slots, {
    apply({ slotId }, row) {
      if (row === null) owners.delete(slotId)
      else owners.set(slotId, row.history)
    },
    caughtUp() {
      slotsKnown = owners.size > 0 // an empty table is one that the clock has not begun
    },
    clear() {
      owners.clear()
      slotsKnown = false
    },
  })
  const ticks = followTopic(ports, topics.epochTicks, {
    recalled: TICKS_RECALLED,
    apply(_, tick) {
      if (tick === null) return
      if (tick.kind === 'HEAD') ages.heard(tick.blockTimestamp, systemClock.now())
      epochs.apply(tick)
    },
    caughtUp() {
      ticksKnown = true
    },
    clear() {
      epochs = openEpochs(rules, () => ages.stamp(systemClock.now()))
      ticksKnown = false
    },
  })
  return {
    ownersOf(slotId) {
      if (!slotsKnown || !ticksKnown) return 'no-word'
      const history = owners.get(slotId)
      return history && ownersSince(history, epochs.oldestRelease())
    },
    stateOf: (dataMarket, epochId) => epochs.stateOf(dataMarket, epochId),
    awaitedMax: (dataMarket) => epochs.awaitedMax(dataMarket),
    votesMax(dataMarket, owner) {
      const { perSlotPerEpoch, perFullNodePerEpoch, fullNodes } = rulesOfMarket(rules, dataMarket)
      return quotaFactor * (fullNodes.includes(owner) ? perFullNodePerEpoch : perSlotPerEpoch)
    },
    stamp: ages.stamp,
    blockAge: ages.least,
    recover: async (submissions) => (await signers.recover(submissions)).map((one) => one!),
    close: () => Promise.all([slots.close(), ticks.close()]),
  }
}

/**
 * The addresses that may have signed a vote that counts: the owner as of the newest block, last, and before it owners who lost
 * the slot after `block`. The row of a sale comes here before the marker that makes `validate` judge by it, so for some time the
 * seller's votes still count; so do a buyer's whose sale has just left the chain. Nobody, the empty text, stands for who has a
 * slot that is inactive.
 */
function ownersSince(history: readonly SlotOwnership[], { block, forks }: Release): readonly string[] {
  const nameOf = ({ owner, active }: SlotOwnership): string => (active ? owner : '')
  const newest = history.findLast(({ untilFork }) => untilFork === 0)
  const now = newest ? nameOf(newest) : ''
  const since = history.slice(Math.max(0, placeAsOf(history, block, forks)))
  const span = since.filter(({ untilFork }) => untilFork === 0 || untilFork > forks).map(nameOf)
  return [...new Set(span.filter((owner) => owner !== '' && owner !== now)), now]
}
