/** A market of 10,000 slots and 500 projects as it lies in the log, written there without the stages. */
import { systemClock } from '../connectors/system-clock.ts'
import type { Anchor, EpochTick, Verdict } from '../schemas/types.ts'
import type { RecordTopic } from '../streams/kafka-topic.ts'
import { partitionFor } from '../streams/partitioner.ts'
import type { Appender, Log } from '../streams/ports.ts'
import { candidatesOf, countsOf } from '../topology/shared/parts.ts'
import type { Topics } from '../topology/topics.ts'
import { blockHash, submissionOf } from './stage-data.ts'

export const SLOTS = 10_000
export const PROJECTS = 500
export const EPOCHS = 12
/** A slot in so many of a project reports another CID. */
const MINORITY = 20
const EPOCH_MS = 12_000
const WINDOW_MS = 9_000
const BURST = 2_000
const STEPS = ['PLANNED', 'STORED', 'SENT', 'MINED', 'FINAL'] as const

type Entry<K, V> = readonly [key: K, value: V]

export async function writeMarket(log: Log, topics: Topics, dataMarket: string): Promise<void> {
  await log.createTopics(Object.values(topics))
  const appender = await log.appender()
  const begin = systemClock.now() - EPOCHS * EPOCH_MS
  for (let epochId = 1; epochId <= EPOCHS; epochId++)
    await writeEpoch(appender, topics, { dataMarket, epochId }, begin + (epochId - 1) * EPOCH_MS)
}

async function writeEpoch(appender: Appender, topics: Topics, key: Key, at: number): Promise<void> {
  const { dataMarket, epochId } = key
  await put(appender, topics.epochTicks, [[{ dataMarket }, tickOf('OPEN', key)]], at)
  const submissions = Array.from({ length: SLOTS }, (_, n) => submissionBy(n + 1, epochId))
  const entries = submissions.map((one) => [{ ...key, projectId: one.projectId }, one] as const)
  const positions = await put(appender, topics.submissions, entries, at + WINDOW_MS / 2)
  const closed = at + WINDOW_MS
  await put(appender, topics.epochTicks, [[{ dataMarket }, tickOf('CLOSE', key)]], closed)
  const verdicts = submissions.map((one, i) => [{ ...key, slotId: one.slotId }, verdictOn(one, positions[i]!)] as const)
  await put(appender, topics.verdicts, verdicts, closed)
  await put(appender, topics.finalizations, finalizationsOf(key, submissions, positions), closed)
  await writeBatch(appender, topics, key, closed + 300)
}

interface Key {
  readonly dataMarket: string
  readonly epochId: number
}
type Place = Verdict['position']
type Reported = ReturnType<typeof submissionBy>

const cidOf = (project: number, other: boolean) => `bafkrei${other ? 'b' : 'a'}${String(project).padStart(51, 'c')}`
const isMinority = (slotId: number): boolean => Math.floor(slotId / PROJECTS) % MINORITY === 0

function submissionBy(slotId: number, epochId: number) {
  const project = slotId % PROJECTS
  const projectId = `pairContract_trade_volume:0x${project.toString(16).padStart(40, '0')}:UNISWAPV2`
  const snapshotCid = cidOf(project, isMinority(slotId))
  const submissionId = `00000000-0000-4000-8000-${String(epochId).padStart(6, '0')}${String(slotId).padStart(6, '0')}`
  return {
    ...submissionOf(slotId),
    submissionId,
    slotId,
    epochId,
    projectId,
    snapshotCid,
    receivedAt: systemClock.now(),
  }
}

function verdictOn({ submissionId, slotId, projectId, snapshotCid }: Reported, position: Place): Verdict {
  const won = !isMinority(slotId)
  const evidence = { rule: 'the CID that most slots reported wins', expected: 'the winner with 19 of 20 votes' }
  return {
    position,
    submissionId,
    slotId,
    projectId,
    snapshotCid,
    reason: won ? 'COUNTED' : 'OUTVOTED',
    stage: 'consensus',
    ...evidence,
    actual: snapshotCid,
    blockNumber: 100,
  }
}

