/** A log, in memory unless another is given, with the sequencer's topics, written to by hand. */
import { createMemoryLog } from '../../../connectors/log/memory/memory.ts'
import { createCodec } from '../../../schemas/codec.ts'
import { memoryRegistry } from '../../../schemas/registry.ts'
import type {
  Anchor,
  Batch,
  EpochMarker,
  EpochTick,
  ProjectFinalization,
  Submission,
  Verdict,
} from '../../../schemas/types.ts'
import type { RecordTopic } from '../../../streams/kafka-topic.ts'
import { partitionFor } from '../../../streams/partitioner.ts'
import type { Log } from '../../../streams/ports.ts'
import { MARKET_DEFAULTS, type ProtocolRules, RULES_DEFAULTS } from '../../../topology/rules.ts'
import { sequencerTopics, type Topics } from '../../../topology/topics.ts'

export const MARKET = `0x${'a1'.repeat(20)}`
export const OTHER_MARKET = `0x${'b2'.repeat(20)}`
export const HASH = `0x${'cd'.repeat(32)}`

export const RULES: ProtocolRules = {
  ...RULES_DEFAULTS,
  markets: [MARKET, OTHER_MARKET].map((dataMarket) => ({
    ...MARKET_DEFAULTS,
    dataMarket,
    chainId: 31337,
    protocolState: `0x${'c3'.repeat(20)}`,
  })),
}

export interface Fixture {
  readonly log: Log
  readonly topics: Topics
  /** Writes one record where its key belongs and gives its place. */
  put<K, V>(topic: RecordTopic<K, V>, key: K, value: V): Promise<{ partition: number; offset: number }>
}

export async function createFixture(partitions = 3, log: Log = createMemoryLog()): Promise<Fixture> {
  const counts = { submissions: partitions, validated: 1, admitted: 1, finalizations: 2, verdicts: 2 }
  const topics = sequencerTopics(await createCodec(memoryRegistry()), { prefix: 'test-', partitions: counts })
  await log.createTopics(Object.values(topics))
  const appender = await log.appender()
  return {
    log,
    topics,
    async put(topic, key, value) {
      const keyBytes = topic.key.encode(key)
      const partition = partitionFor(keyBytes, topic.partitions)
      const record = { topic: topic.name, partition, timestamp: 0, key: keyBytes, value: topic.value.encode(value) }
      const [offset] = await appender.append([record])
      return { partition, offset: offset! }
    },
  }
}

export const submissionOf = (fields: Partial<Submission>): Submission => ({
  submissionId: '00000000-0000-4000-8000-000000000001',
  slotId: 7,
  deadline: 1_000,
  snapshotCid: 'bafkreione',
  epochId: 3,
  projectId: 'project-a',
  signature: '00'.repeat(65),
  header: HASH,
  dataMarket: MARKET,
  nodeVersion: null,
  receivedAt: Date.UTC(2026, 0, 1),
  position: null,
  digest: Buffer.alloc(0),
  fullNode: false,
  signer: '',
  headerBlock: -1,
  contested: false,
  ...fields,
})

export const verdictOf = (
  submission: Submission,
  position: Verdict['position'],
  reason: Verdict['reason'],
): Verdict => {
  const { submissionId, slotId, projectId, snapshotCid } = submission
  const evidence = { rule: 'the rule', expected: 'this', actual: 'that', blockNumber: 20 }
  return { position, submissionId, slotId, projectId, snapshotCid, reason, stage: 'validate', ...evidence }
}

export const tickOf = (fields: Partial<EpochTick>): EpochTick => ({
  kind: 'HEAD',
  dataMarket: MARKET,
  epochId: 3,
  blockNumber: 10,
  blockHash: HASH,
  parentHash: HASH,
  blockTimestamp: 1,
  slotsOffset: 0,
  contractBlock: 10,
  releaseBlock: 10,
  begin: 100,
  end: 109,
  submissionWindow: 5,
  acceptedHeaders: [],
  skippedFrom: 0,
  refusedFrom: 0,
  forks: 0,
  markets: [],
  day: 0,
  dailyQuota: 0,
  daysEnded: 0,
  refused: [],
  ...fields,
})

export const markerOf = (tick: EpochTick): EpochMarker => ({
  tick,
  from: 0,
  of: 1,
  count: 0,
  checksum: 0,
  blockTimes: [],
})

/** In one part, with one vote and no ballots. */
export const finalizationOf = (fields: Partial<ProjectFinalization>): ProjectFinalization => ({
  projectId: 'project-a',
  snapshotCid: 'bafkreione',
  votes: 1,
  voters: 1,
  closeBlock: 16,
  ballots: [],
  texts: Buffer.alloc(0),
  frames: [],
  signatures: Buffer.alloc(0),
  leaves: Buffer.alloc(0),
  dropped: [],
  equivocations: [],
  candidates: [],
  part: 0,
  parts: 1,
  ...fields,
})

export const batchOf = (fields: Partial<Batch>): Batch => ({
  epochId: 3,
  batchIndex: 0,
  batchCount: 1,
  json: Buffer.from('{}'),
  roothash: HASH,
  finalizedCidsRootHash: HASH,
  projectIds: ['project-a'],
  snapshotCids: ['bafkreione'],
  submissions: 1,
  leavesBefore: 0,
  gasEstimate: 0,
  part: 0,
  parts: 1,
  sizeBytes: 0,
  texts: [],
  ...fields,
})

export const anchorOf = (fields: Partial<Anchor>): Anchor => ({
  state: 'FINAL',
  batchOffset: 0,
  cid: 'bafybatch',
  roothash: HASH,
  finalizedCidsRootHash: HASH,
  nonce: 1,
  attempts: 1,
  transactionHash: '0xtx',
  blockNumber: 30,
  blockHash: HASH,
  error: '',
  attestations: [],
  attested: false,
  diverged: false,
  reorgs: 0,
  ...fields,
})
