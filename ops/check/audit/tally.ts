/** The vote on one project at the close of an epoch, as plainly as it can be said. */
import type { EpochTick } from '../../../schemas/types.ts'
import type { MarketRules } from '../../../topology/rules.ts'
import { fromHex, type Keccak, toHex } from '../verify/keccak.ts'
import { byArrival, compareText, type Decision, type Entry } from './entry.ts'
import { isAnchorable } from './transaction.ts'

export interface ProjectResult {
  readonly projectId: string
  /** Empty without a quorum. */
  readonly snapshotCid: string
  /** One per slot, the outvoted ones too, ascending by slot: what stands in the batch. Empty without a quorum. */
  readonly votes: readonly Entry[]
  /** Votes for the winner. */
  readonly counted: number
}

export interface TallyPorts {
  readonly rules: MarketRules
  readonly keccak: Keccak
  /** When the blocks that the close accepts were made, ms since 1970; undefined of one that is forgotten. */
  readonly timeOf: (hash: string) => number | undefined
  /** Takes the final word on each submission. */
  readonly decide: (decision: Decision) => void
}

export function tallyProject(
  projectId: string,
  entries: readonly Entry[],
  close: EpochTick,
  { rules, keccak, timeOf, decide: take }: TallyPorts,
): ProjectResult {
  const decide = (decision: Decision): void => take({ ...decision, stage: 'consensus', block: close.blockNumber })
  const times = close.acceptedHeaders.map(timeOf)
  const isOver = (entry: Entry) => entry.submission.deadline < blockAtArrival(entry, times, close, rules)
  for (const entry of entries.filter(isOver)) decide({ entry, reason: 'DEADLINE_PASSED' })
  const inTime = entries.filter((entry) => !isOver(entry))
  const headers = new Set(close.acceptedHeaders)
  const isOnChain = ({ submission, contested }: Entry) => contested || headers.has(submission.header)
  for (const entry of inTime) if (!isOnChain(entry)) decide({ entry, ...offChain(entry, close.releaseBlock) })

  const onChain = inTime.filter(isOnChain)
  const votes = oneVotePerSlot(onChain)
  const voters = new Set(votes)
  for (const entry of onChain) if (!voters.has(entry)) decide({ entry, reason: 'SUPERSEDED' })

  const winner = winnerOf(votes, close.blockHash, keccak)
  const isForWinner = ({ submission }: Entry) => submission.snapshotCid === winner
  const counted = votes.filter(isForWinner).length
  if (winner !== undefined && !isAnchorable([{ projectId, snapshotCid: winner }], rules)) {
    for (const entry of votes) decide({ entry, reason: 'UNANCHORABLE' })
    return { projectId, snapshotCid: '', votes: [], counted: 0 }
  }
  if (winner === undefined || counted < rules.votesMin || counted / votes.length < rules.shareMin) {
    for (const entry of votes) decide({ entry, reason: 'NO_QUORUM' })
    return { projectId, snapshotCid: '', votes: [], counted: 0 }
  }
  for (const entry of votes) decide({ entry, reason: isForWinner(entry) ? 'COUNTED' : 'OUTVOTED' })
  const bySlot = votes.sort((a, b) => a.submission.slotId - b.submission.slotId)
  return { projectId, snapshotCid: winner, votes: bySlot, counted }
}

/** The newest block when it came, as the blocks' own times say; the release when it came before that. */
function blockAtArrival(
  { submission }: Entry,
  times: readonly (number | undefined)[],
  { releaseBlock, blockNumber }: EpochTick,
  { clockSkewSeconds }: MarketRules,
): number {
  const cameAt = submission.receivedAt - 1000 * clockSkewSeconds
  let number = blockNumber
  for (const time of [...times].reverse()) {
    if (time !== undefined && time <= cameAt) return number < releaseBlock ? releaseBlock : number
    number--
  }
  return releaseBlock
}

/** A header was unknown, too old, or its block has left the chain since. */
function offChain({ headerBlock, headerExpired }: Entry, releaseBlock: number): Pick<Decision, 'reason' | 'or'> {
  if (headerBlock !== undefined) return { reason: headerBlock >= releaseBlock ? 'ORPHANED_HEADER' : 'STALE_HEADER' }
  return { reason: 'UNKNOWN_HEADER', ...(headerExpired && { or: ['STALE_HEADER', 'ORPHANED_HEADER'] }) }
}

/** Per slot the highest deadline; of equal ones the first, and of those for one moment and under one id the lowest CID. */
function oneVotePerSlot(entries: readonly Entry[]): Entry[] {
  const bySlot = new Map<number, Entry>()
  const inOrder = (a: Entry, b: Entry): number => {
    const { receivedAt, submissionId, snapshotCid } = a.submission
    const isSameArrival = receivedAt === b.submission.receivedAt && submissionId === b.submission.submissionId
    return isSameArrival ? compareText(snapshotCid, b.submission.snapshotCid) : byArrival(a, b)
  }
  for (const entry of [...entries].sort(inOrder)) {
    const { slotId, deadline } = entry.submission
    const before = bySlot.get(slotId)
    if (!before || deadline > before.submission.deadline) bySlot.set(slotId, entry)
  }
  return [...bySlot.values()]
}

/** Most votes; of equal ones the lowest keccak256(closeBlockHash ‖ utf8 cid) (decision 0004). */
function winnerOf(votes: readonly Entry[], closeBlockHash: string, keccak: Keccak): string | undefined {
  const counts = new Map<string, number>()
  for (const { submission } of votes) counts.set(submission.snapshotCid, (counts.get(submission.snapshotCid) ?? 0) + 1)
  let most = 0
  for (const count of counts.values()) most = Math.max(most, count)
  const rank = (cid: string) => toHex(keccak(Buffer.concat([fromHex(closeBlockHash), Buffer.from(cid, 'utf8')])))
  let first: { readonly cid: string; readonly rank: string } | undefined
  for (const [cid, count] of counts) {
    const tied = count === most ? { cid, rank: rank(cid) } : undefined
    if (tied && (!first || compareText(tied.rank, first.rank) < 0)) first = tied
  }
  return first?.cid
}