function finalizationsOf(key: Key, submissions: readonly Reported[], positions: readonly Place[]) {
  return Array.from({ length: PROJECTS }, (_, first) => {
    const reports = submissions.flatMap((one, i) => (i % PROJECTS === first ? [{ one, position: positions[i]! }] : []))
    const { projectId } = reports[0]!.one
    const ballots = reports.map(({ one: { submissionId, slotId, snapshotCid }, position }) => ({
      position,
      submissionId,
      slotId,
      snapshotCid,
      frame: 0,
    }))
    const snapshotCid = reports.find(({ one }) => !isMinority(one.slotId))!.one.snapshotCid
    const votes = ballots.filter((ballot) => ballot.snapshotCid === snapshotCid).length
    const rest = {
      closeBlock: 100,
      texts: Buffer.alloc(0),
      frames: [],
      signatures: Buffer.alloc(0),
      leaves: Buffer.alloc(0),
      dropped: [],
      equivocations: [],
      candidates: candidatesOf(countsOf(ballots), snapshotCid),
      part: 0,
      parts: 1,
    }
    return [key, { projectId, snapshotCid, votes, voters: ballots.length, ballots, ...rest }] as const
  })
}

async function writeBatch(appender: Appender, topics: Topics, key: Key, at: number): Promise<void> {
  const { dataMarket, epochId } = key
  const roots = { roothash: blockHash(epochId), finalizedCidsRootHash: blockHash(epochId + 1) }
  const projects = Array.from({ length: PROJECTS }, (_, project) => submissionBy(project + PROJECTS * 19, epochId))
  const batch = {
    epochId,
    batchIndex: 0,
    batchCount: 1,
    json: Buffer.from('{}'),
    ...roots,
    projectIds: projects.map(({ projectId }) => projectId),
    snapshotCids: projects.map(({ snapshotCid }) => snapshotCid),
    submissions: SLOTS,
    leavesBefore: 0,
    gasEstimate: 1,
    part: 0,
    parts: 1,
    sizeBytes: 2,
    texts: [],
  }
  const closing = { releaseBlock: epochId * 12, closeBlock: epochId * 12 + 9, closeBlockHash: blockHash(epochId) }
  const totals = { batches: 1, projects: PROJECTS, projectsWithoutQuorum: 0, submissions: SLOTS }
  const [place] = await put(appender, topics.batches, [[{ dataMarket }, batch]], at)
  await put(appender, topics.batches, [[{ dataMarket }, { summaryOf: epochId, ...closing, ...totals }]], at)
  for (const [step, state] of STEPS.entries()) {
    const anchor = anchorIn(state, epochId, { ...roots, batchOffset: place!.offset })
    const after = at + 700 * (step + 1)
    await put(appender, topics.anchors, [[{ ...key, batchIndex: 0 }, anchor]], after)
    await put(
      appender,
      topics.anchors,
      [
        [
          { ...key, batchIndex: -1 },
          { ...anchor, cid: '', batchOffset: -1 },
        ],
      ],
      after,
    )
  }
}

const anchorIn = (state: Anchor['state'], epochId: number, fields: Partial<Anchor>): Anchor => ({
  state,
  batchOffset: -1,
  cid: `bafkrei${String(epochId).padStart(52, 'd')}`,
  roothash: '',
  finalizedCidsRootHash: '',
  nonce: epochId,
  attempts: 1,
  transactionHash: blockHash(epochId),
  blockNumber: epochId * 12 + 10,
  blockHash: blockHash(epochId),
  error: '',
  attestations: [],
  attested: state === 'FINAL',
  diverged: false,
  reorgs: 0,
  ...fields,
})

const tickOf = (kind: EpochTick['kind'], { dataMarket, epochId }: Key): EpochTick => ({
  kind,
  dataMarket,
  epochId,
  blockNumber: epochId * 12 + (kind === 'OPEN' ? 0 : 9),
  blockHash: blockHash(epochId),
  parentHash: blockHash(epochId - 1),
  blockTimestamp: 0,
  slotsOffset: 0,
  contractBlock: -1,
  releaseBlock: epochId * 12,
  begin: epochId * 10,
  end: epochId * 10 + 9,
  submissionWindow: 9,
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

/** Appends in bursts; gives where each lies. */
async function put<K, V>(
  appender: Appender,
  topic: RecordTopic<K, V>,
  entries: readonly Entry<K, V>[],
  timestamp: number,
): Promise<Place[]> {
  const places: Place[] = []
  for (let from = 0; from < entries.length; from += BURST) {
    const records = entries.slice(from, from + BURST).map(([key, value]) => {
      const bytes = topic.key.encode(key)
      const partition = partitionFor(bytes, topic.partitions)
      return { topic: topic.name, partition, timestamp, key: bytes, value: topic.value.encode(value) }
    })
    const offsets = await appender.append(records)
    for (const [i, { partition }] of records.entries()) places.push({ partition, offset: offsets[i]! })
  }
  return places
}
