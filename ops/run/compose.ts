/**
 * All wiring: the stages of the topology and the connectors around them, by role. `dev` runs every role on the embedded
 * log, `run` any of them on a cluster. The parts are connected here and nowhere else.
 */
import { systemClock } from '../../connectors/system-clock.ts'
import { configOf } from '../../streams/kafka-topic.ts'
import { type RuntimeState, StreamsRuntime } from '../../streams/runtime.ts'
import type { StageState } from '../../streams/stage-state.ts'
import { sequencerTopology } from '../../topology/index.ts'
import { sealedTopics } from '../../topology/shared/seals.ts'
import { createApiSources } from '../api/sources.ts'
import { createHealth, type Health, type RoleHealth } from '../base/health.ts'
import { Lifecycle } from '../base/lifecycle.ts'
import { shortages } from '../base/machine-limits.ts'
import { BACKGROUND_STAGES, type Connector, isStage, type Role } from '../base/roles.ts'
import { plural } from '../base/words.ts'
import type { Ground } from '../ground/ground.ts'
import { createLeftOut } from '../watch/left-out.ts'
import { logRoles, logRuntime } from '../watch/logging/events.ts'
import { noLog } from '../watch/logging/log.ts'
import { createMetrics } from '../watch/metrics/create.ts'
import { roleMetrics } from '../watch/metrics/roles.ts'
import { runtimeMetrics, stageMetrics, throttleMetric } from '../watch/metrics/runtime.ts'
import { watchEventLoop } from '../watch/watchdog.ts'
import { CONNECTOR_PARTS } from './connector-roles.ts'
import { createPrepare } from './prepare.ts'
import { probesPortBeside, startProbes } from './probes.ts'
import { startProcessReports } from './process-report.ts'
import { readableForRoles } from './readable.ts'
import { startOpsServer } from './server.ts'
import { createSignerPool } from './signers.ts'
import { createTold } from './told.ts'
import type { Part, SequencerConfig, Wiring } from './wiring.ts'

export interface Sequencer {
  readonly health: Health
  /** Where collectors dial the role `intake`; none without it. */
  readonly multiaddrs: readonly string[]
  /** Address of the query API and the console, and of /metrics, /healthz and /readyz too. */
  readonly url: string
  /** Address of /metrics, /healthz and /readyz alone, unaffected by clients of the other. */
  readonly probesUrl: string
  close(): Promise<void>
}

export async function startSequencer(config: SequencerConfig, ground: Ground): Promise<Sequencer> {
  const parts = new Lifecycle(config.warn)
  try {
    return await startRoles(config, ground, parts)
  } catch (error) {
    await parts.close()
    throw error
  }
}

/** Clients from outside are let in first: the other roles ask nodes before they begin, and nodes may be long in answering. */
const STARTED: readonly Connector[] = ['intake', 'api', 'clock', 'anchor-effects']

