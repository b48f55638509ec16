/** Checks a proof with the file alone. Shares nothing with what builds proofs but the shape of the file. */
import { printable } from '../../base/printable.ts'
import { type Proof, ProofFault, parseProof } from '../../reading/proof/format.ts'
import { submissionText } from '../verify/batch-json.ts'
import { createKeccak256, fromHex, type Keccak, toHex } from '../verify/keccak.ts'
import { isLast, leafHash, pathLength, rootAbove, rootDigest } from '../verify/merkle.ts'
import { createSignatureReader, type SignatureReader } from '../verify/signature.ts'
import { viewFile } from './blocks.ts'
import { type ContentView, viewContent } from './content.ts'

export interface Shown {
  readonly proof: Proof
  /** The facts that the file shows, in words. */
  readonly shown: readonly string[]
  /** The facts that it cannot show, and whether a node can. */
  readonly notShown: readonly { readonly text: string; readonly nodeShows: boolean }[]
}

/**
 * Throws ProofFault with the first reason why the file proves nothing.
 * @param first further conditions on the proof, looked at as soon as it can be read; throws ProofFault when one does not hold
 */
export type VerifyProof = (bytes: Uint8Array, first?: (proof: Proof) => void) => Shown

/** Made once for many proofs: it loads two WebAssembly modules. */
export async function createProofVerifier(): Promise<VerifyProof> {
  const [keccak, signatures] = await Promise.all([createKeccak256(), createSignatureReader()])
  return (bytes, first) => {
    const proof = parseProof(bytes)
    first?.(proof)
    checkFields(proof)
    checkSignature(proof, signatures)
    const blocks = proof.batch.blocks.map((block) => Buffer.from(block, 'base64'))
    const content = viewContent(viewFile(proof.batch.cid, blocks))
    checkContent(proof, content)
    checkIdTree(proof, content, keccak)
    checkCidTree(proof, content, keccak)
    return { proof, ...inWords(proof, content) }
  }
}

const quoted = (text: string | undefined): string => (text === undefined ? 'nothing' : printable(text))

/** A value that stands twice in the file must be the same twice. */
function checkFields({ dataMarket, epochId, projectId, slotId, submission }: Proof): void {
  const { request } = submission
  const pairs = [
    ['slotId', slotId, request.slotId],
    ['epochId', epochId, request.epochId],
    ['projectId', projectId, request.projectId],
    ['dataMarket', dataMarket, submission.dataMarket.toLowerCase()],
  ] as const
  for (const [name, stated, inside] of pairs)
    check(
      stated === inside,
      `${name} is ${printable(String(stated))}, but the submission says ${printable(String(inside))}`,
    )
}

function checkSignature({ chainId, protocolState, signer, submission }: Proof, reader: SignatureReader): void {
  const digest = reader.digest(reader.domainSeparator({ chainId, protocolState }), submission.request)
  const found = reader.signer(digest, submission.signature)
  if ('fault' in found) throw new ProofFault(`submission.signature: ${found.fault}`)
  const { address } = found
  check(address === signer, `the signature is of ${address} for this chain, contract and request, not of ${signer}`)
}

/** The submission, its project and the project's CID stand in the batch, whose bytes its CID names. */
function checkContent(proof: Proof, { has, batch, pids, cids }: ContentView): void {
  const { submission, submissionIds, finalizedCids, projectId } = proof
  const text = textOf(submission)
  check(has(text), `the submission is not in the shown blocks of ${printable(proof.batch.cid)}`)
  if (batch) {
    const at = submissionIds.index - (submissionIds.size - batch.submissionIDs.length)
    const isThere = batch.submissionIDs[at] === submission.id && batch.submissions[at] === text
    check(isThere, `the batch has another submission as leaf ${submissionIds.index} of ${submissionIds.size}`)
  }
  const { index, size, snapshotCid } = finalizedCids
  check(size === cids.length, `the batch has ${cids.length} projects, finalizedCids.size is ${size}`)
  check(
    pids[index] === projectId,
    `the batch has ${quoted(pids[index])} as project ${index}, not ${printable(projectId)}`,
  )
  check(
    cids[index] === snapshotCid,
    `the batch has ${quoted(cids[index])} for the project, not ${printable(snapshotCid)}`,
  )
}

