/**
 * One simulated run of the whole topology: three instances, an intake, a clock and the anchor's effects over one simulated
 * log, with every fault of its driver, then peace; and the invariants that must hold at the end.
 */
import { everyFault, type Faults } from '../../connectors/log/faults.ts'
import { memoryLogOver } from '../../connectors/log/memory.ts'
import { createSimulatedLog, type Simulation } from '../../connectors/log/simulated.ts'
import type { SimulatedLog } from '../../connectors/log/simulated-log.ts'
import { auditLog } from '../../ops/audit/audit.ts'
import type { AuditReport } from '../../ops/audit/report.ts'
import { createCodec } from '../../schemas/codec.ts'
import { memoryRegistry } from '../../schemas/registry.ts'
import type { Log, LogRecord, TopicPartition } from '../../streams/ports.ts'
import { StreamsRuntime } from '../../streams/runtime.ts'
import { createStateStore } from '../../streams/state.ts'
import type { ScopedStore } from '../../streams/store.ts'
import { changelogTopic } from '../../streams/topology.ts'
import { sequencerTopology } from '../../topology/index.ts'
import { type Stores, sequencerStores } from '../../topology/stores.ts'
import { isEpochSummary, isMarker, sequencerTopics, type Topics } from '../../topology/topics.ts'
import { AnchorChain } from './anchor-chain.ts'
import { BEGIN_MS } from './chain-story.ts'
import { anchorEffects, clock, intake, type Outside, retrying } from './processes.ts'
import { INTAKES, RULES, type Script, scriptOf } from './script.ts'

const APP_ID = 'sequencer'
const INSTANCES = ['a', 'b', 'c']
const PARTITIONS = { submissions: 3, validated: 2, admitted: 3, finalizations: 2, verdicts: 2 }
/** What the engine must stand beyond what the port promises. */
const FAULTS: Partial<Faults> = { ...everyFault, overlappingFetch: 0.05, staleOffset: 0.05 }
/** Faults happen for so long after the last block; then everything is left in peace to finish. */
const PEACE_AFTER_MS = 15_000
const STEPS_MAX = 400_000

export interface RunReport {
  readonly seed: number
  readonly steps: number
  readonly acknowledged: number
  readonly batches: number
  readonly fingerprint: number
}

/** @throws when an invariant does not hold, or when the run does not end; the message has the seed */
export async function simulate(seed: number, faults: Partial<Faults> = FAULTS): Promise<RunReport> {
  const codec = await createCodec(memoryRegistry())
  const topics = sequencerTopics(codec, { prefix: '', partitions: PARTITIONS })
  const stores = sequencerStores(codec)
  const script = scriptOf(seed)
  const simulation = createSimulatedLog({ seed, faults })
  const begun = simulation.clock.now()
  if (begun !== BEGIN_MS) throw new Error(`the simulated clock begins at ${begun}`)
  const outside: Outside = { begun, acknowledged: new Array(INTAKES).fill(0), chain: new AnchorChain(seed) }
  const failures: Error[] = []
  const setUp = simulation.connect('set-up')
  await finish(
    simulation,
    retrying(setUp, () => createTopics(setUp, topics)),
  )

  const world: World = { topics, stores, failures, standbys: seed % 2, slotsDelayMs: seed % 3 === 0 ? 2_000 : 0 }
  for (const id of INSTANCES) simulation.spawn(id, (log) => runInstance(log, world))
  for (let number = 0; number < INTAKES; number++)
    simulation.spawn(`intake ${number}`, (log) => spawned(intake(log, topics, script, outside, number), failures))
  simulation.spawn('clock', (log) => spawned(clock(log, topics, script, outside), failures))
  simulation.spawn('anchor', (log) => spawned(anchorEffects(log, topics, outside), failures))

  const regressions = watchOffsets(simulation)
  const peaceAt = begun + script.endMs + PEACE_AFTER_MS
  const calm = () => failures.length > 0 || simulation.clock.now() >= peaceAt
  await simulation.run(() => regressions() && calm(), { stepsMax: STEPS_MAX })
  const failed = () => {
    if (failures.length > 0) throw new Error(`seed ${seed}: ${failures[0]!.message}`)
  }
  failed()
  simulation.heal()
  const auditor = simulation.connect('auditor')
  const found: Found = { epochs: 0, markers: 0 }
  await finish(simulation, untilDone(auditor, topics, script, found, failures)).catch((error) => {
    failed()
    throw new Error(
      `seed ${seed}: no end, with ${found.epochs} of ${script.epochs.length} epochs and ${found.markers} of ${script.ticks.length * PARTITIONS.submissions} markers; ${error.message}`,
    )
  })
  failed()
  const batches = await checkInvariants(seed, memoryLogOver(simulation.core), topics, stores, script)
  return {
    seed,
    steps: simulation.steps,
    acknowledged: outside.acknowledged.reduce((a, b) => a + b),
    batches,
    fingerprint: simulation.fingerprint,
  }
}

