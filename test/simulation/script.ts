/** What happens around the sequencer in one simulated run, by the seed: blocks, releases, closes, and what slots send. */
import { createHash } from 'node:crypto'
import { SeededRandom } from '../../connectors/log/seeded-random.ts'
import { signDigest, slotWallet } from '../../ops/snapshotters/wallets.ts'
import type { EpochTick, SlotOwner, Submission, SubmissionKey } from '../../schemas/types.ts'
import { MARKET_DEFAULTS, type ProtocolRules, RULES_DEFAULTS } from '../../topology/rules.ts'
import { digestOf, domainOf } from '../../topology/signature.ts'

export const MARKET = `0x${'a1'.repeat(20)}`
export const PROTOCOL_STATE = `0x${'b2'.repeat(20)}`
export const CHAIN_ID = 31_337
const SLOTS = 6
const PROJECTS = 4
const EPOCHS = 3
const WINDOW_BLOCKS = 2
const BLOCKS_PER_EPOCH = 3
export const BLOCK_MS = 1_000

export const RULES: ProtocolRules = {
  ...RULES_DEFAULTS,
  markets: [
    { ...MARKET_DEFAULTS, dataMarket: MARKET, chainId: CHAIN_ID, protocolState: PROTOCOL_STATE, batchProjectsMax: 2 },
  ],
}

export interface ScriptedSubmission {
  readonly atMs: number
  readonly key: SubmissionKey
  readonly submission: Submission
}

export interface Script {
  readonly slots: readonly SlotOwner[]
  /** One entry per block: its ticks in order. */
  readonly blocks: readonly (readonly EpochTick[])[]
  /** Ascending by time. */
  readonly submissions: readonly ScriptedSubmission[]
  readonly epochs: number
}

const WALLETS = Array.from({ length: SLOTS }, (_, i) => slotWallet(1, i + 1))
const hash = (text: string): string => `0x${createHash('sha256').update(text).digest('hex')}`
export const blockHash = (number: number): string => hash(`block ${number}`)

export function scriptOf(seed: number): Script {
  const random = new SeededRandom(seed ^ 0x5eed)
  const slots = WALLETS.map(({ slotId, address: owner }) => ({
    slotId,
    history: [{ sinceBlock: 0, owner, active: true }],
  }))
  const blocks = Array.from({ length: EPOCHS * BLOCKS_PER_EPOCH + WINDOW_BLOCKS + 2 }, (_, i) => ticksOf(i + 1))
  const submissions = Array.from({ length: EPOCHS }, (_, i) => submissionsOf(i + 1, random)).flat()
  return { slots, blocks, submissions: submissions.sort((a, b) => a.atMs - b.atMs), epochs: EPOCHS }
}

const releaseBlock = (epochId: number): number => (epochId - 1) * BLOCKS_PER_EPOCH + 2
const epochAt = (block: number, distance: number): number | undefined => {
  const epochId = (block - distance - 2) / BLOCKS_PER_EPOCH + 1
  return Number.isInteger(epochId) && epochId >= 1 && epochId <= EPOCHS ? epochId : undefined
}

function ticksOf(blockNumber: number): EpochTick[] {
  const head: EpochTick = {
    kind: 'HEAD',
    dataMarket: '',
    epochId: 0,
    blockNumber,
    blockHash: blockHash(blockNumber),
    parentHash: blockHash(blockNumber - 1),
    blockTimestamp: 1_700_000_000 + blockNumber,
    slotsOffset: SLOTS,
    releaseBlock: 0,
    begin: 0,
    end: 0,
    submissionWindow: 0,
    acceptedHeaders: [],
  }
  const ticks = [head]
  const epoch = (epochId: number) => ({
    ...head,
    dataMarket: MARKET,
    epochId,
    releaseBlock: releaseBlock(epochId),
    submissionWindow: WINDOW_BLOCKS,
  })
  const opened = epochAt(blockNumber, 0)
  const closed = epochAt(blockNumber, WINDOW_BLOCKS + 1)
  if (opened !== undefined) ticks.push({ ...epoch(opened), kind: 'OPEN', begin: opened, end: opened })
  if (closed !== undefined) {
    const from = releaseBlock(closed)
    const acceptedHeaders = Array.from({ length: blockNumber - from + 1 }, (_, i) => blockHash(from + i))
    ticks.push({ ...epoch(closed), kind: 'CLOSE', acceptedHeaders })
  }
  return ticks
}

/** Mostly good; some twice, from a foreign slot, over quota, with an unknown header, late, or of another CID. */
function submissionsOf(epochId: number, random: SeededRandom): ScriptedSubmission[] {
  const release = releaseBlock(epochId)
  return WALLETS.flatMap(({ slotId, privateKey }) => {
    const count = 1 + random.below(4)
    return Array.from({ length: count }, () => {
      const late = random.chance(0.1)
      const atMs = Math.floor((release + (late ? WINDOW_BLOCKS + 2 : random.next() * WINDOW_BLOCKS)) * BLOCK_MS)
      const project = `project:${random.below(PROJECTS)}`
      const fields = {
        slotId: random.chance(0.05) ? (slotId % SLOTS) + 1 : slotId,
        deadline: release + 10 + random.below(3),
        snapshotCid: `cid-${epochId}-${project}-${random.chance(0.25) ? random.below(2) : 'right'}`,
        epochId: random.chance(0.03) ? 0 : epochId,
        projectId: project,
      }
      const submission: Submission = {
        ...fields,
        submissionId: uuidOf(random),
        signature: random.chance(0.05)
          ? 'ff'.repeat(65)
          : signDigest(digestOf(fields, domainOf(RULES.markets[0]!)), privateKey),
        header: random.chance(0.07) ? hash(`no block ${random.next()}`) : blockHash(release + random.below(2)),
        dataMarket: random.chance(0.03) ? `0x${'99'.repeat(20)}` : MARKET,
        nodeVersion: null,
        receivedAt: 1_700_000_000_000 + atMs,
        position: null,
        digest: Buffer.alloc(0),
        fullNode: false,
      }
      const { dataMarket, projectId } = submission
      return { atMs, submission, key: { dataMarket, epochId: submission.epochId, projectId } }
    })
  })
}

function uuidOf(random: SeededRandom): string {
  const hex = Array.from({ length: 32 }, () => random.below(16).toString(16)).join('')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