function checkIdTree({ submission, submissionIds }: Proof, { roothash }: ContentView, keccak: Keccak): void {
  const { leaf, size, lastLeaf, root } = submissionIds
  const [path, lastPath] = [submissionIds.path.map(fromHex), submissionIds.lastPath.map(fromHex)]
  check(leaf === toHex(leafHash(submission.id)), 'submissionIds.leaf is not the hash of the submission id')
  checkPath('submissionIds', submissionIds)
  const isRoot = lastPath.length === path.length && toHex(rootAbove(fromHex(lastLeaf), size - 1, lastPath)) === root
  check(isRoot && lastLeaf !== EMPTY_LEAF && isLast(size - 1, lastPath), `the tree does not have ${size} leaves`)
  checkDigest('submissionIds.roothash', root, submissionIds.roothash, keccak)
  check(
    roothash === submissionIds.roothash,
    `the batch states the root ${printable(roothash)}, not submissionIds.roothash`,
  )
}

function checkCidTree({ finalizedCids }: Proof, { cids }: ContentView, keccak: Keccak): void {
  const { leaf, snapshotCid, root, finalizedCidsRootHash } = finalizedCids
  check(leaf === toHex(leafHash(snapshotCid)), 'finalizedCids.leaf is not the hash of the CID')
  checkPath('finalizedCids', finalizedCids)
  checkDigest('finalizedCids.finalizedCidsRootHash', root, finalizedCidsRootHash, keccak)
  check(rootDigest(keccak, cids) === finalizedCidsRootHash, 'the root over the CIDs of the batch is another')
}

function checkPath(
  name: string,
  { leaf, index, size, path, root }: Proof['finalizedCids'] | Proof['submissionIds'],
): void {
  check(index < size, `${name}.index is ${index}, of a tree of ${size} leaves`)
  check(
    path.length === pathLength(size),
    `${name}.path has ${path.length} steps, ${size} leaves need ${pathLength(size)}`,
  )
  const found = toHex(rootAbove(fromHex(leaf), index, path.map(fromHex)))
  check(found === root, `${name}.path leads to ${found}, not to the root`)
}

const checkDigest = (name: string, root: string, digest: string, keccak: Keccak): void =>
  check(toHex(keccak(fromHex(root))) === digest, `${name} is not the keccak256 of the root`)

const EMPTY_LEAF = `0x${'00'.repeat(32)}`

function check(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new ProofFault(otherwise)
}

function textOf({ request, signature, header, dataMarket, nodeVersion }: Proof['submission']): string {
  const { slotId, deadline, epochId, snapshotCid, projectId } = request
  const numbers = { slotId: BigInt(slotId), deadline: BigInt(deadline), epochId: BigInt(epochId) }
  const signed = { ...numbers, snapshotCid, projectId }
  return submissionText({ request: signed, signature, header, dataMarket, nodeVersion: nodeVersion ?? undefined })
}

function inWords(proof: Proof, { batch }: ContentView): Pick<Shown, 'shown' | 'notShown'> {
  const { signer, slotId, anchor } = proof
  return {
    shown: shownBy(proof),
    notShown: [
      ...(batch ? [] : [{ text: PART_OF_A_BATCH, nodeShows: false }]),
      { text: `that ${signer} owned slot ${slotId} then: the sequencer checked it`, nodeShows: false },
      {
        text: `that the batch is anchored, by transaction ${anchor.transactionHash}: a node shows it, see --rpc`,
        nodeShows: true,
      },
    ],
  }
}

function shownBy(proof: Proof): Shown['shown'] {
  const { submission, signer, slotId, epochId, projectId, submissionIds, finalizedCids } = proof
  const won = submission.request.snapshotCid === finalizedCids.snapshotCid
  const place = `leaf ${submissionIds.index} of ${submissionIds.size}`
  return [
    `${signer} signed ${printable(submission.request.snapshotCid)} for project ${printable(projectId)} as slot ${slotId} in epoch ${epochId}`,
    `the batch ${printable(proof.batch.cid)} has this submission`,
    `its tree of submission ids, as the batch states it, has the id ${printable(submission.id)} as ${place}`,
    `it finalizes ${printable(finalizedCids.snapshotCid)} for the project${won ? ', what this submission reported' : ': this submission was outvoted'}`,
  ]
}

const PART_OF_A_BATCH =
  'that the id belongs to this submission: the file has only a part of so large a batch, `sequencer verify <cid>` reads all of it'
