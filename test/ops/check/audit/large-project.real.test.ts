/**
 * Many slots vote for one project: the running stages on the embedded log, from the submissions to an anchored batch, which
 * the audit, a replay and a proof agree with. `npm run large` has ten times as many.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBatchReader } from '../../../../connectors/evm/anchor-effects/anchor-batches.ts'
import { computeCid } from '../../../../connectors/ipfs/cid.ts'
import { openEmbeddedLog } from '../../../../connectors/log/embedded/embedded.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { auditLog } from '../../../../ops/check/audit/audit.ts'
import { createProofVerifier } from '../../../../ops/check/proof/verify.ts'
import { replay } from '../../../../ops/check/replay/command.ts'
import { verifyBatch } from '../../../../ops/check/verify/verify.ts'
import { batchAt } from '../../../../ops/reading/batch-at.ts'
import { proofText } from '../../../../ops/reading/proof/format.ts'
import { createProofs, proofPorts } from '../../../../ops/reading/proof/source.ts'
import { scan } from '../../../../ops/reading/scan.ts'
import { createCodec } from '../../../../schemas/codec.ts'
import { memoryRegistry } from '../../../../schemas/registry.ts'
import type { AnchorIntent, AnchorResult } from '../../../../schemas/types.ts'
import type { RecordTopic } from '../../../../streams/kafka-topic.ts'
import { partitionFor } from '../../../../streams/partitioner.ts'
import type { Appender, Log, OutgoingRecord } from '../../../../streams/ports.ts'
import { StreamsRuntime } from '../../../../streams/runtime.ts'
import { sequencerTopology } from '../../../../topology/index.ts'
import { RECORD_BYTES_MAX } from '../../../../topology/shared/parts.ts'
import { sequencerStores } from '../../../../topology/stores.ts'
import { sequencerTopics } from '../../../../topology/topics.ts'
import { resultOf } from '../../../topology/anchor/anchor-harness.ts'
import {
  addressOf,
  closeTick,
  hashOf,
  headTick,
  MARKET,
  marketRules,
  openTick,
  rulesOf,
  submissionOf,
  uuid,
} from '../../../topology/world.ts'
import { until } from '../../../until.ts'

const SLOTS = Number(process.env.LARGE_SLOTS ?? 10_000)
/** Nothing is timed here; a busy machine takes long. */
const PATIENCE_MS = SLOTS * 60
/** A slot's key is another's too: making keys is slow. */
const KEYS = 20
const EPOCH = 1
const PROJECT = 'pairContract_trade_volume:0x00000000000000000000000000000000000000aa:UNISWAPV2'
const APPEND_AT_ONCE = 1_000

const rules = rulesOf()
const topics = sequencerTopics(await createCodec(memoryRegistry()), {
  prefix: '',
  partitions: { submissions: 2, validated: 2, admitted: 2, finalizations: 2, verdicts: 2 },
})
const key = { dataMarket: MARKET, epochId: EPOCH }
const keyOf = (slotId: number): number => 1 + (slotId % KEYS)
const owners = Array.from({ length: KEYS + 1 }, (_, key) => addressOf(key))
const ownerOf = (slotId: number): string => owners[keyOf(slotId)]!
const directory = mkdtempSync(join(tmpdir(), 'large-project-'))
const figures: string[] = []
let log: Log

beforeAll(async () => {
  log = await openEmbeddedLog({ directory })
  await runEpoch(log)
}, PATIENCE_MS)
afterAll(async () => {
  await log.close()
  if (process.env.LARGE_SLOTS)
    console.info(`${figures.join('\n')}\nmemory: ${process.resourceUsage().maxRSS >> 10} MiB`)
  rmSync(directory, { recursive: true, force: true })
})

