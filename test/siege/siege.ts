/**
 * One siege: the product is started, honest snapshotters send, first in peace, then while the adversary does its kinds; at the
 * end everything is looked at from outside, and from the log.
 */
import { fork } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BatchSummary, EpochSummary } from '../../ops/api/schema.ts'
import type { AuditReport } from '../../ops/check/audit/report.ts'
import { type StartedSequencer, startSequencer } from '../ops/run-sequencer.ts'
import type { Deeds, Kind, Orders } from './adversary.ts'
import { startClusterTarget } from './cluster-target.ts'
import { startDevTarget } from './dev-target.ts'
import { epochsOf, listAll, Observer, type Phase, type Sample } from './observe.ts'
import { auditOf, type HonestOutcome, honestOutcome, type VerifyOutcome, verifyAll } from './outcome.ts'
import type { Exit, Target, TargetOptions } from './target.ts'
import type { Place } from './world.ts'

export interface SiegeOptions extends TargetOptions {
  readonly target: 'dev' | 'cluster'
  readonly kinds: readonly Kind[]
  readonly rate?: number | undefined
  readonly calmSeconds: number
  readonly attackSeconds: number
  /** At most so long for what was released to be anchored. */
  readonly settleSeconds: number
  readonly everySeconds: number
  readonly countMax: number
  readonly connections: number
  readonly addresses: number
  readonly projects: number
}

/** Release → anchored, seconds. */
export interface Latency {
  readonly released: number
  readonly anchored: number
  readonly p50: number | null
  readonly p95: number | null
  readonly max: number | null
}

export interface SiegeReport {
  readonly target: string
  readonly kinds: readonly Kind[]
  readonly deeds: Deeds
  readonly samples: readonly Sample[]
  readonly latency: Readonly<Record<Phase, Latency>>
  /** Epochs released before the end of the attack that are not anchored, and where they stand; null: the API said nothing. */
  readonly unanchored: readonly string[] | null
  readonly honest: HonestOutcome | string
  readonly exits: readonly Exit[]
  readonly audit: AuditReport | string
  readonly verify: VerifyOutcome
}

const POLL_MS = 1_000
const ADVERSARY_NICENESS = 5
const ADVERSARY = fileURLToPath(new URL('adversary.ts', import.meta.url))
const SHIM = fileURLToPath(new URL('../../ops/bin/shim.mjs', import.meta.url))

export async function besiege(options: SiegeOptions): Promise<SiegeReport> {
  mkdirSync(options.directory, { recursive: true })
  const target = await (options.target === 'dev' ? startDevTarget(options) : startClusterTarget(options))
  options.log(`${target.processes.map(({ name, pid }) => `${name} (${pid})`).join(', ')} run`)
  const observer = new Observer(target, options.everySeconds * 1_000)
  try {
    return await go(options, target, observer)
  } finally {
    observer.stop()
    await target.close()
  }
}

async function go(options: SiegeOptions, target: Target, observer: Observer): Promise<SiegeReport> {
  const { directory, log, seed, honest, spare } = options
  const place: Place = { ...target.place, seed, honest, spare }
  const ledgers = ['honest', 'adversary'].map((name) => join(directory, `${name}.jsonl`))
  const snapshotters = startHonest(options, place, ledgers[0]!)
  let deeds: Deeds = {}
  const { warm, attackBegan, attackEnded } = await (async () => {
    try {
      await untilWarm(options, target)
      const warm = Date.now()
      await untilPhaseOver(target, options.calmSeconds)
      await observer.sample()
      observer.phase = 'attack'
      log('the attack begins')
      const began = Date.now()
      deeds = await attack(options, target, place, ledgers[1]!)
      await observer.sample()
      observer.phase = 'after'
      log(`the attack is over: ${JSON.stringify(deeds)}`)
      const ended = Date.now()
      await untilAnchored(options, target, ended)
      return { warm, attackBegan: began, attackEnded: ended }
    } finally {
      snapshotters.child.kill('SIGTERM')
      await snapshotters.finished
    }
  })()
  observer.stop()
  const epochs = await epochsOf(target)
  const batches = (await Promise.all(
    place.markets.map((market) => listAll<BatchSummary>(target, `/v1/batches?market=${market}`)),
  )) as (BatchSummary[] | undefined)[]
  const exits = [...target.exits]
  await target.beforeAudit()
  log('audit and verify')
  const judged = (epochs ?? []).filter(({ releasedAt }) => (releasedAt ?? 0) <= attackEnded)
  const newest = Math.max(0, ...judged.map(({ epochId }) => epochId))
  /** What was over before the attack began is of the calm. */
  const phaseOf = ({ finalAt }: EpochSummary): Phase => (finalAt !== null && finalAt <= attackBegan ? 'calm' : 'attack')
  const peaceful = new Set(
    judged.filter((epoch) => phaseOf(epoch) === 'calm').map(({ dataMarket, epochId }) => `${dataMarket}/${epochId}`),
  )
  return {
    target: options.target,
    kinds: options.kinds,
    deeds,
    samples: observer.samples,
    latency: {
      calm: latencyOf(judged.filter((epoch) => phaseOf(epoch) === 'calm' && epoch.releasedAt! > warm)),
      attack: latencyOf(judged.filter((epoch) => phaseOf(epoch) === 'attack')),
      after: latencyOf((epochs ?? []).filter(({ releasedAt, finalAt }) => (releasedAt ?? 0) > attackEnded && finalAt)),
    },
    unanchored: epochs
      ? judged.filter(({ finalAt }) => finalAt === null).map(({ epochId, phase }) => `epoch ${epochId}: ${phase}`)
      : null,
    honest: await honestOutcome(
      target,
      ledgers,
      ({ epochId }) => epochs === undefined || epochId <= newest,
      ({ dataMarket, epochId }) => peaceful.has(`${dataMarket}/${epochId}`),
    ).catch((error: Error) => `the log cannot be read: ${error.message}`),
    exits,
    audit: await auditOf(target),
    verify: await verifyAll(
      target,
      place,
      batches.flatMap((list) => list ?? []),
    ),
  }
}

