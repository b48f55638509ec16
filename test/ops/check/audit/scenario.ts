/**
 * A small life of two data markets through the real topology: signed submissions of every kind in a shuffled order, ticks
 * with a reorganisation, batches on their way to the chain. Everything comes from the seed.
 */
import { instantiateSecp256k1 } from '@bitauth/libauth'
import { computeCid } from '../../../../connectors/ipfs/cid.ts'
import { createKeccak256, toHex } from '../../../../ops/check/verify/keccak.ts'
import { createSignatureReader } from '../../../../ops/check/verify/signature.ts'
import { isPayout } from '../../../../schemas/anchor-keys.ts'
import { withBytes } from '../../../../schemas/batch-joiner.ts'
import { createCodec } from '../../../../schemas/codec.ts'
import { memoryRegistry } from '../../../../schemas/registry.ts'
import type { AnchorIntent, AnchorKey, AnchorResult, EpochTick, Submission } from '../../../../schemas/types.ts'
import type { RecordTopic } from '../../../../streams/kafka-topic.ts'
import { TopologyTestDriver } from '../../../../streams/test-driver.ts'
import { sequencerTopology } from '../../../../topology/index.ts'
import { MARKET_DEFAULTS, type MarketRules, type ProtocolRules, RULES_DEFAULTS } from '../../../../topology/rules.ts'
import { sealedTopics, sealsOf } from '../../../../topology/shared/seals.ts'
import { sequencerStores } from '../../../../topology/stores.ts'
import { isEpochSummary, sequencerTopics, type Topics } from '../../../../topology/topics.ts'
import { resultOf } from '../../../topology/anchor/anchor-harness.ts'
import { markerSigner } from '../../../topology/marker-keys.ts'
import { FrozenLog, type FrozenTopic } from './frozen-log.ts'
import { RewardsContract } from './rewards-contract.ts'

export const MARKETS = [`0x${'a1'.repeat(20)}`, `0x${'b2'.repeat(20)}`] as const
/** With `comings`: added in block 6, which a reorganisation takes back once. */
export const ADDED_MARKET = `0x${'d4'.repeat(20)}`
const ADDED_AT = 6
/** With `comings`: the second market is removed in this block, in the middle of its epoch 3. */
const REMOVED_AT = 11
const PROTOCOL_STATE = `0x${'c3'.repeat(20)}`
const SLOTS = 9
const PROJECTS = 5
const WINDOW = 3
const EPOCH_BLOCKS = 4

const signer = await createSigner()
const forger = markerSigner('forger')

export const RULES: ProtocolRules = {
  ...RULES_DEFAULTS,
  parkedMax: 1,
  markets: MARKETS.map(
    (dataMarket, index): MarketRules => ({
      ...MARKET_DEFAULTS,
      dataMarket,
      chainId: 31337,
      protocolState: PROTOCOL_STATE,
      perSlotPerEpoch: 3,
      batchProjectsMax: index === 0 ? 2 : 50,
      batchBytesMax: index === 0 ? MARKET_DEFAULTS.batchBytesMax : 6_000,
      tree: index === 0 ? 'chained' : 'fresh',
      projectIds: index === 0 ? [] : ['project-*'],
      votesMin: 1 + index,
      shareMin: index === 0 ? 0 : 0.5,
      flagged: index === 0 ? [] : [signer.addressOf(5)],
      fullNodes: index === 0 ? [signer.addressOf(6)] : [],
    }),
  ),
}

const tickFanout = markerSigner('tick-fanout')
/** Of a scenario with forgers. */
export const SIGNED_RULES: ProtocolRules = { ...RULES, markerKeys: [tickFanout.publicKey], unsealedRecords: false }

/** The first market has a turn for each slot; most projects of the scenario are of no source at all. */
export const SOURCED_RULES: ProtocolRules = {
  ...RULES,
  markets: RULES.markets.map((market, index) => (index === 0 ? { ...market, dataSources: ['a', 'b'] } : market)),
}

/** Days are told to the contract, and after every epoch. */
export const PAID_RULES: ProtocolRules = {
  ...RULES,
  markets: RULES.markets.map((market) => ({
    ...market,
    rewards: 'on' as const,
    payoutEpochs: 1,
    payoutGasMax: 500_000, // two slots that are paid, six that are counted
  })),
}