test('behavior: no record is larger than a part, and the batch is whole', async () => {
  for (const topic of [topics.finalizations, topics.batches])
    for (let partition = 0; partition < topic.partitions; partition++)
      for await (const records of scan(log, { topic: topic.name, partition }))
        for (const { value } of records) expect(value!.length).toBeLessThanOrEqual(RECORD_BYTES_MAX)
  const batch = (await batchAt(log, topics, 0))!
  figures.push(`batch: ${batch.json.length} bytes`)
  expect(batch).toMatchObject({ projectIds: [PROJECT], submissions: SLOTS, parts: 1 })
  expect(batch.json.length).toBeGreaterThan(SLOTS * 500)
})

test('behavior: the audit finds nothing', { timeout: PATIENCE_MS }, async () => {
  const report = await auditLog(log, { topics, rules, appId: 'app' })
  expect(report).toMatchObject({ lost: 0, duplicated: 0, skipped: 0, mismatches: 0, differences: [] })
  expect(report.epochsAnchored).toBe(1)
})

test('behavior: a replay is identical', { timeout: PATIENCE_MS }, async () => {
  const chain = { rpcUrls: [], chainId: 31337, protocolState: '' }
  const report = await replay({ log, topics, rules, appId: 'app', chain, close: async () => {} }, { epoch: EPOCH })
  expect(report).toMatchObject({ identical: true, submissions: SLOTS, verdicts: SLOTS, batches: 1, differences: [] })
})

test('behavior: the batch is sound by itself, with every signature', { timeout: PATIENCE_MS }, async () => {
  const batch = (await batchAt(log, topics, 0))!
  const { chainId, protocolState } = marketRules()
  const slots = new Map(Array.from({ length: SLOTS }, (_, i) => [i + 1, ownerOf(i + 1)]))
  const report = await verifyBatch(batch.json, { domain: { chainId, protocolState }, slots })
  expect(report).toMatchObject({ ok: true, problems: [], submissions: SLOTS })
})

test('behavior: a proof of the last slot holds', { timeout: PATIENCE_MS }, async () => {
  const { chainId, protocolState } = marketRules()
  const proofs = createProofs({ chainId, protocolState }, proofPorts(log, topics))
  const proof = await proofs.get({ ...key, slotId: SLOTS })
  const { shown } = (await createProofVerifier())(Buffer.from(proofText(proof)))
  expect(shown.length).toBeGreaterThan(0)
})

async function runEpoch(log: Log): Promise<void> {
  await log.createTopics(Object.values(topics))
  const appender = await log.appender()
  const codec = await createCodec(memoryRegistry())
  const failures: Error[] = []
  const runtime = new StreamsRuntime(sequencerTopology(rules, topics, sequencerStores(codec)), {
    appId: 'app',
    instanceId: 'one',
    log,
    clock: systemClock,
    onFailure: (error) => failures.push(error),
  })
  const owned = Array.from({ length: SLOTS }, (_, i) => {
    const slotId = i + 1
    const history = [{ sinceBlock: 0, owner: ownerOf(slotId), active: true, sinceFork: 0, untilFork: 0 }]
    return recordOf(topics.slots, { slotId }, { slotId, history })
  })
  await appendAll(appender, owned)
  const submissionWindow = 4
  const heads = [headTick(10), { ...openTick(EPOCH, 10), submissionWindow }, headTick(11)]
  const ticks = (all: typeof heads) =>
    appendAll(
      appender,
      all.map((tick) => recordOf(topics.epochTicks, { dataMarket: tick.dataMarket }, tick)),
    )
  await ticks(heads)
  await runtime.start()
  const reached = (what: string, condition: () => Promise<boolean>): Promise<unknown> =>
    until(
      what,
      async () => {
        if (failures[0]) throw failures[0]
        return condition()
      },
      { limitMs: PATIENCE_MS },
    )
  const submitted = async (): Promise<number> =>
    (await log.bounds([0, 1].map((partition) => ({ topic: topics.submissions.name, partition })))).reduce(
      (sum, { stable }) => sum + stable,
      0,
    )
  await reached('the ticks', async () => (await submitted()) >= heads.length * 2)
  await appendAll(
    appender,
    Array.from({ length: SLOTS }, (_, i) => {
      const slotId = i + 1
      const fields = { slotId, signedBy: keyOf(slotId), projectId: PROJECT, submissionId: uuid(slotId) }
      const submission = submissionOf({ ...fields, snapshotCid: `bafkrei${slotId % 10 === 0 ? 'b' : 'a'}` })
      return recordOf(topics.submissions, { ...key, projectId: PROJECT }, submission)
    }),
  )
  const closedAt = systemClock.now()
  const closing = [12, 13, 14, 15].map((block) => headTick(block))
  await ticks([...closing, { ...closeTick(EPOCH, 10, 15), submissionWindow }])
  await anchor(log, appender, reached)
  figures.push(`close to the end of the anchoring: ${systemClock.now() - closedAt} ms`)
  await reached('the verdicts', async () => (await endOf(log, topics.verdicts)) >= SLOTS)
  await runtime.close()
}

