/** Checks everything about a batch that its bytes alone can prove, without a log and without a node. */
import { type BatchContent, type BatchSubmission, batchBytes, parseBatch, readSubmission } from './batch-json.ts'
import { cidsOf } from './cid.ts'
import { createKeccak256, fromHex, type Keccak, toHex } from './keccak.ts'
import { referenceTree, rootDigest } from './merkle.ts'
import type { Note, Problem, Unchecked, VerifyReport } from './report.ts'
import { createSignatureReader, type SigningDomain, signatureFault } from './signature.ts'

export interface VerifyOptions {
  /** Without it no signature is checked. */
  readonly domain?: SigningDomain | undefined
  /** Slot → owner, 0x and 40 hex digits of any letter case. A slot without an owner here stays unchecked. */
  readonly slots?: ReadonlyMap<number, string> | undefined
  /** The epoch's earlier batches in order, when its submission-id tree is chained. */
  readonly previous?: readonly Uint8Array[] | undefined
  /** 0x and 64 hex digits: decides ties. */
  readonly closeBlockHash?: string | undefined
  /** The CID under which the bytes were found. */
  readonly expectedCid?: string | undefined
  /** The CID that the batch should have, in whatever layout its bytes come. */
  readonly statedCid?: string | undefined
}

/** Throws `BatchFormatError` when the bytes are no batch. Everything else is in the report. */
export async function verifyBatch(bytes: Uint8Array, options: VerifyOptions = {}): Promise<VerifyReport> {
  const batch = parseBatch(bytes)
  const canonical = batchBytes(batch)
  const [keccak, cids] = await Promise.all([createKeccak256(), cidsOf(canonical)])
  const findings: Findings = { problems: [], notes: [] }

  checkShape(batch, findings)
  if (isOtherCompactForm(bytes, canonical))
    findings.notes.push({
      code: 'NOT_CANONICAL',
      where: 'the file',
      message: 'The bytes are not the canonical form, so their own CID is another than the one shown.',
    })
  if (options.expectedCid !== undefined) await checkCid(bytes, options.expectedCid, findings)
  const { statedCid } = options
  if (statedCid !== undefined && statedCid !== cids.v0 && statedCid !== cids.v1)
    findings.problems.push({ code: 'CID_MISMATCH', where: statedCid, message: `the batch has the CID ${cids.v1}` })
  const roothash = checkRoot(batch, options, keccak, findings)
  const submissions = readSubmissions(batch, findings)
  checkSubmissions(batch, submissions, findings)
  checkWinners(batch, submissions, options, keccak, findings)
  const signatures = await checkSignatures(submissions, options, findings)

  return {
    ok: findings.problems.length === 0,
    cid: cids.v0,
    cidV1: cids.v1,
    roothash,
    finalizedCidsRootHash: rootDigest(keccak, batch.cids),
    epochId: submissions[0] ? Number(submissions[0].content.request.epochId) : null,
    dataMarket: submissions[0]?.content.dataMarket.toLowerCase() || null,
    submissions: batch.submissions.length,
    projects: batch.pids.length,
    signatures,
    ...findings,
    unchecked: uncheckedOf(submissions, options, findings),
  }
}

function uncheckedOf(
  submissions: readonly PlacedSubmission[],
  { domain, slots, expectedCid, statedCid }: VerifyOptions,
  { notes }: Findings,
): readonly Unchecked[] {
  const given = (slot: bigint) => slots?.has(Number(slot)) === true
  const unknown = new Set(submissions.map(({ content }) => content.request.slotId).filter((slot) => !given(slot)))
  const ties = notes.filter(({ code }) => code === 'TIE_UNDECIDED').length
  return [
    ...(domain ? [] : [{ code: 'DOMAIN', message: 'signatures (--chain-id and --protocol-state)' } as const]),
    ...(unknown.size > 0 ? [{ code: 'OWNERS', message: `owners of ${unknown.size} slots (--slot)` } as const] : []),
    ...(ties > 0 ? [{ code: 'TIES', message: `winners of ${ties} ties (--close-block-hash)` } as const] : []),
    ...((expectedCid ?? statedCid) === undefined
      ? [{ code: 'CID', message: 'the CID of these bytes (--cid)' } as const]
      : []),
    { code: 'CHAIN', message: 'that the contract keeps the batch (--rpc)' },
  ]
}

interface Findings {
  readonly problems: Problem[]
  readonly notes: Note[]
}

/** A submission that could be read, and its place. */
interface PlacedSubmission {
  readonly index: number
  readonly content: BatchSubmission
}

