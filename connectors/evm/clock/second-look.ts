/**
 * The logs of a block are asked for twice: with the block, and some blocks later. A node may have a block before it has its
 * logs, and on chains whose headers have no bloom filter nothing else tells that a log is missing.
 */
import {
  type BlockEvents,
  type BlockHeader,
  type ContractAddresses,
  eventsOf,
  mayHold,
  type ReleasedEpoch,
} from '../contract/chain-reader.ts'
import type { Ask } from '../nodes/ask.ts'
import type { Head } from './chain-state.ts'

/** Events that only the second look found. */
export interface LateEvents {
  readonly block: Head
  readonly releases: readonly ReleasedEpoch[]
  /** Slots that its events name: who holds them is read anew. */
  readonly slotIds: readonly number[]
  /** Whether this process made the first look too; if not, nothing need have been overlooked. */
  readonly isKnown: boolean
}

interface Look {
  readonly number: number
  /** Undefined when the bloom filter of the header excludes every event. */
  readonly events: BlockEvents | undefined
  /** The releases agree with the contract's count: one more is the repetition of an epoch. */
  readonly isCounted: boolean
}

/** The findings of the first look in each of the newest blocks, by block hash; lost with the process. */
export class FirstLooks {
  private readonly looks = new Map<string, Look>()

  /** @param keepFrom older blocks are forgotten */
  note(
    header: BlockHeader,
    events: BlockEvents,
    isCounted: boolean,
    addresses: ContractAddresses,
    keepFrom: number,
  ): void {
    const isExcluded =
      isFilter(header.logsBloom) && !mayHold(header.logsBloom, addresses.protocolState, addresses.nodes)
    this.looks.set(header.hash, { number: header.number, events: isExcluded ? undefined : events, isCounted })
    for (const [hash, { number }] of this.looks) {
      if (number >= keepFrom) break
      this.looks.delete(hash)
    }
  }

  needsLook({ hash }: Head): boolean {
    const look = this.looks.get(hash)
    return look === undefined || look.events !== undefined
  }

  /** The new events of a block. In a block that this process did not read first, every slot counts as new. */
  late(block: Head, { releases, slotChanges }: BlockEvents): LateEvents | undefined {
    const look = this.looks.get(block.hash)
    const before = look?.events
    const wasSeen = new Set(before?.releases.map(({ dataMarket, epochId }) => `${dataMarket}/${epochId}`))
    const mayBeLate = look !== undefined && !look.isCounted
    const late = mayBeLate ? releases.filter((one) => !wasSeen.has(`${one.dataMarket}/${one.epochId}`)) : []
    const same = before !== undefined && JSON.stringify(before.slotChanges) === JSON.stringify(slotChanges)
    const slotIds = same ? [] : [...new Set(slotChanges.map(({ slotId }) => slotId))]
    const isKnown = look !== undefined
    return late.length + slotIds.length > 0 ? { block, releases: late, slotIds, isKnown } : undefined
  }
}

/** A header of zeros is that of a block without logs, or of a chain without filters. */
const isFilter = (logsBloom: string | undefined): boolean => /[1-9a-f]/.test(logsBloom?.slice(2) ?? '')

/** With it an empty answer is taken as it is. */
const NO_FILTER = `0x${'0'.repeat(512)}`

/** Asks for the events of known blocks once more. */
export async function lookAgain(
  ask: Ask,
  blocks: readonly Head[],
  { isOurs, ...addresses }: ContractAddresses & { readonly isOurs: (dataMarket: string) => boolean },
  first: FirstLooks,
): Promise<LateEvents[]> {
  const looks = blocks
    .filter((block) => first.needsLook(block))
    .map(async (block) => first.late(block, await eventsOf(ask, { ...block, logsBloom: NO_FILTER }, addresses, isOurs)))
  return (await Promise.all(looks)).filter((late) => late !== undefined)
}
