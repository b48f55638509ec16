/**
 * Takes one vote per slot, and names for each project the CID that most slots reported. Everything is decided at the close, over
 * all that was admitted, so the order of arrival decides nothing.
 */

import { isNone, NO_TIME } from '../../schemas/none.ts'
import type {
  Ballot,
  DroppedSubmission,
  EpochKey,
  EpochMarker,
  EpochTick,
  ProjectFinalization,
  SubmissionKey,
} from '../../schemas/types.ts'
import type { ProcessorSupplier } from '../../streams/processor.ts'
import { type MarketRules, type ProtocolRules, rulesOfMarket } from '../rules.ts'
import { byArrival, byText } from '../shared/arrival.ts'
import { type CostRules, costOfBatch, costOfProject, isTooCostly } from '../shared/batch-cost.ts'
import { frameTexts } from '../shared/frames.ts'
import { asBuffer } from '../shared/keccak.ts'
import { candidatesOf, countsOf, finalizationParts } from '../shared/parts.ts'
import { tieBreaker } from '../shared/signature.ts'
import { createVoteContents, LEAF_BYTES, signatureOf, type Vote, voteOf } from '../shared/vote.ts'
import type { Stores } from '../stores.ts'
import { type Admitted, epochScope, isWithdrawal } from '../topics.ts'
import type { DropReason } from '../verdict.ts'

export type ConsensusOutputs = { readonly finalized: readonly [EpochKey, ProjectFinalization, EpochMarker] }

export const tallyEpoch =
  (
    rules: ProtocolRules,
    stores: Pick<Stores, 'votes'>,
  ): ProcessorSupplier<SubmissionKey, Admitted, ConsensusOutputs, EpochMarker> =>
  (context) => {
    const votes = context.store(stores.votes)
    const contents = createVoteContents()
    const { finalized } = context.outputs
    return {
      process({ dataMarket, epochId }, value) {
        const scope = epochScope(dataMarket, epochId)
        if (isWithdrawal(value)) votes.delete(scope, keyOf(value.withdrawnDigest, value.signer))
        else {
          const key = keyOf(value.digest, value.signer)
          const vote = votes.get(scope, key)
          // A copy of what is in says that its header is contested, and nothing else.
          votes.put(scope, key, vote ? { ...vote, contested: true } : voteOf(value, contents.of(scope, value)))
        }
        return undefined
      },
      onMarker(marker) {
        const { tick, blockTimes } = marker
        const { dataMarket, epochId } = tick
        const scope = epochScope(dataMarket, epochId)
        const headers = new Set(tick.acceptedHeaders)
        const market = rulesOfMarket(rules, dataMarket)
        for (const [projectId, ofProject] of byProject(votes.entries(scope)))
          for (const part of finalizationParts(
            finalizeProject(projectId, ofProject, { tick, headers, blockTimes, market }),
          ))
            finalized.send({ dataMarket, epochId }, part)
        votes.dropScope(scope)
        contents.forget(scope)
        finalized.sendMarker(marker)
        return undefined
      },
    }
  }

/** Two owners of a slot may sign the same within one epoch. */
const keyOf = (digest: Uint8Array, signer: string): string => `${asBuffer(digest).toString('hex')}/${signer}`

function byProject(votes: Iterable<[string, Vote]>): Map<string, Vote[]> {
  const projects = new Map<string, Vote[]>()
  for (const [, vote] of votes) {
    const project = projects.get(vote.content.projectId)
    if (project) project.push(vote)
    else projects.set(vote.content.projectId, [vote])
  }
  return projects
}

export interface Closing {
  readonly tick: Pick<EpochTick, 'blockNumber' | 'blockHash' | 'releaseBlock'>
  /** Hashes of the canonical blocks from release to close. */
  readonly headers: ReadonlySet<string>
  /** Seconds, of the blocks up to the closing one; as many as are known. */
  readonly blockTimes: readonly number[]
  readonly market: Pick<MarketRules, 'votesMin' | 'shareMin' | 'clockSkewSeconds'> & CostRules
}

