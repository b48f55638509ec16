/**
 * One simulated run of the whole topology: three instances, an intake, a clock and the anchor's effects over one simulated
 * log, with every fault of its driver, then peace; and the invariants that must hold at the end.
 */

import { memoryLogOver } from '../../connectors/log/memory/memory.ts'
import { everyFault, type Faults } from '../../connectors/log/simulated/faults.ts'
import { SeededRandom } from '../../connectors/log/simulated/seeded-random.ts'
import { createSimulatedLog, type Simulation } from '../../connectors/log/simulated/simulated.ts'
import type { SimulatedLog } from '../../connectors/log/simulated/simulated-log.ts'
import { createPrepare } from '../../ops/run/prepare.ts'
import { createCodec } from '../../schemas/codec.ts'
import { memoryRegistry } from '../../schemas/registry.ts'
import type { Anchor, AnchorKey, EpochTick } from '../../schemas/types.ts'
import type { Log, LogRecord } from '../../streams/ports.ts'
import { StreamsRuntime } from '../../streams/runtime.ts'
import { sequencerTopology } from '../../topology/index.ts'
import type { ProtocolRules } from '../../topology/rules.ts'
import { sealedTopics } from '../../topology/shared/seals.ts'
import { type Stores, sequencerStores } from '../../topology/stores.ts'
import { isMarker, sequencerTopics, type Topics } from '../../topology/topics.ts'
import { AnchorChain } from './anchor-chain.ts'
import { BEGIN_MS } from './chain-story.ts'
import { daysMet, paidIn } from './day-invariants.ts'
import { storyDays, withMistake } from './day-words.ts'
import { APP_ID, checkInvariants } from './invariants.ts'
import { outcomeDigest } from './outcome-digest.ts'
import { PayChain } from './pay-chain.ts'
import { adversary, anchorEffects, clock, intake, type Outside, retrying } from './processes.ts'
import { newsOf, readAll } from './reading.ts'
import { ReceiptNodes } from './receipt-nodes.ts'
import { TICK_FANOUT } from './rules.ts'
import { type Script, scriptOf } from './script.ts'
import { INTAKES } from './submissions.ts'
import { realClock, TrueChain } from './true-chain.ts'
import { canonicalTicks, chainMet, writtenTicks } from './true-invariants.ts'

const INSTANCES = ['a', 'b', 'c']
const PARTITIONS = { submissions: 3, validated: 2, admitted: 3, finalizations: 2, verdicts: 2 }
/** What the engine must stand beyond what the port promises. */
const FAULTS: Partial<Faults> = { ...everyFault, overlappingFetch: 0.05, staleOffset: 0.05 }
/** Faults happen for so long after the last block; then everything is left in peace to finish. */
const PEACE_AFTER_MS = 15_000
/** Some ten times what a run takes: one without a guard may never end. */
const STEPS_MAX = 100_000
/** The same in every run, and without state: to make them takes about as long as a tenth of a run. */
const codec = await createCodec(memoryRegistry())
const bareTopics = sequencerTopics(codec, { prefix: '', partitions: PARTITIONS })
const stores = sequencerStores(codec)

export interface RunReport {
  readonly seed: number
  readonly steps: number
  readonly acknowledged: number
  readonly batches: number
  /** How often each bound was reached, by its name. */
  readonly reached: Readonly<Record<string, number>>
  /** How often what may become of days was met, and, where a real clock ran, what a chain and its nodes may do; by its name. */
  readonly met: Readonly<Record<string, number>>
  readonly fingerprint: number
  /** Of the outcomes; see `outcomeDigest`. */
  readonly digest: string
}

