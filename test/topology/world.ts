/** A small chain, snapshotters with real keys, and a sequencer topology in the test driver. */
import { createHash } from 'node:crypto'
import { instantiateSecp256k1 } from '@bitauth/libauth'
import { createBatchJoiner, withBytes } from '../../schemas/batch-joiner.ts'
import { type Codec, createCodec } from '../../schemas/codec.ts'
import { memoryRegistry } from '../../schemas/registry.ts'
import type { EpochTick, SlotOwnership, Submission, Verdict } from '../../schemas/types.ts'
import { TopologyTestDriver } from '../../streams/test-driver.ts'
import { sequencerTopology } from '../../topology/index.ts'
import { MARKET_DEFAULTS, type MarketRules, type ProtocolRules, RULES_DEFAULTS } from '../../topology/rules.ts'
import { keccak256, toHex } from '../../topology/shared/keccak.ts'
import { type SealSigner, sealedTopics } from '../../topology/shared/seals.ts'
import { digestOf, domainOf } from '../../topology/shared/signature.ts'
import { sequencerStores } from '../../topology/stores.ts'
import { isEpochSummary, isMarker, sequencerTopics, type Topics } from '../../topology/topics.ts'

const secp256k1 = await instantiateSecp256k1()
const codec: Codec = await createCodec(memoryRegistry())

export const MARKET = '0x0c2e22fe7526faef28e7a58c84f8723defce200c'
export const OTHER_MARKET = '0x21cb57c1f2352ad215a463dd867b838749cd3b8f'

export const marketRules = (changes: Partial<MarketRules> = {}): MarketRules => ({
  ...MARKET_DEFAULTS,
  dataMarket: MARKET,
  chainId: 31337,
  protocolState: '0xe88e5f64aeb483d7057645326addfa24a3b312df',
  ...changes,
})
export const rulesOf = (changes: Partial<MarketRules> = {}, rest: Partial<ProtocolRules> = {}): ProtocolRules => ({
  ...RULES_DEFAULTS,
  markets: [marketRules(changes)],
  ...rest,
})

// ——— snapshotters ———
const privateKeyOf = (slotId: number): Uint8Array => createHash('sha256').update(`slot ${slotId}`).digest()
export const addressOf = (slotId: number): string => {
  const publicKey = secp256k1.derivePublicKeyUncompressed(privateKeyOf(slotId)) as Uint8Array
  return toHex(keccak256(publicKey.subarray(1)).subarray(12))
}

export type SubmissionFields = Partial<Submission> & { signedBy?: number }
let uuids = 0
export const uuid = (n: number): string => `${n.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`

/** A signed submission of slot 1 for epoch 1, header block 11, unless told otherwise. */
export function submissionOf({ signedBy, ...fields }: SubmissionFields = {}, market = marketRules()): Submission {
  const n = ++uuids
  const unsigned = {
    submissionId: uuid(n),
    slotId: 1,
    deadline: 1_000,
    snapshotCid: 'bafkreia',
    epochId: 1,
    projectId: 'project-a',
    header: hashOf(11),
    dataMarket: market.dataMarket,
    nodeVersion: null,
    receivedAt: 20_000 + n,
    position: null,
    digest: Buffer.alloc(0),
    fullNode: false,
    signer: '',
    headerBlock: -1,
    contested: false,
    ...fields,
  }
  const signature = fields.signature ?? sign(digestOf(unsigned, domainOf(market)), signedBy ?? unsigned.slotId)
  return { ...unsigned, signature }
}

export function sign(digest: Uint8Array, slotId: number): string {
  const signed = secp256k1.signMessageHashRecoverableCompact(privateKeyOf(slotId), digest)
  if (typeof signed === 'string') throw new Error(signed)
  return `${Buffer.from(signed.signature).toString('hex')}${(27 + signed.recoveryId).toString(16)}`
}

// ——— chain ———
export const hashOf = (block: number, fork = ''): string =>
  `0x${createHash('sha256').update(`block ${block}${fork}`).digest('hex')}`

const NO_EPOCH = {
  dataMarket: '',
  epochId: 0,
  releaseBlock: 0,
  begin: 0,
  end: 0,
  submissionWindow: 0,
  acceptedHeaders: [],
  skippedFrom: 0,
  refusedFrom: 0,
  forks: 0,
  markets: [],
  day: 0,
  dailyQuota: 0,
  daysEnded: 0,
  refused: [],
}

export const headTick = (blockNumber: number, fork = '', parentFork = fork): EpochTick => ({
  ...NO_EPOCH,
  kind: 'HEAD',
  blockNumber,
  blockHash: hashOf(blockNumber, fork),
  parentHash: hashOf(blockNumber - 1, parentFork),
  blockTimestamp: blockNumber * 2,
  slotsOffset: 0,
  contractBlock: blockNumber,
})
export const orphanTick = (blockNumber: number, fork = ''): EpochTick => ({
  ...headTick(blockNumber, fork),
  kind: 'ORPHAN',
})
export const openTick = (epochId: number, blockNumber: number, fork = '', dataMarket = MARKET): EpochTick => ({
  ...headTick(blockNumber, fork),
  kind: 'OPEN',
  dataMarket,
  epochId,
  releaseBlock: blockNumber,
})
export const closeTick = (
  epochId: number,
  releaseBlock: number,
  blockNumber: number,
  fork = '',
  dataMarket = MARKET,
): EpochTick => ({
  ...headTick(blockNumber, fork),
  kind: 'CLOSE',
  dataMarket,
  epochId,
  releaseBlock,
  acceptedHeaders: Array.from({ length: blockNumber - releaseBlock + 1 }, (_, i) => hashOf(releaseBlock + i, fork)),
})