function startHonest(options: SiegeOptions, place: Place, ledger: string): StartedSequencer {
  const spreadMs = Math.round((options.window * options.blockTime * 1_000) / 2)
  return startSequencer([
    ...['snapshotters', '--to', place.intakes[0]!, '--rpc', place.rpc, '--chain-id', `${place.chainId}`],
    ...['--protocol-state', place.protocolState, '--data-market', ...marketsOfHonest(options, place)],
    ...['--slots', `${options.honest}`, '--seed', `${options.seed}`, '--projects', `${options.projects}`],
    ...['--bad-share', '0', '--minority-share', '0', '--connections', `${options.honest}`],
    ...['--spread-ms', `${spreadMs}`, '--ledger', ledger, '--json'],
  ])
}

/** The first epochs of a process that has just started are slow. */
async function untilWarm({ settleSeconds }: SiegeOptions, target: Target): Promise<void> {
  const end = Date.now() + settleSeconds * 1_000
  const isWarm = async () => (await epochsOf(target))?.some(({ finalAt }) => finalAt !== null) === true
  while (Date.now() < end && target.exits.length === 0 && !(await isWarm())) await pause()
}

/** Their projects have the same names in every market, which a cluster of several does not take. */
const marketsOfHonest = ({ target }: SiegeOptions, { markets }: Place): readonly string[] =>
  target === 'cluster' ? markets.slice(0, 1) : markets

async function untilPhaseOver({ exits }: Target, seconds: number): Promise<void> {
  const end = Date.now() + seconds * 1_000
  while (Date.now() < end && exits.length === 0) await pause()
}

async function attack(options: SiegeOptions, target: Target, place: Place, ledger: string): Promise<Deeds> {
  if (options.kinds.length === 0) {
    await untilPhaseOver(target, options.attackSeconds)
    return {}
  }
  const orders: Orders = {
    place,
    kinds: options.kinds,
    rate: options.rate,
    seconds: options.attackSeconds,
    countMax: options.countMax,
    connections: options.connections,
    addresses: options.addresses,
    ledger,
  }
  const child = fork(ADVERSARY, [JSON.stringify(orders)], {
    execArgv: ['--import', SHIM, '--import', 'tsx'],
  })
  // it stands for machines elsewhere: what it works is not to be missing here
  setPriority(child.pid!, ADVERSARY_NICENESS)
  let deeds: Deeds = {}
  let isOver = false
  child.on('message', (message) => {
    deeds = message as Deeds
  })
  child.once('exit', (code) => {
    isOver = true
    if (code !== 0) options.log(`the adversary ended with ${code}`)
  })
  while (!isOver && target.exits.length === 0) await pause()
  child.kill('SIGKILL')
  return deeds
}

/** Until every epoch that was released by then is over; no longer than is settled for, nor when a process has ended. */
async function untilAnchored({ settleSeconds, log }: SiegeOptions, target: Target, before: number): Promise<void> {
  const end = Date.now() + settleSeconds * 1_000
  while (Date.now() < end && target.exits.length === 0) {
    const epochs = await epochsOf(target)
    const isBehind = !epochs?.some(({ releasedAt }) => (releasedAt ?? 0) > before)
    const open = (epochs ?? []).filter(({ releasedAt, finalAt }) => (releasedAt ?? 0) <= before && finalAt === null)
    if (!isBehind && open.length === 0) return
    await pause()
  }
  log('not everything is anchored in the time that was given')
}

function latencyOf(epochs: readonly EpochSummary[]): Latency {
  const seconds = epochs
    .filter(({ finalAt }) => finalAt !== null)
    .map(({ finalAt, releasedAt }) => (finalAt! - releasedAt!) / 1_000)
    .sort((a, b) => a - b)
  const at = (share: number): number | null =>
    seconds[Math.min(seconds.length - 1, Math.floor(seconds.length * share))] ?? null
  return { released: epochs.length, anchored: seconds.length, p50: at(0.5), p95: at(0.95), max: at(1) }
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, POLL_MS))
