/** What the intake knows of slots and epochs, followed from the log (decision 0023). */
import type { Guide } from '../../connectors/libp2p/admission.ts'
import { systemClock } from '../../connectors/log/system-clock.ts'
import type { Log } from '../../streams/ports.ts'
import { type ProtocolRules, rulesOfMarket } from '../../topology/rules.ts'
import type { Topics } from '../../topology/topics.ts'
import type { Closeable } from '../lifecycle.ts'
import type { SignerPool } from '../signers.ts'
import { openEpochs } from './epochs-open.ts'
import { followTopic } from './follow.ts'

/** Ticks before the end: what is open now was opened in them. */
const TICKS_RECALLED = 20_000

export interface GuideOptions {
  readonly rules: ProtocolRules
  readonly topics: Topics
  readonly log: Log
  readonly signers: SignerPool
  /** Votes of a slot that are taken for an epoch, as a multiple of the market's quota. */
  readonly quotaFactor: number
}

export function createGuide({ rules, topics, log, signers, quotaFactor }: GuideOptions): Guide & Closeable {
  const owners = new Map<number, readonly string[]>()
  let slotsKnown = false
  const epochs = openEpochs(rules)
  const ports = { log, clock: systemClock }
  const slots = followTopic(ports, topics.slots, {
    apply({ slotId }, row) {
      if (row === null) owners.delete(slotId)
      else owners.set(slotId, [...new Set(row.history.map(({ owner }) => owner))])
    },
    caughtUp() {
      slotsKnown = owners.size > 0 // an empty table is one that the clock has not begun
    },
  })
  const ticks = followTopic(ports, topics.epochTicks, {
    recalled: TICKS_RECALLED,
    apply(_, tick) {
      if (tick !== null) epochs.apply(tick)
    },
  })
  return {
    ownersOf: (slotId) => (slotsKnown ? owners.get(slotId) : 'no-word'),
    takes: epochs.takes,
    votesMax(dataMarket, owner) {
      const { perSlotPerEpoch, perFullNodePerEpoch, fullNodes } = rulesOfMarket(rules, dataMarket)
      return quotaFactor * (fullNodes.includes(owner) ? perFullNodePerEpoch : perSlotPerEpoch)
    },
    recover: async (submissions) => (await signers.recover(submissions)).map((one) => one!),
    close: () => Promise.all([slots.close(), ticks.close()]),
  }
}
