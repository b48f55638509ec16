/** The connectors of a simulated run: they may die at any step and go on from what the log knows. */
import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create } from 'multiformats/hashes/digest'
import type { SimulatedLog } from '../../connectors/log/simulated-log.ts'
import type { AnchorIntent, AnchorKey, AnchorResult } from '../../schemas/types.ts'
import { partitionFor } from '../../streams/partitioner.ts'
import { type FetchPosition, LogError, type OutgoingRecord } from '../../streams/ports.ts'
import { isEpochSummary, type Topics } from '../../topology/topics.ts'
import { BLOCK_MS, blockHash, type Script } from './script.ts'

const RETRY_MS = 50
const CLOCK_GROUP = 'sequencer-clock'

/** What outlives the processes: how much was acknowledged, and what the chain holds. */
export interface Outside {
  /** Submissions that the intake was told are in the log. */
  acknowledged: number
  readonly chain: Map<number, string>
}

/** Repeats what fails, for ever: the process may die, the log may refuse. */
export async function retrying<T>(log: SimulatedLog, action: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await action()
    } catch (error) {
      if (error instanceof LogError && error.code === 'FENCED') throw error
      await log.clock.sleep(RETRY_MS)
    }
  }
}

/** Appends each submission at its time, again and again until it is acknowledged. */
export async function intake(
  log: SimulatedLog,
  topics: Topics,
  script: Script,
  outside: Outside,
  begun: number,
): Promise<void> {
  const appender = await retrying(log, () => log.appender())
  while (outside.acknowledged < script.submissions.length) {
    const { atMs, key, submission } = script.submissions[outside.acknowledged]!
    await log.clock.sleep(Math.max(0, begun + atMs - log.clock.now()))
    const keyBytes = topics.submissions.key.encode(key)
    const partition = partitionFor(keyBytes, topics.submissions.partitions)
    const record = {
      topic: topics.submissions.name,
      partition,
      timestamp: submission.receivedAt,
      key: keyBytes,
      value: topics.submissions.value.encode(submission),
    }
    await retrying(log, () => appender.append([record]))
    outside.acknowledged++
  }
}

/** Writes slots, then a block's ticks with the cursor in one transaction; where it stands, it asks the log. */
export async function clock(log: SimulatedLog, topics: Topics, script: Script, begun: number): Promise<void> {
  const at = { topic: topics.epochTicks.name, partition: 0 }
  for (;;) {
    const writer = await retrying(log, () => log.transactionalWriter(CLOCK_GROUP))
    let settled = true
    while (settled) {
      const [committed] = await retrying(log, () => log.committedOffsets(CLOCK_GROUP, [at]))
      const next = Number(committed?.metadata || -1) + 1
      if (next > script.blocks.length) return
      const records = next === 0 ? slotRecords(topics, script) : tickRecords(topics, script, next)
      await log.clock.sleep(Math.max(0, begun + next * BLOCK_MS - log.clock.now()))
      const { outcome } = await writer.commit({
        records,
        offsets: { group: CLOCK_GROUP, commits: [{ ...at, next: 0, metadata: String(next) }] },
      })
      if (outcome === 'fenced') return
      settled = outcome !== 'unknown' // then a new writer settles it, and the cursor says how
    }
  }
}

const slotRecords = (topics: Topics, script: Script): OutgoingRecord[] =>
  script.slots.map((owner) => ({
    topic: topics.slots.name,
    partition: 0,
    timestamp: 0,
    key: topics.slots.key.encode({ slotId: owner.slotId }),
    value: topics.slots.value.encode(owner),
  }))

const tickRecords = (topics: Topics, script: Script, block: number): OutgoingRecord[] =>
  script.blocks[block - 1]!.map((tick) => ({
    topic: topics.epochTicks.name,
    partition: 0,
    timestamp: tick.blockTimestamp * 1000,
    key: topics.epochTicks.key.encode({ dataMarket: tick.dataMarket }),
    value: topics.epochTicks.value.encode(tick),
  }))