export interface Scenario {
  readonly topics: Topics
  /** What became of the payouts on the chain. */
  readonly rewards: RewardsContract
  readonly log: FrozenLog
  /** How often each verdict was given. */
  readonly reasons: Readonly<Record<string, number>>
}

export interface ScenarioOptions {
  readonly seed: number
  readonly epochs?: number
  readonly partitions?: number
  /** Leave the last epoch open. */
  readonly openEnd?: boolean
  /** A market is added and another removed on the way. */
  readonly comings?: boolean
  /** With this block as the newest, it and so many below it are replaced, also those of epochs whose batches are cut. */
  readonly deepReorg?: { readonly block: number; readonly depth: number }
  /** Slot 3 is sold to the owner of slot 4 in block 6, which leaves the chain; both sign in between. */
  readonly saleLeaves?: boolean
  /** How the contract counts the blocks of the chain, as HEADs tell it; absent: by their own numbers. */
  readonly contractBlockOf?: (blockNumber: number) => number
  /** By `SOURCED_RULES`, with projects of two sources. */
  readonly sources?: boolean
  /** By `PAID_RULES`: each day has two epochs, and the last one has not ended. */
  readonly days?: boolean
  /** With `days`: the contract takes nothing of these any more. */
  readonly daysOver?: readonly number[]
  /** Markers are signed, and somebody who may write `submissions` puts forged and copied ones between them. */
  readonly forgers?: boolean
}

export async function runScenario({
  seed,
  epochs = 4,
  partitions = 3,
  openEnd = false,
  comings = false,
  forgers = false,
  sources = false,
  days = false,
  daysOver = [],
  saleLeaves = false,
  deepReorg,
  contractBlockOf = (blockNumber) => blockNumber,
}: ScenarioOptions): Promise<Scenario> {
  const counts = { submissions: partitions, validated: partitions, admitted: partitions, finalizations: 2, verdicts: 2 }
  const codec = await createCodec(memoryRegistry())
  const rules = forgers ? SIGNED_RULES : days ? PAID_RULES : sources ? SOURCED_RULES : RULES
  const topics = sealedTopics(sequencerTopics(codec, { prefix: 't-', partitions: counts }), rules, tickFanout)
  const topology = sequencerTopology(rules, topics, sequencerStores(codec))
  const driver = new TopologyTestDriver(topology, { commitEvery: 7 })
  const random = seeded(seed)
  for (let slotId = 1; slotId <= SLOTS; slotId++) {
    const [owner, active] = [signer.addressOf(slotId), slotId !== SLOTS]
    const history = [{ sinceBlock: 0, owner, active, sinceFork: 0, untilFork: 0 }]
    const sale = { sinceBlock: 6, owner: signer.addressOf(4), active, sinceFork: 0, untilFork: 1 }
    driver.append(
      topics.slots,
      { slotId },
      { slotId, history: saleLeaves && slotId === 3 ? [...history, sale] : history },
    )
  }
  const chain = new Chain(random, comings, contractBlockOf)
  const rewards = new RewardsContract(daysOver)
  let sent = 0
  const submit = (fields: Partial<Submission>, key = fields.slotId ?? 1): void => {
    const made = blankSubmission(++sent, random, fields)
    const unsigned = sources ? { ...made, projectId: `${made.projectId}:${'ab'[sent % 2]}` } : made
    const submission = { ...unsigned, signature: fields.signature ?? signer.sign(key, unsigned) }
    const { dataMarket, epochId, projectId } = submission
    driver.append(topics.submissions, { dataMarket: dataMarket.toLowerCase(), epochId, projectId }, submission)
  }
  const epochsInADay = days ? 2 : sources ? 1 : 0
  const tell = (ticks: readonly EpochTick[]): void => {
    for (const tick of ticks)
      driver.append(topics.epochTicks, { dataMarket: tick.dataMarket }, withDay(tick, epochsInADay))
    driver.run()
  }

  // Before the first head there is room for one.
  for (const slotId of [1, 2]) submit({ slotId, epochId: 1, header: chain.hashAt(1) })
  const blocks = epochs * EPOCH_BLOCKS + (openEnd ? 0 : WINDOW + 2)
  for (let block = 1; block <= blocks; block++) {
    tell(chain.advance(block, epochs))
    if (block === 7 && saleLeaves) for (const key of [3, 4]) submit({ slotId: 3, epochId: 0, projectId: 'sale:0' }, key)
    if (block === 7) tell(chain.reorganise(2, epochs))
    if (block === deepReorg?.block) tell(chain.reorganise(deepReorg.depth, epochs))
    const batch = submissionsAt(chain, block, random, comings ? [...MARKETS, ADDED_MARKET] : MARKETS)
    shuffle(batch, random)
    for (const { fields, key } of batch) submit(fields, key)
    if (forgers) forgeMarkers(driver, topics, block)
    driver.run()
    if (!openEnd || block < blocks) await anchorAll(driver, topics, rewards)
  }
  driver.run()
  if (!openEnd) await anchorAll(driver, topics, rewards)

  const reasons: Record<string, number> = {}
  for (const { value } of driver.read(topics.verdicts)) reasons[value.reason] = (reasons[value.reason] ?? 0) + 1
  return { topics, rewards, log: new FrozenLog(freeze(driver, topics)), reasons }
}