// ——— sequencer ———
export interface WorldOptions {
  readonly rules?: ProtocolRules
  readonly partitions?: number | Partial<Parameters<typeof sequencerTopics>[1]['partitions']>
  readonly commitEvery?: number
  /** Of what decides; the rules name its key. */
  readonly signer?: SealSigner
  /** Slots 1 to this are owned and active from block 0 on. */
  readonly slots?: number
}

export type Owned = Omit<SlotOwnership, 'sinceFork' | 'untilFork'> & Partial<SlotOwnership>

export type World = ReturnType<typeof createWorld>

export function createWorld({
  rules = rulesOf(),
  partitions = 1,
  commitEvery = 1,
  slots = 8,
  signer,
}: WorldOptions = {}) {
  const all = typeof partitions === 'number' ? partitions : 1
  const counts = { submissions: all, validated: all, admitted: all, finalizations: all, verdicts: 1 }
  const bare = sequencerTopics(codec, {
    prefix: '',
    partitions: typeof partitions === 'number' ? counts : { ...counts, ...partitions },
  })
  const topics: Topics = sealedTopics(bare, rules, signer)
  const stores = sequencerStores(codec)
  const topology = sequencerTopology(rules, topics, stores)
  const driver = new TopologyTestDriver(topology, { commitEvery })

  /** Entries count at every fork unless they say otherwise. */
  const own = (slotId: number, entries: readonly Owned[]): void => {
    const history = entries.map((entry) => ({ sinceFork: 0, untilFork: 0, ...entry }))
    driver.append(topics.slots, { slotId }, { slotId, history })
  }
  for (let slotId = 1; slotId <= slots; slotId++)
    own(slotId, [{ sinceBlock: 0, owner: addressOf(slotId), active: true }])

  return {
    driver,
    topics,
    stores,
    topology,
    own,
    tick: (...ticks: EpochTick[]) => {
      for (const tick of ticks) driver.pipe(topics.epochTicks, { dataMarket: tick.dataMarket }, tick)
    },
    submit: (submission: Submission): Submission => {
      const { epochId, projectId } = submission
      driver.pipe(
        topics.submissions,
        { dataMarket: submission.dataMarket.toLowerCase(), epochId, projectId },
        submission,
      )
      return submission
    },
    submitted: () => driver.read(topics.submissions).filter(({ value }) => !isMarker(value)),
    ticksAccepted: () =>
      driver
        .read(topics.submissions)
        .filter(({ partition }) => partition === 0)
        .flatMap(({ value }) => (isMarker(value) ? [value.tick] : [])),
    requests: () => driver.read(topics.tickRequests).map(({ value }) => value),
    verdicts: () => driver.read(topics.verdicts).map(({ value }) => value),
    verdictOn: ({ submissionId }: Submission): Verdict | undefined => {
      const found = driver.read(topics.verdicts).filter(({ value }) => value.submissionId === submissionId)
      if (found.length > 1) throw new Error(`${found.length} verdicts on ${submissionId}`)
      return found[0]?.value
    },
    reasonOf(submission: Submission): string | undefined {
      return this.verdictOn(submission)?.reason
    },
    /** Of many: the verdicts are read once. */
    reasonsOf(submissions: readonly Submission[]): (string | undefined)[] {
      const reasons = new Map<string, string>()
      for (const { value } of driver.read(topics.verdicts)) {
        if (reasons.has(value.submissionId)) throw new Error(`more than one verdict on ${value.submissionId}`)
        reasons.set(value.submissionId, value.reason)
      }
      return submissions.map(({ submissionId }) => reasons.get(submissionId))
    },
    /** In one piece each, with their bytes. */
    batches: () => {
      const joiner = createBatchJoiner()
      return driver.read(topics.batches).flatMap(({ key, value }) => {
        const batch = isEpochSummary(value) ? undefined : joiner.take(key.dataMarket, value)
        return batch ? [withBytes(batch)] : []
      })
    },
    summaries: () => driver.read(topics.batches).flatMap(({ value }) => (isEpochSummary(value) ? [value] : [])),
  }
}

/** Blocks 10 and 11, epoch 1 released in block 10. */
export const openedWorld = (options: WorldOptions = {}): World => {
  const world = createWorld(options)
  world.tick(headTick(10), openTick(1, 10), headTick(11))
  return world
}
/** Blocks up to 15, then the close of epoch 1 in block 15. */
export const closeEpoch = (world: World): void =>
  world.tick(headTick(12), headTick(13), headTick(14), headTick(15), closeTick(1, 10, 15))
