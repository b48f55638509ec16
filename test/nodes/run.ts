/**
 * The sequencer behind nodes that do wrong: one fault after the other, or a mix by seed. Of every epoch that the chain has
 * released it is asked whether it was ended, within 30 s, or whether somebody could see why not.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AuditReport } from '../../ops/check/audit/report.ts'
import { seededRandom } from '../ops/random.ts'
import { runSequencer } from '../ops/run-sequencer.ts'
import { CASES } from './cases.ts'
import { type Outages, playOutages, type Votes, votesOf } from './outages.ts'
import type { Epoch } from './watch.ts'
import { startWorld, type World, type WorldOptions } from './world.ts'

export interface NodesOptions extends Omit<WorldOptions, 'directory'> {
  readonly directory: string
  /** Names of CASES, one after the other, each alone. None, and no outages: a mix of all. */
  readonly cases: readonly string[]
  /** Last of all. */
  readonly outages?: Outages | undefined
  /** Of each case, or of the mix. */
  readonly seconds: number
  /** So long, at most, until everything that was released is anchored when the faults have stopped. */
  readonly settleSeconds: number
  /** The most blocks that leave the chain at once in a mix. */
  readonly deepest: number
  readonly told?: (outcome: Outcome) => void
}

/** What came of one case, or of the mix. */
export interface Outcome {
  readonly name: string
  /** How often each fault happened. */
  readonly deeds: Readonly<Record<string, number>>
  readonly released: number
  readonly anchored: number
  /** Release → ending, seconds; the slowest. */
  readonly slowest: number | null
  /** Not ended 30 s after their release, with nothing to be seen of why. */
  readonly silent: readonly string[]
  /** Not ended although the faults have stopped. */
  readonly unanchored: readonly string[]
  /** Ended, and with no batch in them. */
  readonly empty: number
  readonly ended: string | undefined
  /** What was said while the faults played, the first of it. */
  readonly said: readonly string[]
  readonly rssMiB: { readonly first: number; readonly max: number; readonly last: number }
  readonly audit: AuditReport | string | undefined
  /** Of the outages. */
  readonly votes?: Votes | undefined
}

/** Beside the names of CASES. */
const MIX = 'mix'
const OUTAGES = 'outages'
const SAY_MS = 30_000
const POLL_MS = 500
const WARM_MS = 60_000
const SAID_SHOWN_MAX = 6
/** Between two changes of the mix. */
const MIX_MS = { shortest: 2_000, longest: 9_000 }
const MIX_PLAYING_MAX = 4

export async function runNodes(options: NodesOptions): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const { outages } = options
  const names = [...(options.cases.length > 0 || outages ? options.cases : [MIX]), ...(outages ? [OUTAGES] : [])]
  let world: World | undefined
  let worlds = 0
  try {
    for (const name of names) {
      if (!world) {
        const directory = join(options.directory, `${++worlds}`)
        mkdirSync(directory, { recursive: true })
        world = await startWorld({ ...options, directory })
        await untilWarm(world)
      }
      options.log(`${name}: ${CASES[name]?.help ?? (name === MIX ? 'everything, by seed' : 'kills and silence')}`)
      const outcome = await playOne(name, world, options)
      const isLast = name === names.at(-1)
      const isBroken = outcome.ended !== undefined || outcome.unanchored.length > 0
      const audit = isBroken || isLast ? await auditOf(world) : undefined
      const votes = audit !== undefined && name === OUTAGES ? await votesOf(world, options.window) : undefined
      outcomes.push({ ...outcome, audit, votes })
      options.told?.(outcomes.at(-1)!)
      if (isBroken || isLast) {
        await world.close()
        world = undefined
      }
    }
  } finally {
    await world?.close()
  }
  return outcomes
}

/** The first epoch is slow, and a reorganisation needs blocks to take away. */
async function untilWarm({ watch }: World): Promise<void> {
  await until(WARM_MS, () => watch.epochs.filter(({ completedAt }) => completedAt !== undefined).length > 1)
}