/** A close of the open epochs that nobody signed, one signed by a key of their own, and a copy of an old marker. */
function forgeMarkers(driver: TopologyTestDriver, { submissions }: Topics, block: number): void {
  const foreign = sealsOf([forger.publicKey], false, forger)
  const stamp = { from: 0, of: 1, count: -1, checksum: 0, blockTimes: [] }
  const blank = blankTick('CLOSE', MARKETS[0], Math.ceil(block / EPOCH_BLOCKS), block)
  const tick = { ...blank, blockHash: `0x${'99'.repeat(32)}` }
  const { dataMarket, epochId } = tick
  for (let partition = 0; partition < submissions.partitions; partition++) {
    const record = {
      topic: submissions.name,
      partition,
      timestamp: 0,
      key: submissions.key.encode({ dataMarket, epochId, projectId: '' }),
      value: submissions.value.encode({ tick, ...stamp }),
    }
    driver.appendRaw(record)
    driver.appendRaw({ ...record, headers: [foreign.seal(record, { offset: 1e6 + block, index: 0 })] })
  }
  const sealed = driver.readRaw(submissions.name).filter(({ headers }) => headers.length > 0)
  const [old] = sealed
  if (old) driver.appendRaw({ ...old, topic: submissions.name, partition: block % submissions.partitions })
}

/** What snapshotters send while `block` is the newest: for the open epoch, and a share of wrong ones of every kind. */
function submissionsAt(
  chain: Chain,
  block: number,
  random: () => number,
  markets: readonly string[],
): { fields: Partial<Submission>; key?: number }[] {
  const all: { fields: Partial<Submission>; key?: number }[] = []
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!
  for (const [index, dataMarket] of markets.entries()) {
    const epochId = Math.ceil(block / EPOCH_BLOCKS)
    for (let i = 0; i < 6; i++) {
      const slotId = 1 + Math.floor(random() * (SLOTS - 1))
      const project = Math.floor(random() * PROJECTS)
      const projectId = `project-${project}:${index}${project === 4 ? '<&>é' : ''}`
      const snapshotCid = `bafk${epochId}${project}${random() < 0.3 ? pick(['x', 'y']) : ''}`
      const good = {
        dataMarket,
        epochId,
        slotId,
        projectId,
        snapshotCid,
        header: chain.hashAt(block),
        deadline: block + 5 + Math.floor(random() * 4),
      }
      all.push({ fields: good })
      if (random() < 0.15)
        all.push({ fields: good }, { fields: { ...good, header: chain.hashAt(Math.max(1, block - 1)) } })
    }
    const base = {
      dataMarket,
      epochId,
      slotId: 2,
      projectId: 'project-0',
      header: chain.hashAt(block),
      deadline: block + 5,
    }
    const wrong: { fields: Partial<Submission>; key?: number }[] = [
      { fields: { ...base, dataMarket: `0x${'dd'.repeat(20)}` } },
      { fields: { ...base, signature: 'zz' } },
      { fields: { ...base, projectId: pick(['', 'two\nlines', 'right-to-left \u202e']) } },
      { fields: { ...base, projectId: 'é'.repeat(129) } },
      { fields: { ...base, snapshotCid: pick(['', 'b'.repeat(129), 'b\u0000']) } },
      { fields: { ...base, nodeVersion: pick(['\u001b[2J', 'v'.repeat(65)]) } },
      { fields: { ...base, projectId: 'another:0' } },
      { fields: { ...base, slotId: 77 } },
      { fields: base, key: 3 },
      { fields: { ...base, slotId: SLOTS } },
      { fields: { ...base, epochId: 0 } },
      { fields: { ...base, epochId: epochId + 1 } },
      { fields: { ...base, epochId: epochId + 9 } },
      { fields: { ...base, epochId: Math.max(1, epochId - 2) } },
      { fields: { ...base, slotId: 6, deadline: Math.max(0, block - 1) } }, // in one market a full node: its quota is no matter
      { fields: { ...base, header: `0x${'99'.repeat(32)}` } },
      { fields: { ...base, header: 'no hash' } },
      { fields: { ...base, header: chain.hashAt(1) } },
      { fields: { ...base, header: chain.hashAt(block + 1) } },
      { fields: { ...base, dataMarket: dataMarket.toUpperCase().replace('0X', '0x'), nodeVersion: pick(['', 'v1']) } },
    ]
    for (let i = 0; i < 6; i++) all.push(pick(wrong))
  }
  return all
}