/**
 * The CID most slots reported for one project in one closed epoch.
 * @param admitted all that was admitted for the project, in any order: the result is the same
 * @returns in one piece, of any size
 */
export function finalizeProject(projectId: string, admitted: readonly Vote[], closing: Closing): ProjectFinalization {
  const { tick, headers, market } = closing
  const last = Math.max(tick.releaseBlock, tick.blockNumber)
  const dropped: DroppedSubmission[] = []
  const onChain: Vote[] = []
  for (const vote of admitted.toSorted(inOrder)) {
    const { deadline, header } = vote.content
    const passed = deadline < last ? blockBefore(vote, closing) : last
    if (deadline < passed) {
      dropped.push(drop(vote, 'DEADLINE_PASSED', `at least ${passed}`, `${deadline}`))
      continue
    }
    // "The header must be a canonical block in [release, close]": since it was validated, its block may have come or gone.
    if (vote.contested || headers.has(header)) onChain.push(vote)
    else dropped.push(drop(vote, whyNotOnChain(vote, tick), headersExpected(tick), header))
  }
  const votes = oneVotePerSlot(onChain, dropped)
  const contents = votes.map(({ content }) => content)
  const counts = countsOf(contents)
  const winner = winnerOf(counts, tick.blockHash)
  const counted = winner === undefined ? 0 : counts.get(winner)!
  const summary = {
    projectId,
    votes: counted,
    voters: votes.length,
    closeBlock: tick.blockNumber,
    texts: NOTHING,
    dropped,
    equivocations: votes.length < admitted.length ? equivocators(admitted) : [],
    candidates: candidatesOf(counts, winner),
    part: 0,
    parts: 1,
  }
  // "A project that fits no transaction has no winner": only submissions that were admitted by wider rules can be so long.
  const cost = costOfProject(Buffer.byteLength(projectId), Buffer.byteLength(winner ?? ''))
  if (winner !== undefined && isTooCostly(cost, market)) {
    const { gas, calldata } = costOfBatch(cost)
    const expected = `at most ${market.batchGasMax} gas and ${market.batchCalldataMax} bytes of calldata`
    for (const vote of votes) dropped.push(drop(vote, 'UNANCHORABLE', expected, `${gas} gas and ${calldata} bytes`))
    return { ...summary, snapshotCid: '', ballots: [], frames: [], signatures: NOTHING, leaves: NOTHING }
  }
  const quorum = quorumMissed(counted, votes.length, market)
  if (quorum) {
    for (const vote of votes) dropped.push(drop(vote, 'NO_QUORUM', quorum, `${counted} of ${votes.length} votes`))
    return { ...summary, snapshotCid: '', ballots: [], frames: [], signatures: NOTHING, leaves: NOTHING }
  }
  const { frames, frameNumbers, signatures } = frameTexts(votes)
  const ballots = votes.map(
    ({ position, submissionId, slotId }, i): Ballot => ({
      position,
      submissionId,
      slotId,
      snapshotCid: contents[i]!.snapshotCid,
      frame: frameNumbers[i]!,
    }),
  )
  return { ...summary, snapshotCid: winner!, ballots, frames, signatures, leaves: leavesOf(votes) }
}

/** One behind the other. */
function leavesOf(votes: readonly Vote[]): Buffer {
  const leaves = Buffer.allocUnsafe(votes.length * LEAF_BYTES)
  for (let i = 0; i < votes.length; i++) leaves.write(votes[i]!.leaf, i * LEAF_BYTES, 'latin1')
  return leaves
}

/** By arrival; of equal ones by what was signed, so that no two are ever equal. */
const inOrder = (a: Vote, b: Vote): number =>
  byArrival(a, b) ||
  a.slotId - b.slotId ||
  a.content.deadline - b.content.deadline ||
  byText(a.content.snapshotCid, b.content.snapshotCid) ||
  byText(signatureOf(a), signatureOf(b))