/** What all instances share. */
interface World {
  readonly topics: Topics
  readonly stores: Stores
  readonly failures: Error[]
  /** In every second run. */
  readonly standbys: number
  /** How much later the slot table hears of its rows than the log's latency; in every third run, so that markers overtake it. */
  readonly slotsDelayMs: number
}

/** What cannot start is started again, as a supervisor would. */
function runInstance(log: SimulatedLog, world: World): void {
  spawned(
    retrying(log, () => createRuntime(log, world).start()),
    world.failures,
  )
}

function createRuntime(connection: SimulatedLog, world: World): StreamsRuntime {
  const { topics, stores, failures, standbys } = world
  const log = withSlowTable(connection, world)
  const runtime: StreamsRuntime = new StreamsRuntime(sequencerTopology(RULES, topics, stores), {
    appId: APP_ID,
    instanceId: log.instanceId,
    log,
    clock: log.clock,
    commitIntervalMs: 100,
    purgeIntervalMs: 200,
    standbys,
    yieldToLoop: () => log.clock.sleep(1),
    prepare: { [topics.submissions.name]: (records) => slotsReady(runtime, topics, records) },
    onFailure: (error) => failures.push(error),
  })
  return runtime
}

function withSlowTable(log: SimulatedLog, { topics, slotsDelayMs }: World): SimulatedLog {
  if (slotsDelayMs === 0) return log
  const fetch: SimulatedLog['fetch'] = async (positions, options) => {
    const fetched = await log.fetch(positions, options)
    if (positions.some(({ topic }) => topic === topics.slots.name)) await log.clock.sleep(slotsDelayMs)
    return fetched
  }
  return Object.assign(Object.create(log) as SimulatedLog, { fetch })
}

async function slotsReady(runtime: StreamsRuntime, topics: Topics, records: readonly LogRecord[]): Promise<unknown[]> {
  let needed = 0
  for (const { value } of records) {
    const event = topics.submissions.value.decode(value!)
    if (isMarker(event)) needed = Math.max(needed, event.tick.slotsOffset)
  }
  await runtime.globalTableReached(topics.slots.name, needed)
  return []
}

const spawned = (running: Promise<unknown>, failures: Error[]): void =>
  void running.catch((error: Error) => failures.push(error))

const createTopics = (log: Log, topics: Topics): Promise<void> =>
  log.createTopics(
    Object.values(topics).map((topic) => ({
      name: topic.name,
      partitions: topic.partitions,
      cleanup: topic.cleanup,
    })),
  )

/** Runs the simulation until the promise settles. */
async function finish<T>(simulation: Simulation, promise: Promise<T>): Promise<T> {
  let done = false
  const result = promise.finally(() => {
    done = true
  })
  result.catch(() => {})
  await simulation.run(() => done, { stepsMax: STEPS_MAX })
  return result
}

/** I3: offsets that a group has committed never go back. */
function watchOffsets(simulation: Simulation): () => true {
  const highest = new Map<string, number>()
  return () => {
    for (const [at, next] of simulation.core.committedEntries()) {
      if (next < (highest.get(at) ?? 0))
        throw new Error(
          `seed ${simulation.seed}: committed offset of ${at} went from ${highest.get(at)} back to ${next}`,
        )
      highest.set(at, next)
    }
    return true
  }
}

/** Until every epoch is ended on the chain, and every marker there: the last blocks close nothing, so nothing else waits for them. */
async function untilDone(log: SimulatedLog, topics: Topics, script: Script, found: Found, failures: Error[]) {
  const markers = script.ticks.length * topics.submissions.partitions
  while ((found.epochs < script.epochs.length || found.markers < markers) && failures.length === 0) {
    await log.clock.sleep(500)
    const anchors = await readAll(log, topics.anchors)
    const ended = anchors.filter(({ key, value }) => key.batchIndex === -1 && value.state === 'FINAL')
    found.epochs = new Set(ended.map(({ key }) => `${key.dataMarket}/${key.epochId}`)).size
    found.markers = (await readAll(log, topics.submissions)).filter(({ value }) => isMarker(value)).length
  }
  await log.clock.sleep(5_000) // what trails behind: verdicts
}