/** An anchor chain of blocks with hashes from number and fork; the markets' epochs are released every EPOCH_BLOCKS. */
class Chain {
  private readonly hashes = new Map<number, string>()
  private readonly opened = new Map<number, number>()
  private forks = 0
  private readonly random: () => number
  private readonly comings: boolean
  private readonly contractBlockOf: (blockNumber: number) => number

  constructor(random: () => number, comings: boolean, contractBlockOf: (blockNumber: number) => number) {
    this.contractBlockOf = contractBlockOf
    this.random = random
    this.comings = comings
  }

  private served(block: number): readonly string[] {
    if (!this.comings) return MARKETS
    return [MARKETS[0], ...(block < REMOVED_AT ? [MARKETS[1]] : []), ...(block >= ADDED_AT ? [ADDED_MARKET] : [])]
  }

  private changes(block: number): EpochTick['markets'] {
    if (!this.comings) return []
    if (block === ADDED_AT) return [{ dataMarket: ADDED_MARKET, served: true }]
    return block === REMOVED_AT ? [{ dataMarket: MARKETS[1], served: false }] : []
  }

  hashAt(block: number): string {
    const known = this.hashes.get(block)
    if (known) return known
    const digits = Array.from({ length: 64 }, () => Math.floor(this.random() * 16).toString(16)).join('')
    this.hashes.set(block, `0x${digits}`)
    return `0x${digits}`
  }

  advance(block: number, epochs: number): EpochTick[] {
    const ticks = [this.tick('HEAD', '', 0, block, { markets: this.changes(block) })]
    const epochId = Math.ceil(block / EPOCH_BLOCKS)
    if (block % EPOCH_BLOCKS === 1 && epochId <= epochs) {
      this.opened.set(epochId, block)
      for (const dataMarket of this.served(block))
        ticks.push(
          this.tick('OPEN', dataMarket, epochId, block, {
            releaseBlock: block,
            begin: block * 10,
            end: block * 10 + 9,
          }),
        )
    }
    for (const [id, releaseBlock] of this.opened)
      if (this.isFirstPast(releaseBlock, block))
        for (const dataMarket of this.served(releaseBlock))
          ticks.push(
            this.tick('CLOSE', dataMarket, id, block, {
              releaseBlock,
              acceptedHeaders: this.range(releaseBlock, block),
              ...(this.opened.has(id + 1) && { daysEnded: 1 }), // withDay makes a day of it
            }),
          )
    return ticks
  }

  private isFirstPast(releaseBlock: number, block: number): boolean {
    // an older clock did not tell the numbers, but knew them
    const counted = (number: number) => (this.contractBlockOf(number) < 0 ? number : this.contractBlockOf(number))
    const end = counted(releaseBlock) + WINDOW
    return counted(block) > end && counted(block - 1) <= end
  }

