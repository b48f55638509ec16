/** The faults of a cluster: brokers, registry, a deployment, processes for each stage; and how far each stage is behind. */
import type { Admin } from 'kafkajs'
import type { UnfoundedRow } from '../../../connectors/evm/clock/market-proof.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { placeIn } from '../../../streams/kept-place.ts'
import {
  type CommittedOffset,
  type Log,
  LogError,
  type PartitionBounds,
  type PositionLostError,
  type TopicPartition,
} from '../../../streams/ports.ts'
import { lossOf } from '../../../streams/position-loss.ts'
import { sequencerTopology } from '../../../topology/index.ts'
import { rulesOfMarket } from '../../../topology/rules.ts'
import { plural } from '../../base/words.ts'
import { groupsWithMembers, liveTopics } from '../../deploy/live.ts'
import { allTopics } from '../../ground/all-topics.ts'
import { openAdmin } from '../../ground/cluster/connect.ts'
import { type DeployedGround, openGround, openRegistry } from '../../ground/cluster/open.ts'
import { idsOf } from '../../ground/cluster/owner.ts'
import type { ClusterSettings } from '../../ground/cluster/settings-topic.ts'
import { DAMAGE_ADVICE } from '../../ground/damage-at.ts'
import { watchedLog } from '../../ground/watched-log.ts'
import { servedMarkets } from '../../reading/known-markets.ts'
import { unfoundedMarkets } from '../../reading/market-rows.ts'
import { partitionsOf } from '../../reading/scan.ts'
import { readSlotTable, type SlotTable } from '../../reading/slot-table.ts'
import { rowsMissing } from '../../reading/state-rows.ts'
import { marketWarnings } from '../../settings/market-warnings.ts'
import type { Address } from '../../settings/schema.ts'
import { examineBrokers } from './brokers.ts'
import { examineCopies } from './copies.ts'
import { damageAmong, examineTables } from './damage.ts'
import { type Finding, failed } from './finding.ts'
import { examineTransactions } from './held-back.ts'
import { examineLetters } from './letters.ts'
import { examineOwner } from './owner.ts'
import { examineRights } from './rights.ts'
import { examineConnectors, lastHolder, processesIn } from './roles.ts'
import { examineSeals } from './seals.ts'
import { examineTopicSettings } from './topic-settings.ts'

/** About five seconds in all: an operator who asks about a fault wants to know it soon. */
const ADMIN_RETRIES = 4

const BROKERS_AWAY = 'Start the brokers that do not answer, then look again.'
const isAway = (error: Error): boolean => error instanceof LogError && error.retriable

export interface Examined {
  readonly findings: Finding[]
  readonly deployed?: ClusterSettings & { readonly served: readonly string[]; readonly slotTable: SlotTable }
}

export async function examineCluster(address: Address): Promise<Examined> {
  const { appId, kafka, registry } = address
  const broken = (check: string, error: unknown, advice: string) => ({
    findings: [...findings, failed(check, error, advice)],
  })
  const findings: Finding[] = []
  const admin = await openAdmin(kafka, `${appId}-doctor`, ADMIN_RETRIES).catch((error: unknown) => error as Error)
  if (admin instanceof Error) return broken('brokers', admin, 'Start the brokers, or check --kafka, TLS and login.')
  try {
    const { brokers } = await admin.describeCluster()
    findings.push(await examineBrokers(brokers))
    const subjects = await openRegistry(address)
      .subjects()
      .catch((error: unknown) => error as Error)
    if (subjects instanceof Error) return broken('registry', subjects, 'Start the registry, or check --registry.')
    findings.push({ check: 'registry', ok: true, detail: `${registry.url}: ${plural(subjects.length, 'subject')}` })
    const ground = await openGround(address, 'doctor').catch((error: unknown) => error as Error)
    if (ground instanceof Error)
      return broken('deployment', ground, isAway(ground) ? BROKERS_AWAY : 'See `sequencer deploy plan`.')
    try {
      const served = await servedMarkets(ground.log, ground.topics, ground.settings.rules)
      for await (const finding of examineDeployment(admin, address, ground, served)) findings.push(finding)
      const slotTable = await readSlotTable(ground.log, ground.topics)
      return { findings, deployed: { ...ground.settings, served, slotTable } }
    } catch (error) {
      // with some of the brokers away the others answer for a part of it only
      return broken('stages', error, BROKERS_AWAY)
    } finally {
      await ground.close()
    }
  } finally {
    await admin.disconnect()
  }
}

/** Each finding by itself, so that those before a failure are told, too. */
async function* examineDeployment(
  admin: Admin,
  address: Address,
  ground: DeployedGround,
  served: readonly string[],
): AsyncGenerator<Finding> {
  const { appId, kafka } = address
  const { log, topics, stores, settings } = ground
  const { rules, anchoring } = settings
  const topology = sequencerTopology(rules, topics, stores, anchoring)
  yield await examineRights(admin, address, topology, topics)
  yield* await examineOwner(ground)
  const all = allTopics(appId, topology, topics)
  const names = all.map(({ name }) => name)
  const live = await liveTopics(admin, names)
  yield examineTopicSettings(all, live)
  yield await examineCopies(
    admin,
    live.map(({ name }) => name),
  )
  const asked = { brokers: kafka.brokers, now: systemClock.now() }
  yield* await examineTransactions(log, all, asked)
  yield deploymentOf(appId, rules, served)
  yield await examineSeals(log, topics, rules)
  yield marketRowsOf(await unfoundedMarkets(log, topics, appId))
  for (const { about, text } of marketWarnings(served.map((dataMarket) => rulesOfMarket(rules, dataMarket))))
    yield { check: about, ok: true, detail: text }
  const watched = watchedLog(log)
  yield await examineLetters(watched.log, topics, systemClock.now())
  yield await examineTables(watched, topics, appId)
  const groups = topology.stages.map(({ name }) => `${appId}-${name}`)
  const active = new Set(await groupsWithMembers(admin, groups))
  const now = systemClock.now()
  const processes = await processesIn(log, topics, now)
  for (const { name, sources } of topology.stages) {
    const group = `${appId}-${name}`
    const missing = active.has(group) ? undefined : `, and no process runs it${lastHolder(processes, name, now)}`
    yield await stage(log, name, group, missing, sources)
  }
  yield* examineConnectors(processes, now)
}