/** I1 and I2 by the audit (a second implementation of the rules), I4 to I7 by looking. @returns batches */
async function checkInvariants(
  seed: number,
  log: Log,
  topics: Topics,
  stores: Stores,
  script: Script,
): Promise<number> {
  const fail = (what: string): never => {
    throw new Error(`seed ${seed}: ${what}`)
  }
  const report = await auditLog(log, { topics, rules: RULES, appId: APP_ID })
  const { lost, duplicated, skipped, mismatches } = report
  if (lost + duplicated + skipped + mismatches > 0 || report.pending > 0) fail(`audit: ${describe(report)}`)

  const ticks = script.ticks.map((tick) =>
    topics.submissions.markers!.idOf({ tick, from: 0, of: 1, count: 0, checksum: 0 }),
  )
  const submissions = await readAll(log, topics.submissions)
  for (let partition = 0; partition < PARTITIONS.submissions; partition++) {
    const ids = submissions
      .filter((record) => record.partition === partition && isMarker(record.value))
      .map(({ value }) => topics.submissions.markers!.idOf(value))
    const at = ids.findIndex((id, i) => id !== ticks[i])
    if (at >= 0 || ids.length !== ticks.length)
      fail(`I4: partition ${partition} has ${ids.length} markers of ${ticks.length} ticks; ${ids[at]} for ${ticks[at]}`)
  }
  const nonces = new Map<number, string>()
  for (const { key, value } of await readAll(log, topics.anchorIntents)) {
    if (value.step !== 'SEND') continue
    const content = `${key.dataMarket}/${key.epochId}/${key.batchIndex}`
    if ((nonces.get(value.nonce) ?? content) !== content)
      fail(`I5: nonce ${value.nonce} was approved for ${nonces.get(value.nonce)} and ${content}`)
    nonces.set(value.nonce, content)
  }
  const batches = await readAll(log, topics.batches)
  const summaries = batches.flatMap(({ key, value }) =>
    isEpochSummary(value) ? [`${key.dataMarket}/${value.summaryOf}`] : [],
  )
  if (summaries.toSorted().join() !== script.epochs.join()) fail(`I6: epochs batched: ${summaries.join()}`)
  const left = await stateLeft(log, stores)
  if (left.length > 0) fail(`I7: state of closed epochs is left: ${left.join()}`)
  return batches.length - summaries.length
}

/** What a task would restore of epochs that are over: `changelog/partition scope`. The anchor still watches its own. */
async function stateLeft(log: Log, { parked, slotQuota, votes, projects }: Stores): Promise<string[]> {
  const left: string[] = []
  for (const builder of [parked, slotQuota, votes, projects]) {
    const topic = changelogTopic(APP_ID, builder.name)
    for (let partition = 0; partition < (await log.partitionCount(topic)); partition++) {
      const store = createStateStore(builder, topic)
      for (const record of await readPartition(log, { topic, partition })) store.restore(record)
      const { scopes } = store as unknown as ScopedStore<unknown>
      for (const scope of scopes.call(store)) left.push(`${topic}/${partition} ${scope}`)
    }
  }
  return left
}

/** The counts that are not zero, and the first difference of each kind. */
function describe({ lost, duplicated, skipped, mismatches, pending, differences }: AuditReport): string {
  const counts = Object.entries({ lost, duplicated, skipped, mismatches, pending }).filter(([, count]) => count > 0)
  const firsts = counts.flatMap(([kind]) => differences.find((difference) => difference.kind === kind) ?? [])
  return [
    counts.map(([name, count]) => `${count} ${name}`).join(', '),
    ...firsts.map(({ where, message }) => `${where}: ${message}`),
  ].join('; ')
}

interface Found {
  epochs: number
  markers: number
}

interface ReadableTopic<K, V> {
  readonly name: string
  readonly partitions: number
  readonly key: { decode(bytes: Uint8Array): K }
  readonly value: { decode(bytes: Uint8Array): V }
}

async function readAll<K, V>(log: Log, topic: ReadableTopic<K, V>) {
  const rows: { readonly partition: number; readonly offset: number; readonly key: K; readonly value: V }[] = []
  for (let partition = 0; partition < topic.partitions; partition++) {
    for (const { offset, key, value } of await readPartition(log, { topic: topic.name, partition }))
      if (key && value) rows.push({ partition, offset, key: topic.key.decode(key), value: topic.value.decode(value) })
  }
  return rows
}

async function readPartition(log: Log, at: TopicPartition): Promise<LogRecord[]> {
  const [bounds] = await log.bounds([at])
  const records: LogRecord[] = []
  for (let offset = bounds!.start; offset < bounds!.stable; ) {
    const [fetched] = await log.fetch([{ ...at, offset }], { maxWaitMs: 0, maxBytesPerPartition: 1e7 })
    records.push(...fetched!.records.filter((record) => record.offset >= offset))
    offset = Math.max(offset, fetched!.next)
  }
  return records
}