/** @throws when an invariant does not hold, or when the run does not end; the message has the seed */
export async function simulate(seed: number, faults: Partial<Faults> = FAULTS): Promise<RunReport> {
  const script = scriptOf(seed)
  const topics = sealedTopics(bareTopics, script.rules, TICK_FANOUT)
  const simulation = createSimulatedLog({ seed, faults })
  const begun = simulation.clock.now()
  if (begun !== BEGIN_MS) throw new Error(`the simulated clock begins at ${begun}`)
  const truth = script.play && new TrueChain(script.play, simulation.clock)
  let isCalm = false
  const ms = (): number => simulation.clock.now() - begun
  const days = truth?.contractDays(script.dayWords) ?? storyDays(script.days, script.dayWords, ms, () => isCalm)
  const pay = new PayChain(seed, withMistake(days, script.dayWords, ms), script.dayWords.hasRival)
  const chain = new AnchorChain(seed, pay, script.play?.words.hasRival)
  const outside: Outside = { begun, acknowledged: new Array(INTAKES).fill(0), hostile: 0, chain }
  const failures: Error[] = []
  const setUp = simulation.connect('set-up')
  await finish(
    simulation,
    retrying(setUp, () => createTopics(setUp, topics)),
  )

  const world: World = {
    topics,
    stores,
    failures,
    rules: script.rules,
    standbys: seed % 2,
    slotsDelayMs: seed % 3 === 0 ? 2_000 : 0,
  }
  for (const id of INSTANCES) simulation.spawn(id, (log) => runInstance(log, world))
  for (let number = 0; number < INTAKES; number++)
    simulation.spawn(`intake ${number}`, (log) => spawned(intake(log, topics, script, outside, number), failures))
  if (script.hostile.length > 0)
    simulation.spawn('adversary', (log) => spawned(adversary(log, topics, script, outside), failures))
  const clockOf = (log: SimulatedLog) =>
    truth ? realClock(log, topics, APP_ID, truth) : clock(log, topics, script, outside)
  simulation.spawn('clock', (log) => spawned(clockOf(log), failures))
  const receiptNodes = (log: SimulatedLog) =>
    script.play?.words.hasReceiptLiar
      ? new ReceiptNodes(new SeededRandom(seed ^ 0x1ece), log.clock, () => truth?.receiptsDisagreed())
      : undefined
  simulation.spawn('anchor', (log) => spawned(anchorEffects(log, topics, outside, receiptNodes(log)), failures))

  const regressions = watchOffsets(simulation)
  const peaceAt = begun + script.endMs + PEACE_AFTER_MS
  const calm = () => failures.length > 0 || simulation.clock.now() >= peaceAt
  await simulation.run(() => regressions() && calm(), { stepsMax: STEPS_MAX })
  const failed = () => {
    if (failures.length > 0) throw new Error(`seed ${seed}: ${failures[0]!.message}`)
  }
  failed()
  simulation.heal()
  chain.calm()
  truth?.calm()
  isCalm = true
  const auditor = simulation.connect('auditor')
  const found: Found = { epochs: 0, markers: 0, due: 0, paid: false }
  await finish(simulation, untilDone(auditor, topics, script, { found, outside, truth, failures })).catch((error) => {
    failed()
    throw new Error(
      `seed ${seed}: no end, with ${found.epochs} of ${script.epochs.length} epochs and ${found.markers} of ${found.due} markers${found.paid ? '' : ', not paid'}; ${error.message}`,
    )
  })
  failed()
  const { batches, reached } = await checkInvariants(seed, memoryLogOver(simulation.core), {
    topics,
    stores,
    script,
    chain,
    pay,
    world: truth,
  })
  return {
    seed,
    steps: simulation.steps,
    acknowledged: outside.acknowledged.reduce((a, b) => a + b),
    batches,
    reached,
    met: await met(memoryLogOver(simulation.core), { topics, script, pay, truth, chain }),
    fingerprint: simulation.fingerprint,
    digest: await outcomeDigest(memoryLogOver(simulation.core), topics),
  }
}

interface Ended {
  readonly topics: Topics
  readonly script: Script
  readonly pay: PayChain
  readonly truth: TrueChain | undefined
  readonly chain: AnchorChain
}

async function met(log: Log, { truth, chain, ...run }: Ended): Promise<RunReport['met']> {
  const ticks = truth ? await writtenTicks(log, run.topics) : run.script.ticks
  return { ...(await daysMet(log, run, ticks)), ...(truth && (await chainMet(log, run.topics, truth, chain))) }
}

interface Found {
  epochs: number
  markers: number
  /** Markers that there must be. */
  due: number
  /** The ledger has every epoch, and every payout its end. */
  paid: boolean
}

interface Ending {
  readonly found: Found
  readonly outside: Outside
  readonly truth: TrueChain | undefined
  readonly failures: Error[]
}

