/** An epoch with real signatures, packed into batches by the topology and anchored in rows as the anchor stage writes them. */
import { createHash } from 'node:crypto'
import { computeCid } from '../../../../connectors/ipfs/cid.ts'
import { createProofs, type ProofPorts, type Proofs } from '../../../../ops/reading/proof/source.ts'
import { signDigest, slotWallet } from '../../../../ops/world/snapshotters/wallets.ts'
import { withBytes } from '../../../../schemas/batch-joiner.ts'
import type { Anchor, Batch, ProjectFinalization, Submission } from '../../../../schemas/types.ts'
import { packEpoch } from '../../../../topology/batch/batch.ts'
import { MARKET_DEFAULTS, type MarketRules } from '../../../../topology/rules.ts'
import { frameTexts } from '../../../../topology/shared/frames.ts'
import { digestOf, domainOf } from '../../../../topology/shared/signature.ts'
import { voteOf } from '../../../../topology/shared/vote.ts'
import { anchorOf, HASH, MARKET, submissionOf } from '../../look/fixture.ts'

export const CHAIN = { chainId: 31337, protocolState: `0x${'c3'.repeat(20)}` }
export const EPOCH = 3
/** A slot's key is another's too: the file does not say who owns a slot, and making keys is slow. */
const KEYS = 20

export interface SignedEpoch {
  readonly submissions: readonly Submission[]
  readonly batches: readonly Batch[]
  readonly anchors: Map<number, Anchor>
  readonly ports: ProofPorts
  readonly proofs: Proofs
}

export interface EpochShape {
  readonly slots: number
  readonly projects: number
  readonly rules?: Partial<MarketRules>
  readonly cidVersion?: 0 | 1
  readonly projectName?: (project: number) => string
}

/** Slot n reports project n mod `projects`; every tenth another CID than the others. */
export async function signedEpoch({
  slots,
  projects,
  rules = {},
  cidVersion = 1,
  projectName,
}: EpochShape): Promise<SignedEpoch> {
  const wallets = Array.from({ length: KEYS }, (_, slot) => slotWallet(1, slot))
  const domain = domainOf(CHAIN)
  const submissions = Array.from({ length: slots }, (_, n) => {
    const project = n % projects
    const fields = submissionOf({
      submissionId: uuidOf(n),
      slotId: n + 1,
      epochId: EPOCH,
      projectId:
        projectName?.(project) ?? `pairContract_trade_volume:0x${hex(`project ${project}`).slice(0, 40)}:UNISWAPV2`,
      snapshotCid: `bafkrei${hex(`cid ${project} ${n % 10 === 9}`).slice(0, 52)}`,
      dataMarket: MARKET.toUpperCase().replace('0X', '0x'),
      nodeVersion: n % 3 === 0 ? null : 'v1.2.3',
    })
    return { ...fields, signature: signDigest(digestOf(fields, domain), wallets[n % KEYS]!.privateKey) }
  })
  const market: MarketRules = { ...MARKET_DEFAULTS, ...CHAIN, dataMarket: MARKET, ...rules }
  const tick = { epochId: EPOCH, releaseBlock: 10, blockNumber: 20, blockHash: HASH }
  const packed = [...packEpoch(finalizationsOf(submissions), tick, market)].slice(0, -1) as Batch[]
  const batches = packed.map(withBytes)
  const anchors = new Map<number, Anchor>()
  for (const { batchIndex, json, roothash, finalizedCidsRootHash } of batches) {
    const cid = await computeCid(json, cidVersion)
    const transactionHash = `0x${hex(`transaction ${batchIndex}`)}`
    anchors.set(
      batchIndex,
      anchorOf({ batchOffset: batchIndex, cid, roothash, finalizedCidsRootHash, transactionHash }),
    )
  }
  const ports: ProofPorts = {
    anchorsOf: async () => anchors,
    batchOf: async ({ batchOffset }) => batches[batchOffset],
  }
  return { submissions, batches, anchors, ports, proofs: createProofs(CHAIN, ports) }
}

function finalizationsOf(submissions: readonly Submission[]): ProjectFinalization[] {
  const byProject = new Map<string, Submission[]>()
  for (const one of submissions) byProject.set(one.projectId, [...(byProject.get(one.projectId) ?? []), one])
  return [...byProject].map(([projectId, all]) => {
    const { frames, frameNumbers, signatures } = frameTexts(all.map((submission) => voteOf(submission)))
    return {
      projectId,
      snapshotCid: all[0]!.snapshotCid,
      votes: all.length,
      voters: all.length,
      closeBlock: 20,
      ballots: all.map(({ submissionId, slotId, snapshotCid }, i) => ({
        position: { partition: 0, offset: 0 },
        submissionId,
        slotId,
        snapshotCid,
        frame: frameNumbers[i]!,
      })),
      texts: Buffer.alloc(0),
      frames,
      signatures,
      leaves: Buffer.alloc(0),
      dropped: [],
      equivocations: [],
      candidates: [],
      part: 0,
      parts: 1,
    }
  })
}

const hex = (text: string): string => createHash('sha256').update(text).digest('hex')

function uuidOf(n: number): string {
  const digits = hex(`id ${n}`)
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-8${digits.slice(17, 20)}-${digits.slice(20, 32)}`
}