  /** The newest `depth` blocks are replaced by others, with the same releases in them. */
  reorganise(depth: number, epochs: number): EpochTick[] {
    const last =
      Math.max(...this.opened.values(), 0) > 0
        ? [...this.hashes.keys()].filter((block) => this.told.has(block)).at(-1)!
        : 0
    const first = last - depth + 1
    this.forks++
    const ticks = [this.tick('ORPHAN', '', 0, first, {})]
    for (let block = first; block <= last; block++) this.hashes.delete(block)
    for (let block = first; block <= last; block++) ticks.push(...this.advance(block, epochs))
    return ticks
  }
  private readonly told = new Set<number>()

  private range(from: number, to: number): string[] {
    return Array.from({ length: to - from + 1 }, (_, i) => this.hashAt(from + i))
  }

  private tick(
    kind: EpochTick['kind'],
    dataMarket: string,
    epochId: number,
    blockNumber: number,
    fields: Partial<EpochTick>,
  ): EpochTick {
    this.told.add(blockNumber)
    const hashes = { blockHash: this.hashAt(blockNumber), parentHash: this.hashAt(blockNumber - 1) }
    const contractBlock = this.contractBlockOf(blockNumber)
    return {
      ...blankTick(kind, dataMarket, epochId, blockNumber),
      ...hashes,
      contractBlock,
      forks: this.forks,
      ...fields,
    }
  }
}

const blankTick = (kind: EpochTick['kind'], dataMarket: string, epochId: number, blockNumber: number): EpochTick => ({
  kind,
  dataMarket,
  epochId,
  blockNumber,
  blockHash: '',
  parentHash: '',
  blockTimestamp: blockNumber * 2,
  slotsOffset: 0,
  contractBlock: -1,
  releaseBlock: 0,
  begin: 0,
  end: 0,
  submissionWindow: WINDOW,
  acceptedHeaders: [],
  skippedFrom: 0,
  refusedFrom: 0,
  forks: 0,
  markets: [],
  day: 0,
  dailyQuota: 0,
  daysEnded: 0,
  refused: [],
})

export const DAILY_QUOTA = 2

/** An epoch closes with the block that releases the next one; behind the last there is none. */
function withDay(tick: EpochTick, epochsInADay: number): EpochTick {
  if (epochsInADay === 0 || (tick.kind !== 'OPEN' && tick.kind !== 'CLOSE')) return { ...tick, daysEnded: 0 }
  const dayOf = (epochId: number): number => Math.ceil(epochId / epochsInADay)
  const newest = tick.epochId + (tick.daysEnded > 0 ? 1 : 0)
  const daysEnded = tick.kind === 'CLOSE' ? dayOf(newest) - 1 : 0
  return { ...tick, day: dayOf(tick.epochId), dailyQuota: DAILY_QUOTA, daysEnded }
}

/** Nothing more is asked of the chain; what is final is looked at once in a while. */
const SETTLED: readonly string[] = ['DONE', 'WATCH', 'KEEP']

/** Plays the anchor connector and a chain where everything goes well, until no intent is left to carry out. */
async function anchorAll(driver: TopologyTestDriver, topics: Topics, rewards: RewardsContract): Promise<void> {
  for (;;) {
    const newest = new Map<string, { key: AnchorKey; value: AnchorIntent }>()
    for (const { key, value } of driver.read(topics.anchorIntents)) newest.set(JSON.stringify(key), { key, value })
    const answered = new Set(
      driver.read(topics.anchorResults).map(({ key, value }) => JSON.stringify([key, value.attempt])),
    )
    const open = [...newest.values()].filter(
      ({ key, value }) => !SETTLED.includes(value.step) && !answered.has(JSON.stringify([key, value.attempt])),
    )
    if (open.length === 0) return
    for (const { key, value } of open)
      for (const result of await answersTo(driver, topics, key, value, rewards))
        driver.append(topics.anchorResults, key, result)
    driver.run()
  }
}

/** What the clock keeps of the market that is added. */
export function putAddedRow({ log, topics }: Pick<Scenario, 'log' | 'topics'>): void {
  log.records(topics.markets, 0).push({
    offset: 0,
    timestamp: 0,
    key: topics.markets.key.encode({ dataMarket: ADDED_MARKET }),
    value: topics.markets.value.encode({
      serving: 'ADDED',
      sinceBlock: ADDED_AT,
      lastEpoch: 0,
      requestId: 'id',
      refused: '',
    }),
    headers: [],
  })
}