async function endOf(log: Log, { name: topic, partitions }: { name: string; partitions: number }): Promise<number> {
  let count = 0
  for (let partition = 0; partition < partitions; partition++)
    for await (const records of scan(log, { topic, partition })) count += records.length
  return count
}

/** Plays the connector and a chain where everything goes well, until the epoch is ended. */
async function anchor(
  log: Log,
  appender: Appender,
  reached: (what: string, condition: () => Promise<boolean>) => Promise<unknown>,
): Promise<void> {
  const batches = createBatchReader(log, topics.batches)
  const { anchorIntents, anchorResults } = topics
  let from = 0
  let ended = false
  await reached('the end of the anchoring', async () => {
    for await (const records of scan(log, { topic: anchorIntents.name, partition: 0 }, { from }))
      for (const record of records) {
        from = record.offset + 1
        const at = anchorIntents.key.decode(record.key!)
        const intent = anchorIntents.value.decode(record.value!)
        if (SETTLED.includes(intent.step) && at.batchIndex === -1) ended = true
        if (SETTLED.includes(intent.step)) continue
        for (const result of await answersTo(intent, (offset) =>
          batches.whole(offset, new AbortController().signal).then(({ json }) => json),
        ))
          await appendAll(appender, [recordOf(anchorResults, at, result)])
      }
    return ended
  })
}

/** Nothing more is asked of the chain; what is final is looked at once in a while. */
const SETTLED: readonly string[] = ['DONE', 'WATCH', 'KEEP']

async function answersTo(
  { step, attempt, batchOffset }: AnchorIntent,
  jsonAt: (offset: number) => Promise<Uint8Array>,
): Promise<AnchorResult[]> {
  const result = (fields: Partial<AnchorResult> & Pick<AnchorResult, 'outcome'>) =>
    resultOf({ step, attempt, ...fields })
  const mined = { transactionHash: hashOf(1), blockNumber: 40, blockHash: hashOf(40) }
  if (step === 'STORE') return [result({ outcome: 'STORED', cid: await computeCid(await jsonAt(batchOffset), 1) })]
  if (step === 'PREPARE')
    return [result({ outcome: 'READY', signer: addressOf(1), nonce: 0, gasLimit: 1, maxFeePerGas: '1' })]
  if (step === 'SIGN') return [result({ outcome: 'SIGNED', rawTransaction: '0x00', transactionHash: hashOf(1) })]
  return [result({ outcome: 'MINED', ...mined }), result({ outcome: 'FINAL', ...mined })]
}

function recordOf<K, V>(topic: RecordTopic<K, V>, key: K, value: V): OutgoingRecord {
  const bytes = topic.key.encode(key)
  const partition = partitionFor(bytes, topic.partitions)
  return { topic: topic.name, partition, timestamp: systemClock.now(), key: bytes, value: topic.value.encode(value) }
}

async function appendAll(appender: Appender, records: readonly OutgoingRecord[]): Promise<void> {
  for (let at = 0; at < records.length; at += APPEND_AT_ONCE)
    await appender.append(records.slice(at, at + APPEND_AT_ONCE))
}