/**
 * "The deadline is the last block at which it may be taken": the block that was the newest when it came, by their times and
 * that of its arrival, so that it does not matter when the log heard of the block; at the earliest the release.
 */
function blockBefore(
  { receivedAt }: Vote,
  { tick: { blockNumber, releaseBlock }, blockTimes, market }: Closing,
): number {
  const certain = receivedAt / 1000 - market.clockSkewSeconds
  const after = blockTimes.findLastIndex((time) => time !== NO_TIME && time <= certain)
  return after < 0 ? releaseBlock : Math.max(releaseBlock, blockNumber - (blockTimes.length - 1 - after))
}

/** By what `validate` knew of the block that the header names. */
function whyNotOnChain({ headerBlock }: Vote, { releaseBlock }: Closing['tick']): DropReason {
  if (isNone(headerBlock)) return 'UNKNOWN_HEADER'
  return headerBlock < releaseBlock ? 'STALE_HEADER' : 'ORPHANED_HEADER'
}

/**
 * A slot has one vote for a project: the highest signed deadline, and the first to arrive among equal deadlines.
 * @param votes in the order of arrival
 * @returns ascending by slotId
 */
function oneVotePerSlot(votes: readonly Vote[], dropped: DroppedSubmission[]): Vote[] {
  const standing = new Map<number, Vote>()
  for (const vote of votes) {
    const before = standing.get(vote.slotId)
    if (!before || vote.content.deadline > before.content.deadline) standing.set(vote.slotId, vote)
  }
  if (standing.size < votes.length)
    for (const vote of votes) {
      const stands = standing.get(vote.slotId)!
      const expected = `deadline ${stands.content.deadline} of ${stands.submissionId}`
      if (vote !== stands) dropped.push(drop(vote, 'SUPERSEDED', expected, `${vote.content.deadline}`))
    }
  return [...standing.values()].sort((a, b) => a.slotId - b.slotId)
}

/** Most votes; ties go to the lowest keccak256(closeBlockHash ‖ utf8 cid), which nobody can know while submitting. */
function winnerOf(counts: ReadonlyMap<string, number>, closeBlockHash: string): string | undefined {
  const most = [...counts.values()].reduce((max, count) => Math.max(max, count), 0)
  const tied = [...counts.keys()].filter((cid) => counts.get(cid) === most)
  if (tied.length < 2) return tied[0]
  const ranked = tied.map((cid) => ({ cid, rank: tieBreaker(closeBlockHash, cid) }))
  return ranked.sort((a, b) => Buffer.compare(a.rank, b.rank))[0]!.cid
}

/** The quorum that the winner lacks; undefined when it has it. */
function quorumMissed(
  votes: number,
  voters: number,
  { votesMin, shareMin }: Pick<MarketRules, 'votesMin' | 'shareMin'>,
): string | undefined {
  if (votes < Math.max(votesMin, 1)) return `at least ${votesMin} votes`
  return votes / voters < shareMin ? `at least ${shareMin} of the votes` : undefined
}

/** Slots that signed more than one CID for the project, ascending. */
function equivocators(votes: readonly Vote[]): number[] {
  const first = new Map<number, string>()
  const found = new Set<number>()
  for (const { slotId, content } of votes) {
    const before = first.get(slotId)
    if (before === undefined) first.set(slotId, content.snapshotCid)
    else if (before !== content.snapshotCid) found.add(slotId)
  }
  return [...found].sort((a, b) => a - b)
}

const NOTHING = Buffer.alloc(0)

const headersExpected = ({ releaseBlock, blockNumber }: Closing['tick']): string =>
  `a block of the chain from ${releaseBlock} to ${blockNumber}`

const drop = (
  { position, submissionId, slotId, content: { snapshotCid } }: Vote,
  reason: DropReason,
  expected: string,
  actual: string,
): DroppedSubmission => ({ position, submissionId, slotId, snapshotCid, reason, expected, actual })