/** Answers the newest intent of each key, as a chain and a store that always work would. Every answer may be given twice. */
export async function anchorEffects(log: SimulatedLog, topics: Topics, outside: Outside): Promise<void> {
  const appender = await retrying(log, () => log.appender())
  let position: FetchPosition = { topic: topics.anchorIntents.name, partition: 0, offset: 0 }
  for (;;) {
    const [fetched] = await retrying(log, () => log.fetch([position], { maxWaitMs: 500, maxBytesPerPartition: 1e6 }))
    for (const { key, value, offset } of fetched!.records) {
      if (offset < position.offset) continue
      const anchorKey = topics.anchorIntents.key.decode(key!)
      const intent = topics.anchorIntents.value.decode(value!)
      const answers = answersTo(intent, anchorKey, outside, await batchBytes(log, topics, intent))
      for (const answer of answers) {
        const record = {
          topic: topics.anchorResults.name,
          partition: 0,
          timestamp: 0,
          key: topics.anchorResults.key.encode(anchorKey),
          value: topics.anchorResults.value.encode(answer),
        }
        await retrying(log, () => appender.append([record]))
      }
    }
    if (fetched!.next > position.offset) position = { ...position, offset: fetched!.next }
  }
}

async function batchBytes(log: SimulatedLog, topics: Topics, { step, batchOffset }: AnchorIntent): Promise<Uint8Array> {
  if (step !== 'STORE') return new Uint8Array()
  for (;;) {
    const [fetched] = await retrying(log, () =>
      log.fetch([{ topic: topics.batches.name, partition: 0, offset: batchOffset }], {
        maxWaitMs: 0,
        maxBytesPerPartition: 1,
      }),
    )
    const record = fetched!.records.find(({ offset }) => offset === batchOffset)
    if (!record) continue
    const batch = topics.batches.value.decode(record.value!)
    if (isEpochSummary(batch)) throw new Error(`the intent points to a summary at ${batchOffset}`)
    return batch.json
  }
}

function answersTo(intent: AnchorIntent, key: AnchorKey, { chain }: Outside, bytes: Uint8Array): AnchorResult[] {
  const { step, attempt, nonce, rawTransactions } = intent
  const answer = (outcome: AnchorResult['outcome'], fields: Partial<AnchorResult> = {}): AnchorResult => ({
    ...NO_RESULT,
    step,
    attempt,
    outcome,
    ...fields,
  })
  if (step === 'STORE')
    return [
      answer('STORED', {
        cid: CID.createV1(raw.code, create(0x12, createHash('sha256').update(bytes).digest())).toString(),
      }),
    ]
  if (step === 'PREPARE')
    return [
      answer('READY', {
        signer: `0x${'51'.repeat(20)}`,
        nonce: chain.size,
        gasLimit: 500_000,
        maxFeePerGas: '2000',
        maxPriorityFeePerGas: '100',
      }),
    ]
  if (step === 'SIGN')
    return [
      answer('SIGNED', {
        rawTransaction: `raw ${nonce} ${key.epochId}/${key.batchIndex}`,
        transactionHash: `0x${nonce}`,
      }),
    ]
  if (step !== 'SEND') return []
  const sent = rawTransactions.at(-1)!
  const before = chain.get(nonce)
  if (before !== undefined && before !== sent)
    throw new Error(`nonce ${nonce} was approved for "${before}" and for "${sent}"`)
  chain.set(nonce, sent)
  const mined = { transactionHash: `0x${nonce}`, blockNumber: 100 + nonce, blockHash: blockHash(100 + nonce) }
  return [answer('MINED', mined), answer('FINAL', mined)]
}

const NO_RESULT: Omit<AnchorResult, 'step' | 'attempt' | 'outcome'> = {
  cid: '',
  signer: '',
  nonce: -1,
  gasLimit: 0,
  maxFeePerGas: '0',
  maxPriorityFeePerGas: '0',
  rawTransaction: '',
  transactionHash: '',
  blockNumber: -1,
  blockHash: '',
  error: '',
  attestation: null,
}
