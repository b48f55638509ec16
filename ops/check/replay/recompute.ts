/** Runs the topology itself over the records of one epoch. */
import { createCodec } from '../../../schemas/codec.ts'
import { memoryRegistry } from '../../../schemas/registry.ts'
import type { EpochKey } from '../../../schemas/types.ts'
import type { Log } from '../../../streams/ports.ts'
import { readRecords } from '../../../streams/read-record.ts'
import { TopologyTestDriver } from '../../../streams/test-driver.ts'
import { sequencerTopology } from '../../../topology/index.ts'
import type { ProtocolRules } from '../../../topology/rules.ts'
import { sequencerStores } from '../../../topology/stores.ts'
import type { Topics } from '../../../topology/topics.ts'
import { silently } from '../../reading/read.ts'
import { scan } from '../../reading/scan.ts'
import type { ReplayInput } from './input.ts'
import { createCollector, newOutcome, type Outcome } from './outcome.ts'

/** Records that a task takes at a time; it changes nothing but the speed. */
const COMMIT_EVERY = 1_000

export async function recompute(
  log: Log,
  topics: Topics,
  rules: ProtocolRules,
  key: EpochKey,
  { partitions }: ReplayInput,
): Promise<Outcome> {
  // The rows of the stores are never written to the log, so they need no schema ids of its registry.
  const stores = sequencerStores(await createCodec(memoryRegistry()))
  const own = unsealed(topics)
  const driver = new TopologyTestDriver(sequencerTopology(rules, own, stores), { commitEvery: COMMIT_EVERY })
  await fillSlots(driver, log, topics)
  for (const [partition, pieces] of partitions.entries())
    for (const { record } of pieces) driver.appendAt(topics.submissions.name, partition, record)
  driver.run()
  return outcomeIn(driver, own, key)
}

/** Nobody but the replay reads what it writes, so nobody seals it. */
function unsealed(topics: Topics): Topics {
  const { batches, payouts, anchorIntents } = topics
  const bare = <T extends { readonly seals?: unknown }>({ seals: _, ...topic }: T) => topic
  return { ...topics, batches: bare(batches), payouts: bare(payouts), anchorIntents: bare(anchorIntents) }
}

function outcomeIn(driver: TopologyTestDriver, topics: Topics, key: EpochKey): Outcome {
  const outcome = newOutcome()
  const collect = createCollector(topics, key, outcome)
  for (const record of driver.readRaw(topics.verdicts.name)) collect.verdict(record)
  for (const record of driver.readRaw(topics.finalizations.name)) collect.finalization(record)
  for (const record of driver.readRaw(topics.batches.name)) collect.batch(record)
  for (const record of driver.readRaw(topics.tallies.name)) collect.tally(record)
  return outcome
}

/** Each row has its slot's history, so the newest rows answer for any block. */
async function fillSlots(driver: TopologyTestDriver, log: Log, { slots }: Topics): Promise<void> {
  for await (const records of scan(log, { topic: slots.name, partition: 0 }))
    for (const { key, value } of readRecords(slots, 0, records, silently))
      if (value !== null) driver.append(slots, key, value)
}
