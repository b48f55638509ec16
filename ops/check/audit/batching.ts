/** Cuts the winners of an epoch into batches and writes each batch's bytes, a second time and plainly. */
import type { MarketRules } from '../../../topology/rules.ts'
import { compactBytes, submissionText } from '../verify/batch-json.ts'
import type { Keccak } from '../verify/keccak.ts'
import { referenceTree, rootDigest } from '../verify/merkle.ts'
import type { Entry } from './entry.ts'
import type { ProjectResult } from './tally.ts'
import { isAnchorable, transactionOf } from './transaction.ts'

export interface ExpectedBatch {
  readonly json: Buffer
  readonly roothash: string
  readonly finalizedCidsRootHash: string
  readonly projectIds: readonly string[]
  readonly snapshotCids: readonly string[]
  readonly submissionIds: readonly string[]
  readonly leavesBefore: number
  readonly gasEstimate: number
}

export interface ExpectedBatches {
  readonly count: number
  /** Made one at a time: their bytes together are as large as the epoch. */
  batches(): Generator<ExpectedBatch>
}

export function expectedBatches(
  results: readonly ProjectResult[],
  rules: MarketRules,
  keccak: Keccak,
): ExpectedBatches {
  const winners = results
    .filter((project) => project.snapshotCid !== '' && isAnchorable([project], rules))
    .sort((a, b) => Buffer.compare(Buffer.from(a.projectId), Buffer.from(b.projectId)))
  const parts = cut(winners, rules)
  return { count: parts.length, batches: () => render(parts, rules, keccak) }
}

function* render(
  parts: readonly (readonly ProjectResult[])[],
  rules: MarketRules,
  keccak: Keccak,
): Generator<ExpectedBatch> {
  let tree = referenceTree(keccak)
  let leavesBefore = 0
  for (const projects of parts) {
    if (rules.tree === 'fresh') {
      tree = referenceTree(keccak)
      leavesBefore = 0
    }
    const votes = projects.flatMap((project) => project.votes)
    const submissionIds = votes.map(({ submission }) => submission.submissionId)
    tree.append(submissionIds)
    const roothash = tree.digest()
    const projectIds = projects.map(({ projectId }) => projectId)
    const snapshotCids = projects.map(({ snapshotCid }) => snapshotCid)
    const submissions = votes.map(textOf)
    yield {
      json: compactBytes({ submissionIDs: submissionIds, submissions, roothash, pids: projectIds, cids: snapshotCids }),
      roothash,
      finalizedCidsRootHash: rootDigest(keccak, snapshotCids),
      projectIds,
      snapshotCids,
      submissionIds,
      leavesBefore,
      gasEstimate: transactionOf(projects).gas,
    }
    leavesBefore += submissionIds.length
  }
}

/** A batch is full when one more project would exceed the projects, the bytes, the gas or the calldata; a project is never split. */
function cut(winners: readonly ProjectResult[], rules: MarketRules): ProjectResult[][] {
  const batches: ProjectResult[][] = []
  let bytes = 0
  for (const project of winners) {
    const more = bytesOf(project)
    const last = batches.at(-1)
    const fits =
      last !== undefined &&
      last.length < rules.batchProjectsMax &&
      bytes + more <= rules.batchBytesMax &&
      isAnchorable([...last, project], rules)
    if (fits) last.push(project)
    else batches.push([project])
    // four lists, and in each a comma before what is not the first
    bytes = fits ? bytes + more : EMPTY_BYTES + more - LISTS
  }
  return batches
}

const LISTS = 4
const EMPTY_BYTES = compactBytes({
  submissionIDs: [],
  submissions: [],
  roothash: '0'.repeat(66),
  pids: [],
  cids: [],
}).length

/** Bytes that a project adds to a batch that holds others. */
function bytesOf({ projectId, snapshotCid, votes }: ProjectResult): number {
  const submissionIDs = votes.map(({ submission }) => submission.submissionId)
  const alone = {
    submissionIDs,
    submissions: votes.map(textOf),
    roothash: '0'.repeat(66),
    pids: [projectId],
    cids: [snapshotCid],
  }
  return compactBytes(alone).length - EMPTY_BYTES + LISTS
}

function textOf({ submission }: Entry): string {
  const { slotId, deadline, snapshotCid, epochId, projectId, signature, header, dataMarket, nodeVersion } = submission
  const request = {
    slotId: BigInt(slotId),
    deadline: BigInt(deadline),
    snapshotCid,
    epochId: BigInt(epochId),
    projectId,
  }
  return submissionText({ request, signature, header, dataMarket, ...(nodeVersion !== null && { nodeVersion }) })
}