async function answersTo(
  driver: TopologyTestDriver,
  topics: Topics,
  key: AnchorKey,
  intent: AnchorIntent,
  rewards: RewardsContract,
): Promise<AnchorResult[]> {
  const { step, attempt } = intent
  if (isPayout(key)) {
    const payouts = driver.read(topics.payouts).filter(({ key: { dataMarket } }) => dataMarket === key.dataMarket)
    const payout = driver.read(topics.payouts)[intent.batchOffset]!.value
    return rewards.answersTo(
      key,
      intent,
      payout,
      payouts.map(({ value }) => value),
    )
  }
  const result = (fields: Partial<AnchorResult> & Pick<AnchorResult, 'outcome'>) =>
    resultOf({ step, attempt, ...fields })
  const mined = { transactionHash: `0x${'77'.repeat(32)}`, blockNumber: 40, blockHash: `0x${'66'.repeat(32)}` }
  if (step === 'STORE') {
    const batch = driver.read(topics.batches)[intent.batchOffset]!.value
    if (isEpochSummary(batch)) throw new Error('an intent names a summary')
    return [result({ outcome: 'STORED', cid: await computeCid(withBytes(batch).json, 1) })]
  }
  if (step === 'PREPARE')
    return [result({ outcome: 'READY', signer: PROTOCOL_STATE, nonce: 0, gasLimit: 1, maxFeePerGas: '1' })]
  if (step === 'SIGN')
    return [result({ outcome: 'SIGNED', rawTransaction: '0x00', transactionHash: mined.transactionHash })]
  return [result({ outcome: 'MINED', ...mined }), result({ outcome: 'FINAL', ...mined })]
}

function blankSubmission(count: number, random: () => number, fields: Partial<Submission>): Submission {
  return {
    submissionId: `00000000-0000-4000-8000-${Math.floor(random() * 1e12)
      .toString()
      .padStart(12, '0')}`,
    slotId: 1,
    deadline: 9,
    snapshotCid: 'bafkreione',
    epochId: 1,
    projectId: 'project-0',
    signature: '',
    header: '',
    dataMarket: MARKETS[0],
    nodeVersion: null,
    // arrival in the log and by the clock of the intake differ
    receivedAt: 1_000 + count + Math.floor(random() * 50),
    position: null,
    digest: Buffer.alloc(0),
    fullNode: false,
    signer: '',
    headerBlock: -1,
    contested: false,
    ...fields,
  }
}

async function createSigner() {
  const [secp256k1, keccak, reader] = await Promise.all([
    instantiateSecp256k1(),
    createKeccak256(),
    createSignatureReader(),
  ])
  const separator = reader.domainSeparator({ chainId: 31337, protocolState: PROTOCOL_STATE })
  const keyOf = (slotId: number) => Buffer.alloc(32, slotId)
  return {
    addressOf: (slotId: number): string => {
      const key = secp256k1.derivePublicKeyUncompressed(keyOf(slotId)) as Uint8Array
      return toHex(keccak(key.subarray(1)).subarray(12))
    },
    sign: (slotId: number, submission: Submission): string => {
      const digest = reader.digest(separator, submission)
      const signed = secp256k1.signMessageHashRecoverableCompact(keyOf(slotId), digest)
      if (typeof signed === 'string') throw new Error(signed)
      return Buffer.from([...signed.signature, 27 + signed.recoveryId]).toString('hex')
    },
  }
}

/** Everything in the driver's topics, as a log that can be read and tampered with. */
function freeze(driver: TopologyTestDriver, topics: Topics): FrozenTopic[] {
  const { deadLetters: _, ...rest } = topics
  return (Object.values(rest) as RecordTopic<unknown, unknown>[]).map((topic) => {
    const written = driver.readPartitions(topic.name)
    const partitions = Array.from({ length: topic.partitions }, (_, at) => [...(written[at] ?? [])])
    return { name: topic.name, partitions }
  })
}

function shuffle<T>(values: T[], random: () => number): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[values[i], values[j]] = [values[j]!, values[i]!]
  }
}

/** mulberry32 */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