/** What all instances share. */
interface World {
  readonly topics: Topics
  readonly stores: Stores
  readonly failures: Error[]
  readonly rules: ProtocolRules
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
  const { topics, stores, failures, standbys, rules } = world
  const log = withSlowTable(connection, world)
  const prepare = createPrepare({
    topics,
    signers: { recover: async () => [], close: async () => {} }, // validate does it where nothing is prepared
    slotsReached: (offset) => runtime.globalTableReached(topics.slots.name, offset),
  })
  const runtime: StreamsRuntime = new StreamsRuntime(sequencerTopology(rules, topics, stores), {
    appId: APP_ID,
    instanceId: log.instanceId,
    log,
    clock: log.clock,
    commitIntervalMs: 100,
    purgeIntervalMs: 200,
    standbys,
    yieldToLoop: () => log.clock.sleep(1),
    prepare: [prepare],
    observer: { taskRefused: (_stage, _partition, cause) => failures.push(cause) },
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

/** I3: offsets that a group has committed never go back. @returns throws once one has */
function watchOffsets({ core, seed }: Simulation): () => true {
  const highest = new Map<string, number>()
  let wrong: string | undefined
  const commit = core.commitOffsets.bind(core)
  core.commitOffsets = (group, commits) => {
    for (const { topic, partition, next } of commits) {
      const at = `${group} ${topic}/${partition}`
      const before = highest.get(at) ?? 0
      if (next < before) wrong ??= `committed offset of ${at} went from ${before} back to ${next}`
      highest.set(at, next)
    }
    commit(group, commits)
  }
  return () => {
    if (wrong !== undefined) throw new Error(`seed ${seed}: ${wrong}`)
    return true
  }
}

/** Until every epoch is ended on the chain, and every marker there: the last blocks close nothing, so nothing else waits for them. */
async function untilDone(
  log: SimulatedLog,
  topics: Topics,
  script: Script,
  { found, outside, truth, failures }: Ending,
) {
  const newTicks = newsOf(log, topics.epochTicks)
  const newAnchors = newsOf(log, topics.anchors)
  const newSubmissions = newsOf(log, topics.submissions)
  const ticks: EpochTick[] = []
  const newest = new Map<string, { readonly key: AnchorKey; readonly state: Anchor['state'] }>()
  /** Where a real clock writes them, the ticks that there are, once it has come to the head. */
  const ticksDue = async (): Promise<number> => {
    if (!truth) return script.ticks.length
    for (const { value } of await newTicks()) ticks.push(topics.epochTicks.value.decode(value!))
    return canonicalTicks(ticks).at(-1)?.blockHash === truth.chain.head.hash ? ticks.length : Number.POSITIVE_INFINITY
  }
  const isTrueMarker = (record: LogRecord): boolean => isMarker(topics.submissions.value.decode(record.value!))
  const isDone = () =>
    found.epochs >= script.epochs.length &&
    found.markers >= found.due &&
    found.paid &&
    outside.hostile === script.hostile.length
  found.due = Number.POSITIVE_INFINITY
  while (!isDone() && failures.length === 0) {
    await log.clock.sleep(500)
    found.due = (await ticksDue()) * topics.submissions.partitions
    for (const row of await newAnchors()) {
      const key = topics.anchors.key.decode(row.key!)
      const { state } = topics.anchors.value.decode(row.value!)
      newest.set(`${key.dataMarket}/${key.epochId}/${key.batchIndex}`, { key, state })
    }
    const ended = [...newest.values()].filter(({ key, state }) => key.batchIndex === -1 && state === 'FINAL')
    const open = [...newest.values()].filter(({ state }) => !['FINAL', 'LATE', 'FAILED'].includes(state))
    found.epochs = open.length > 0 ? 0 : new Set(ended.map(({ key }) => `${key.dataMarket}/${key.epochId}`)).size
    found.markers += (await newSubmissions()).filter(isTrueMarker).length
    found.paid = found.epochs >= script.epochs.length && (await arePaid(log, topics, script))
  }
  await log.clock.sleep(5_000) // what trails behind: verdicts
}

const PAID: readonly (string | undefined)[] = ['FINAL', 'SUPERSEDED', 'UNPAID']

/** The ledger has counted every epoch, and nothing is left to be done for any payout. */
async function arePaid(log: Log, topics: Topics, { epochs }: Script): Promise<boolean> {
  const days = new Map(
    (await readAll(log, topics.days)).map(({ key, value }) => [`${key.dataMarket}/${key.day}`, value.closed]),
  )
  if ([...days.values()].reduce((sum, closed) => sum + closed, 0) < epochs.length) return false
  return (await paidIn(log, topics)).every(({ payment }) => PAID.includes(payment?.paymentState))
}