function checkShape(batch: BatchContent, { problems }: Findings): void {
  const { submissionIDs, submissions, pids, cids } = batch
  const differ = (where: string, message: string) => problems.push({ code: 'LENGTHS_DIFFER', where, message })
  if (submissionIDs.length !== submissions.length)
    differ('submissionIDs', `${submissionIDs.length} ids for ${submissions.length} submissions`)
  if (pids.length !== cids.length) differ('cids', `${cids.length} CIDs for ${pids.length} projects`)
  if (submissions.length === 0 || pids.length === 0)
    problems.push({
      code: 'EMPTY_BATCH',
      where: 'submissions',
      message: 'A batch without submissions is never anchored.',
    })
  const seen = new Set<string>()
  for (const [index, pid] of pids.entries()) {
    if (seen.has(pid))
      problems.push({ code: 'DUPLICATE_PROJECT', where: `pids[${index}]`, message: `${pid} stands twice (E25)` })
    seen.add(pid)
  }
}

/** Compact already, and still other bytes: escapes, key order or protojson layout differ. */
function isOtherCompactForm(bytes: Uint8Array, canonical: Buffer): boolean {
  if (canonical.equals(bytes)) return false
  const text = Buffer.from(bytes).toString('utf8')
  return !/^\s*\{\s/.test(text)
}

async function checkCid(bytes: Uint8Array, expected: string, { problems }: Findings): Promise<void> {
  const { v0, v1 } = await cidsOf(bytes)
  if (expected === v0 || expected === v1) return
  const message = `the bytes found there have the CID ${expected.startsWith('Qm') ? v0 : v1}`
  problems.push({ code: 'CID_MISMATCH', where: expected, message })
}

function checkRoot(
  batch: BatchContent,
  { previous = [] }: VerifyOptions,
  keccak: Keccak,
  { problems, notes }: Findings,
): VerifyReport['roothash'] {
  const fresh = rootDigest(keccak, batch.submissionIDs)
  const tree = referenceTree(keccak)
  for (const bytes of previous) tree.append(parseBatch(bytes).submissionIDs)
  tree.append(batch.submissionIDs)
  const stated = batch.roothash
  const matches = (digest: string) => digest === stated.toLowerCase()
  // with earlier batches given, the tree may still be a fresh one: then they do not matter
  const computed = matches(fresh) ? fresh : tree.digest()
  const ok = matches(computed)
  if (!ok)
    problems.push({
      code: 'ROOT_MISMATCH',
      where: 'roothash',
      message:
        previous.length === 0
          ? 'the root over the submission ids is another; if this is a later batch of an epoch, give the ones before it with --previous'
          : 'the root over the submission ids is another, with and without the earlier batches',
    })
  if (ok && previous.length > 0 && computed !== fresh)
    notes.push({
      code: 'LATER_BATCH',
      where: 'roothash',
      message: `The tree continues ${previous.length} earlier batch(es).`,
    })
  return { stated, computed, ok }
}

function readSubmissions(batch: BatchContent, { problems }: Findings): readonly PlacedSubmission[] {
  return batch.submissions.flatMap((text, index) => {
    try {
      return [{ index, content: readSubmission(text) }]
    } catch (error) {
      const message = (error as Error).message.replace(/\s+/g, ' ').slice(0, 200)
      problems.push({ code: 'UNREADABLE_SUBMISSION', where: `submissions[${index}]`, message })
      return []
    }
  })
}

function checkSubmissions(batch: BatchContent, submissions: readonly PlacedSubmission[], findings: Findings): void {
  const { problems, notes } = findings
  const pids = new Set(batch.pids)
  const first = submissions[0]?.content
  const seats = new Map<string, number>()
  const ids = new Map<string, PlacedSubmission>()
  for (const placed of submissions) {
    const { index, content } = placed
    const { slotId, epochId, projectId } = content.request
    const where = `submissions[${index}]`
    if (!pids.has(projectId)) problems.push({ code: 'UNKNOWN_PROJECT', where, message: `${projectId} is not in pids` })
    if (epochId !== first?.request.epochId)
      problems.push({
        code: 'EPOCHS_DIFFER',
        where,
        message: `epoch ${epochId}, the first has ${first?.request.epochId}`,
      })
    if (content.dataMarket.toLowerCase() !== first?.dataMarket.toLowerCase())
      problems.push({
        code: 'MARKETS_DIFFER',
        where,
        message: `data market ${content.dataMarket || '(none)'}, the first has another`,
      })

    const seat = `${slotId} ${projectId}`
    const other = seats.get(seat)
    if (other === undefined) seats.set(seat, index)
    else
      problems.push({ code: 'SLOT_VOTES_TWICE', where, message: `slot ${slotId} also votes in submissions[${other}]` })

    const id = batch.submissionIDs[index]
    const same = id === undefined ? undefined : ids.get(id)
    if (id !== undefined && !same) ids.set(id, placed)
    if (!same) continue
    // an id is not signed, so two senders may use one; the same submission twice is another matter
    if (same.content.signature === content.signature)
      problems.push({ code: 'DUPLICATE_SUBMISSION', where, message: `the same as submissions[${same.index}]` })
    else notes.push({ code: 'ID_REUSED', where, message: `The id ${id} also stands at submissions[${same.index}].` })
  }
}

/** The CID with the most slots wins; a tie goes to the lowest keccak256(closeBlockHash ‖ utf8 cid) (decision 0004). */
function checkWinners(
  batch: BatchContent,
  submissions: readonly PlacedSubmission[],
  { closeBlockHash }: VerifyOptions,
  keccak: Keccak,
  { problems, notes }: Findings,
): void {
  const votes = countVotes(submissions)
  const tieKey = (cid: string) => toHex(keccak(Buffer.concat([fromHex(closeBlockHash!), Buffer.from(cid, 'utf8')])))
  for (const [index, pid] of batch.pids.entries()) {
    const where = `pids[${index}]`
    const stated = batch.cids[index]
    const byCid = votes.get(pid)
    if (!byCid) {
      problems.push({ code: 'PROJECT_WITHOUT_SUBMISSION', where, message: `no submission names ${pid}` })
      continue
    }
    const most = [...byCid.values()].reduce((max, slots) => Math.max(max, slots.size), 0)
    const leaders = [...byCid.keys()].filter((cid) => byCid.get(cid)!.size === most)
    const decided = leaders.length === 1 || closeBlockHash !== undefined
    if (leaders.length > 1 && closeBlockHash !== undefined) leaders.sort((a, b) => (tieKey(a) < tieKey(b) ? -1 : 1))
    if (decided ? stated !== leaders[0] : !leaders.includes(stated ?? ''))
      problems.push({
        code: 'WRONG_WINNER',
        where,
        message: `${pid}: ${decided ? leaders[0] : `each of ${leaders.length} others`} has most votes, ${most}; the batch says ${stated ?? 'nothing'}`,
      })
    else if (!decided)
      notes.push({
        code: 'TIE_UNDECIDED',
        where,
        message: `${leaders.length} CIDs of ${pid} have most votes, ${most} each; the winner among them needs --close-block-hash.`,
      })
  }
}

/** Project → CID → slots that report it. */
function countVotes(submissions: readonly PlacedSubmission[]): ReadonlyMap<string, ReadonlyMap<string, Set<bigint>>> {
  const votes = new Map<string, Map<string, Set<bigint>>>()
  for (const { content } of submissions) {
    const { projectId, snapshotCid, slotId } = content.request
    const byCid = votes.get(projectId) ?? new Map<string, Set<bigint>>()
    votes.set(projectId, byCid)
    byCid.set(snapshotCid, (byCid.get(snapshotCid) ?? new Set()).add(slotId))
  }
  return votes
}

async function checkSignatures(
  submissions: readonly PlacedSubmission[],
  { domain, slots }: VerifyOptions,
  { problems }: Findings,
): Promise<VerifyReport['signatures']> {
  const counts = { valid: 0, invalid: 0, unchecked: 0 }
  if (!domain) {
    // Whose it is needs the domain; that it is nobody's does not.
    for (const { index, content } of submissions) {
      const fault = signatureFault(content.signature)
      if (fault === undefined) counts.unchecked++
      else {
        counts.invalid++
        problems.push({ code: 'BAD_SIGNATURE', where: `submissions[${index}]`, message: fault })
      }
    }
    return counts
  }
  const reader = await createSignatureReader()
  const separator = reader.domainSeparator(domain)
  for (const { index, content } of submissions) {
    const { request, signature } = content
    const where = `submissions[${index}]`
    const signer = reader.signer(reader.digest(separator, request), signature)
    const owner = slots?.get(Number(request.slotId))?.toLowerCase()
    if ('fault' in signer) {
      counts.invalid++
      problems.push({ code: 'BAD_SIGNATURE', where, message: signer.fault })
    } else if (owner === undefined) counts.unchecked++
    else if (signer.address === owner) counts.valid++
    else {
      counts.invalid++
      const message = `signed by ${signer.address}, slot ${request.slotId} belongs to ${owner}`
      problems.push({ code: 'SLOT_MISMATCH', where, message })
    }
  }
  return counts
}
