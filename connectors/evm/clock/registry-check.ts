/**
 * Which contract is the registry of slots. ProtocolState names it, and its owner can name another (`updateSnapshotterState`)
 * without any event: so it is read as of each step.
 */
import { type BlockHeader, nodesAddress, type StateAt } from '../contract/chain-reader.ts'
import { asOf, type NotSaid } from '../contract/not-said.ts'
import type { Ask } from '../nodes/ask.ts'

export interface RegistryRead {
  /** Headers before the block that changed the registry, or that block's alone; all headers when none changed it. */
  readonly headers: readonly BlockHeader[]
  /** As of the block before these. */
  readonly before: string
  /** As of the last of these. */
  readonly nodes: string
  /** The contract said so itself: it is there, and what else it does not say is its own word. */
  readonly isSaid: boolean
}

/**
 * @param base block before the first, or that one when nothing before it counts
 * @param known the registry as of it; undefined when it has to be read
 */
export async function registryOf(
  ask: Ask,
  protocolState: string,
  { headers, base, known }: { headers: readonly BlockHeader[]; base: StateAt; known: string | undefined },
  anyState: boolean,
  notSaid: NotSaid,
): Promise<RegistryRead> {
  const at = (header: BlockHeader): StateAt => (anyState ? 'latest' : { blockHash: header.hash })
  const addressAt = (state: StateAt): Promise<string> => nodesAddress(ask, protocolState, state)
  const unlessNotSaid = <N>(state: StateAt, instead: N): Promise<string | N> =>
    notSaid.or(
      ask,
      asOf('snapshotterState', state),
      () => addressAt(state),
      () => instead,
    )
  const newest = at(headers.at(-1)!)
  const [before, said] = await Promise.all([
    known ?? (anyState ? undefined : addressAt(base)),
    known === undefined ? addressAt(newest) : unlessNotSaid(newest, undefined),
  ])
  // Which one it is then nobody knows; it stays the one that it was, until another is named.
  const nodes = said ?? known!
  const isSaid = said !== undefined
  if (before === undefined || before === nodes || anyState) return { headers, before: before ?? nodes, nodes, isSaid }
  // The first block with another one, by bisection.
  let [low, high] = [0, headers.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((await unlessNotSaid(at(headers[middle]!), before)) === before) low = middle + 1
    else high = middle
  }
  if (low > 0) return { headers: headers.slice(0, low), before, nodes: before, isSaid }
  const first = headers.slice(0, 1)
  return { headers: first, before, nodes: await addressAt(at(first[0]!)), isSaid }
}