/** @param served configured markets that were not removed, and added ones */
export function deploymentOf(
  appId: string,
  { markets }: { readonly markets: readonly { readonly dataMarket: string }[] },
  served: readonly string[],
): Finding {
  const check = 'deployment'
  const off = markets.map(({ dataMarket }) => dataMarket).filter((market) => !served.includes(market))
  const detail = `${appId} serves ${plural(served.length, 'data market')}`
  if (off.length === 0) return { check, ok: true, detail }
  const removed = `${detail}; removed at run time, though configured: ${off.join(', ')}`
  return { check, ok: served.length > 0, detail: removed, advice: SERVE_AGAIN }
}
/** @param unfounded rows of the topic `markets` that rest on no request */
export function marketRowsOf(unfounded: readonly UnfoundedRow[]): Finding {
  const check = 'markets'
  if (unfounded.length === 0) return { check, ok: true, detail: 'each row of the topic markets rests on a request' }
  const named = unfounded.slice(-MARKETS_NAMED_MAX).map(({ offset, why }) => `offset ${offset}: ${why}`)
  const more = unfounded.length > named.length ? `; and ${unfounded.length - named.length} more` : ''
  return { check, ok: false, detail: `${named.join('; ')}${more}`, advice: FOREIGN_ROWS }
}
const MARKETS_NAMED_MAX = 5
const FOREIGN_ROWS =
  'Somebody else wrote it: take the right away (finding `rights`). The clock does not believe it, and writes the right row at its next start.'
const SERVE_AGAIN = '`sequencer markets list` says since when; `markets add` serves one again.'

async function stage(
  log: Log,
  name: string,
  group: string,
  missing: string | undefined,
  sources: readonly { readonly name: string; readonly partitions: number }[],
): Promise<Finding> {
  const partitions = sources.flatMap(partitionsOf)
  const committed = await log.committedOffsets(group, partitions).catch(onlyRetriable)
  const bounds = await log.bounds(partitions) // after the positions: they move on meanwhile
  const ends = await log.ends(partitions)
  const lost = committed && lossAmong(name, { partitions, committed, bounds, ends }, await idsAmong(log, committed))
  if (lost) return { check: name, ok: false, detail: lost.message, advice: WAITS }
  const gone = committed && (await rowsMissing(log, { group, stage: name, inputs: partitions }).catch(onlyRetriable))
  if (gone) return { check: name, ok: false, detail: gone.message, advice: missing ? WAITS : KEEP_RUNNING }
  const behind = bounds.reduce((sum, { start }, at) => sum + ends[at]! - (committed?.[at]?.next ?? start), 0)
  const isActive = missing === undefined
  const ok = isActive && committed === undefined ? null : isActive
  const lag = committed ? `${plural(behind, 'record')} behind` : 'its position is about to be written'
  const damage =
    committed &&
    (await damageAmong(
      log,
      partitions.map((at, i) => ({ ...at, offset: committed[i]?.next ?? bounds[i]!.start })),
    ))
  if (damage) return { check: name, ok: false, detail: `${lag}; it waits at ${damage}`, advice: DAMAGE_ADVICE }
  const detail = `${lag}${missing ?? ''}`
  return { check: name, ok, detail, ...(!isActive && { advice: `Start a process with --roles ${name}.` }) }
}

const WAITS = 'Restarting changes nothing.'
const KEEP_RUNNING =
  'What runs has the rows in memory: do not stop it before this finding is gone, as it is when the epochs that are open now have closed; of a compacted topic it stays.'

/** A killed process left a transaction open. */
function onlyRetriable(error: unknown): undefined {
  if (!(error instanceof LogError && error.retriable)) throw error
}

interface Positions {
  readonly partitions: readonly TopicPartition[]
  readonly committed: readonly (CommittedOffset | undefined)[]
  readonly bounds: readonly PartitionBounds[]
  readonly ends: readonly number[]
}

/** The first position that the log as it is does not belong to. */
function lossAmong(
  stage: string,
  { partitions, committed, bounds, ends }: Positions,
  ids: ReadonlyMap<string, string>,
): PositionLostError | undefined {
  for (const [i, at] of partitions.entries()) {
    if (!committed[i]) continue
    const held = { ...at, offset: committed[i].next, start: bounds[i]!.start, end: ends[i]! }
    const loss = lossOf(stage, held, placeIn(committed[i].metadata)?.topics ?? {}, ids)
    if (loss) return loss
  }
  return undefined
}

/** Ids of the topics that positions rest on, as they are now. */
async function idsAmong(log: Log, committed: Positions['committed']): Promise<ReadonlyMap<string, string>> {
  const names = committed.flatMap((one) => Object.keys(placeIn(one?.metadata)?.topics ?? {}))
  return new Map(Object.entries(await idsOf(log, [...new Set(names)])))
}