async function startRoles(config: SequencerConfig, under: Ground, parts: Lifecycle): Promise<Sequencer> {
  const { version, roles, rules, appId, markerSigner, foreignWaitMs = 0 } = config
  const ground = { ...under, topics: sealedTopics(under.topics, rules, markerSigner) }
  const metrics = createMetrics({ version, roles, markets: rules.markets.map(({ dataMarket }) => dataMarket) })
  const health = createHealth(config.roles, systemClock.now)
  roleMetrics(metrics, roles, health)
  throttleMetric(metrics, ground)
  const reading = new AbortController()
  await parts.add('reading', { close: async () => reading.abort() })
  const log = readableForRoles({ ...ground, appId, foreignWaitMs, metrics, health, signal: reading.signal })
  const leftOut = createLeftOut(metrics, config.log ?? noLog(), systemClock)
  const apiSources = createApiSources(config.api.limits)
  const told = createTold(systemClock.now)
  const wiring: Wiring = { ...ground, log, bareLog: ground.log, config, metrics, health, leftOut, apiSources, told }
  await parts.add('watchdog', watchEventLoop(metrics, config.warn, ground.codec !== undefined))
  for (const text of shortages(foldersOf(config))) config.warn(text)
  await parts.add('log of roles', logRoles(health, config.log ?? noLog()))
  const { host, port, probesHost = host, probesPort = probesPortBeside(port) } = config.ops
  const probes = await parts.add('probes', startProbes({ host: probesHost, port: probesPort }, wiring))
  const server = await parts.add('server', startOpsServer(config.ops, wiring))

  const { deadLetters, processes } = ground.topics
  await ground.log.createTopics([deadLetters, configOf(processes)])
  const addresses = { ops: server.url, probes: probes.url }
  const reported = { instanceId: config.instanceId, version, ...addresses, collects: roles.includes('intake') }
  const reporting = startProcessReports(reported, { ...wiring, clock: systemClock })
  await parts.add('process report', reporting)
  if (config.roles.some(isStage)) await startStages(wiring, parts)
  const multiaddrs: string[] = []
  for (const role of STARTED) {
    if (!config.roles.includes(role)) continue
    const part: Part = await parts.add(role, CONNECTOR_PARTS[role](wiring))
    // the api says it of itself; of the other two, who works and who stands by is decided by their groups
    if (role === 'intake') health.set(role, true, '', true)
    multiaddrs.push(...(part.multiaddrs ?? []))
    reporting.intake(multiaddrs)
    void part.stopped?.then((error) => error && fail(wiring, role, error))
  }
  return { health, multiaddrs, url: server.url, probesUrl: probes.url, close: () => parts.close() }
}

/** Folders that the roles of this process write to. */
const foldersOf = ({ roles, api, storage }: SequencerConfig): readonly string[] => [
  ...(roles.includes('api') ? [api.viewDirectory] : []),
  ...(roles.includes('anchor-effects') && storage.directory !== undefined ? [storage.directory] : []),
]

/** The same runtime for all stages of this process; each is a group of its own in it. */
async function startStages(wiring: Wiring, parts: Lifecycle): Promise<void> {
  const { config, log, topics, stores, metrics, health, leftOut } = wiring
  const { rules, anchoring, appId, instanceId, commitIntervalMs, standbys, log: eventLog = noLog() } = config
  const stages = config.roles.filter(isStage)
  const signers = stages.includes('validate')
    ? await parts.add('signers', createSignerPool(rules, config.workers))
    : undefined
  const runtime: StreamsRuntime = new StreamsRuntime(sequencerTopology(rules, topics, stores, anchoring), {
    appId,
    instanceId,
    log,
    clock: systemClock,
    stages,
    background: BACKGROUND_STAGES,
    commitIntervalMs,
    standbys,
    ...(signers && {
      prepare: [
        createPrepare({
          topics,
          signers,
          slotsReached: (offset) => runtime.globalTableReached(topics.slots.name, offset),
          recovered: (seconds) => metrics.sigverifySeconds.observe(seconds),
        }),
      ],
    }),
    observer: logRuntime(runtimeMetrics(metrics, leftOut.by('stages')), eventLog),
    onFailure: (error) => {
      for (const stage of stages) fail(wiring, stage, error)
    },
  })
  for (const stage of stages) health.probe(stage, () => stageHealth(runtime.stageState(stage), runtime.state))
  stageMetrics(metrics, stages, topics, runtime)
  await parts.add(
    'stages',
    runtime.start().then(() => runtime),
  )
}

/** A stage that waits for the log still has its work: only the log could say whether another process could do it. */
function stageHealth({ ready, tasks, waitsFor }: StageState, state: RuntimeState): Omit<RoleHealth, 'since'> {
  if (waitsFor !== undefined) return { ready: false, works: true, detail: `LOG: ${waitsFor}` }
  const detail = ready ? plural(tasks, 'task') : `${state}, ${plural(tasks, 'task')} so far`
  return { ready, works: ready && tasks > 0, detail }
}

function fail({ config, health, told }: Wiring, role: Role, error: Error): void {
  health.fail(role, error.message)
  told.failed = true
  config.onFailure(error)
}