async function playOne(name: string, world: World, options: NodesOptions): Promise<Omit<Outcome, 'audit'>> {
  const { watch, proxies } = world
  const began = performance.now()
  const played = await play(name, world, options)
  for (const proxy of proxies) proxy.clear()
  const over = performance.now()
  const released = watch.epochsMax
  /** Those that were open when it began have it too. */
  const concerned = (): Epoch[] =>
    watch.epochs.filter(({ epochId, completedAt }) => epochId <= released && (completedAt ?? over) >= began)
  const open = (): Epoch[] => concerned().filter(({ completedAt }) => completedAt === undefined)
  /** What a reorganisation took is released again, one after the other; only then is there something to be anchored. */
  const missing = (): number => released - watch.epochs.length
  await until(options.settleSeconds * 1_000, () => world.ended !== undefined || (missing() <= 0 && open().length === 0))
  if (missing() > 0) options.log(`${missing()} epochs are not released again`)
  const epochs = concerned()
  const seconds = epochs.flatMap(({ completedAt, releasedAt }) =>
    completedAt === undefined ? [] : [(completedAt - releasedAt) / 1_000],
  )
  const isSilent = ({ releasedAt, completedAt }: Epoch): boolean =>
    (completedAt ?? performance.now()) - releasedAt > SAY_MS &&
    watch.between(releasedAt, releasedAt + SAY_MS).length === 0
  const story = [...watch.said, ...epochs].map((line) => JSON.stringify(line)).join('\n')
  writeFileSync(join(options.directory, `${name}.jsonl`), story) // what was said when, to look into an epoch that broke
  const deeds: Record<string, number> = {}
  for (const { name: fault, happened } of played) deeds[fault] = (deeds[fault] ?? 0) + happened
  return {
    name,
    deeds,
    released: epochs.length,
    anchored: seconds.length,
    slowest: seconds.length === 0 ? null : Math.round(seconds.reduce((a, b) => Math.max(a, b)) * 10) / 10,
    silent: epochs.filter(isSilent).map(nameOf),
    unanchored: open().map(nameOf),
    empty: epochs.filter(({ completedAt, batches }) => completedAt !== undefined && batches.length === 0).length,
    ended: world.ended,
    said: watch.between(began, performance.now()).slice(0, SAID_SHOWN_MAX),
    rssMiB: { ...watch.rssMiB },
  }
}

type Played = readonly { readonly name: string; readonly happened: number }[]

function play(name: string, world: World, options: NodesOptions): Promise<Played> {
  if (name === MIX) return playMix(world, options)
  return name === OUTAGES ? playOutages(world, options.outages!, options.log) : playCase(name, world, options)
}

const nameOf = ({ epochId }: Epoch): string => `epoch ${epochId}`

/** On the first node; the others are sound. */
async function playCase(name: string, world: World, { seconds }: NodesOptions): Promise<Played> {
  const { plays, reorganise } = CASES[name]!
  const played = plays.map((play) => world.proxies[0]!.play(play))
  if (reorganise) {
    await until(WARM_MS, () => world.length > reorganise)
    await world.reorganise(reorganise)
  }
  await until(seconds * 500, () => world.ended !== undefined)
  if (reorganise && world.ended === undefined) await world.reorganise(reorganise)
  await until(seconds * 500, () => world.ended !== undefined)
  for (const playing of played) playing.stop()
  return played
}

/** Every few seconds something begins on one of the nodes, for a while; sometimes blocks leave the chain. */
async function playMix(world: World, { seconds, seed, deepest, log }: NodesOptions): Promise<Played> {
  const dice = seededRandom(seed)
  const names = Object.keys(CASES)
  const choose = <T>(list: readonly T[]): T => list[Math.floor(dice() * list.length)]!
  const length = () => MIX_MS.shortest + dice() * (MIX_MS.longest - MIX_MS.shortest)
  const played: { readonly name: string; readonly happened: number }[] = []
  const end = performance.now() + seconds * 1_000
  let playing: { readonly until: number }[] = []
  while (performance.now() < end && world.ended === undefined) {
    const now = performance.now()
    playing = playing.filter((one) => one.until > now)
    const { plays, reorganise } = CASES[choose(names)]!
    const index = Math.floor(dice() * world.proxies.length)
    if (playing.length < MIX_PLAYING_MAX && plays.length > 0) {
      const forMs = Math.min(length() * 2, end - now)
      for (const play of plays) played.push(world.proxies[index]!.play({ ...play, forMs }))
      playing.push({ until: now + forMs })
      log(`node ${index + 1}: ${plays.map(({ name }) => name).join(' + ')} for ${Math.round(forMs / 1_000)} s`)
    }
    if (reorganise && reorganise <= deepest) {
      log(`${reorganise} blocks leave the chain`)
      await world.reorganise(reorganise)
    }
    await until(length(), () => world.ended !== undefined || performance.now() > end)
  }
  return played
}

/** Of the log as it is, with the node itself. */
async function auditOf(world: World): Promise<AuditReport | string> {
  await world.stopSequencer()
  const where = ['--data-dir', world.dataDir, '--rpc', world.rpcUrl]
  const { stdout, stderr, exitCode } = await runSequencer(['audit', ...where, '--json'])
  return stdout === '' ? `exit ${exitCode}: ${stderr.slice(-1_000)}` : (JSON.parse(stdout) as AuditReport)
}

async function until(ms: number, holds: () => boolean): Promise<void> {
  const end = performance.now() + ms
  while (performance.now() < end && !holds()) await new Promise((resolve) => setTimeout(resolve, POLL_MS))
}
