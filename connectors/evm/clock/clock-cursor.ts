/**
 * The place that the clock has reached, kept beside the committed offset of epoch-ticks. Copies lie beside those of tick-requests,
 * market-requests and slots, since brokers forget the offset of a topic when that is deleted.
 */
import type { CommittedOffset, Log, OffsetCommit, TopicPartition } from '../../../streams/ports.ts'
import type { ChainState } from './chain-state.ts'

export interface Cursor {
  readonly block: number
  readonly hash: string
  readonly parentHash: string
  readonly timestamp: number
  /** Block of the newest full reading of the slots; absent when it left the chain. */
  readonly slotsReadAt?: number | undefined
  /** The registry of slots that the table follows; absent in logs of older releases, and when its block left the chain. */
  readonly registry?: SlotRegistry | undefined
  /** ORPHAN ticks so far; absent in logs of older releases. */
  readonly forks?: number | undefined
  /** Hash of block 0; empty or absent when no node told it. */
  readonly genesis?: string | undefined
  /** Ids of the clock's topics; absent where topics have none, and in cursors of older releases. */
  readonly ids?: TopicIdsOfClock | undefined
  /** Where the tables began when they were whole; absent in cursors of older releases. */
  readonly begins?: TableBegins | undefined
}

/** First offsets of the tables. Compaction moves none of them: a table that begins later has lost rows. */
export interface TableBegins {
  readonly slots: number
  readonly markets: number
}

const ROLES = ['epochTicks', 'tickRequests', 'slots', 'marketRequests', 'markets'] as const
type Role = (typeof ROLES)[number]

/** Which topics the clock's positions and tables belong to: one that was deleted and made anew has another id. */
export type TopicIdsOfClock = Partial<Readonly<Record<Role, string>>>

/** Undefined where topics cannot be deleted. */
export async function topicIdsOf(
  log: Pick<Log, 'topicIds'>,
  topics: Readonly<Record<Role, { readonly name: string }>>,
): Promise<TopicIdsOfClock | undefined> {
  const ids = await log.topicIds(ROLES.map((role) => topics[role].name))
  return ids && Object.fromEntries(ROLES.map((role) => [role, ids.get(topics[role].name)]))
}

/** True when the table begins behind where it did: somebody has deleted rows of it. */
export const isCutSince = (kept: TableBegins | undefined, now: TableBegins, table: keyof TableBegins): boolean =>
  kept !== undefined && now[table] > kept[table]

/** True when one of the topics was made anew since its id was kept; a topic without an id, then or now, tells nothing. */
export const anewSince =
  (kept: TopicIdsOfClock | undefined, now: TopicIdsOfClock | undefined) =>
  (...roles: readonly Role[]): boolean =>
    roles.some((role) => kept?.[role] !== undefined && now?.[role] !== undefined && kept[role] !== now[role])

export interface SlotRegistry {
  readonly address: string
  /** First block with it; 0 when it was there from the beginning. */
  readonly sinceBlock: number
}

function cursorIn(metadata: string | undefined): Cursor | undefined {
  try {
    return metadata ? (JSON.parse(metadata) as Cursor) : undefined
  } catch {
    return undefined
  }
}

export const withCursor = (
  cursor: Cursor | undefined,
  ...positions: readonly (TopicPartition & Pick<OffsetCommit, 'next'>)[]
): OffsetCommit[] => positions.map((at) => ({ ...at, metadata: cursor ? JSON.stringify(cursor) : '' }))

/**
 * A copy counts only where the ticks were made anew: an offset that somebody took away says that all ticks are to be read. The
 * furthest does.
 */
export function keptCursor(
  ofTicks: CommittedOffset | undefined,
  copies: readonly (CommittedOffset | undefined)[],
  now: TopicIdsOfClock | undefined,
): Cursor | undefined {
  const cursor = cursorIn(ofTicks?.metadata)
  if (cursor) return cursor
  const others = copies.flatMap((copy) => cursorIn(copy?.metadata) ?? [])
  return others.filter(({ ids }) => anewSince(ids, now)('epochTicks')).sort((a, b) => b.block - a.block)[0]
}

/** The part of it that stays when the blocks from `block` on leave the chain. */
export function cursorBefore({ slotsReadAt, registry, genesis }: Cursor, block: number): Partial<Cursor> {
  return {
    // A full reading changes rows as of its block: without that block it is to be made again.
    slotsReadAt: slotsReadAt !== undefined && slotsReadAt < block ? slotsReadAt : undefined,
    registry: registry && registry.sinceBlock < block ? registry : undefined,
    genesis,
  }
}

/** The ticks must end where the cursor says. After a pause longer than their retention there are none, and the cursor goes on. */
export function startFrom(cursor: Cursor | undefined, chain: ChainState): ChainState {
  const newest = chain.heads.at(-1)
  if (!cursor || (newest?.number === cursor.block && newest.hash === cursor.hash)) return chain
  if (newest) {
    throw new Error(
      `the ticks end at block ${newest.number} ${newest.hash}, the cursor at ${cursor.block} ${cursor.hash}`,
    )
  }
  const { block: number, hash, parentHash, timestamp, forks = 0 } = cursor
  return { heads: [{ number, hash, parentHash, timestamp, offset: 0 }], open: [], refused: [], forks }
}
