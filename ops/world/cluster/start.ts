/**
 * A whole cluster on this machine: brokers, a registry, a development chain, the deployment, the sequencer in three processes
 * with its roles split, and snapshotters. One way to start it, for `npm run cluster` and for the tests that besiege it.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { type Role, STAGES } from '../../base/roles.ts'
import { ensureMarkerKey } from '../../settings/keys/marker-key.ts'
import type { Telling } from '../brokers/fetching.ts'
import type { Launch } from '../brokers/launch.ts'
import { startRegistry } from '../brokers/registry.ts'
import { startKafka } from '../brokers/start.ts'
import { type Ended, type Member, type MemberEvent, startMember } from './member.ts'
import { clusterSettings, keyFilesOf, type Made, type Settings, settingsText } from './settings.ts'

/** The roles of each process, in the order of their start; they end in the opposite one, the intake first. */
export const PROCESSES = {
  chain: ['clock', 'anchor-effects'],
  stages: STAGES,
  front: ['intake', 'api'],
} as const satisfies Record<string, readonly Role[]>

export interface ClusterOptions extends Telling {
  readonly directory: string
  readonly brokers: 1 | 3
  /** Further arguments of `devchain`. */
  readonly chainArgs: readonly string[]
  /** Given the settings of this cluster, those that are used. */
  readonly settings: (made: Made) => Settings
  /** Arguments of `snapshotters` beside the addresses; no snapshotters when absent. */
  readonly snapshotterArgs?: readonly string[]
  /** Told of what the processes of the sequencer say. */
  readonly onEvent?: (process: string, event: MemberEvent) => void
  /** Told of a process of the sequencer, of the chain or of the snapshotters that ended unasked, in place of `launch.fail`. */
  readonly onEnded?: (member: Member, ended: Ended) => void
}

export interface Cluster {
  /** The file for --config. */
  readonly config: string
  readonly brokers: readonly { readonly name: string; readonly pid: number }[]
  readonly registry: { readonly pid: number }
  /** devchain, front, stages, chain, snapshotters. */
  readonly members: readonly Member[]
  readonly intake: string
  readonly ops: string
  readonly probes: string
  readonly chain: DevChainEvent
}

/** The words of `devchain --json` when it runs. */
const devchainEvent = z.object({
  chain: z.object({ rpcUrls: z.tuple([z.string()], z.string()), chainId: z.number(), protocolState: z.string() }),
  markets: z.array(z.string()),
  clock: z.object({ startBlock: z.number() }),
})
export type DevChainEvent = z.infer<typeof devchainEvent>

/** The words of `run --json` when the process with intake and API runs. */
const frontEvent = z.object({ intake: z.tuple([z.string()], z.string()), ops: z.string(), probes: z.string() })

/** Resolves when every process runs. Rejects with the first failure; `launch.parts` then has what is to be closed. */
export async function startCluster(given: ClusterOptions, launch: Launch): Promise<Cluster> {
  const options = { ...given, directory: resolve(given.directory) }
  const { directory, log } = options
  mkdirSync(directory, { recursive: true })
  const members: Member[] = []
  const start = async (name: string, args: readonly string[]): Promise<Member> => {
    const member = await startPart(name, args, options, launch)
    members.push(member)
    return member
  }
  const running = async (name: string, args: readonly string[]): Promise<MemberEvent> =>
    (await start(name, [...args, '--json'])).event('running')

  const begin = () => {
    log?.(`starting a development chain; its log is ${join(directory, 'devchain.log')}`)
    return running('devchain', devchainArgs(options))
  }
  const [devchain, kafka, registry] = await together(launch, [
    begin(),
    startBrokers(options, launch),
    startSchemas(options, launch),
  ])
  const chain = devchainEvent.parse(devchain)
  const config = writeSettings(options, chain, kafka.bootstrap, registry.url)
  log?.('creating what is missing of topics and schemas: sequencer deploy apply')
  await deploy(config, options, launch)
  log?.(`starting the sequencer: ${Object.entries(PROCESSES).map(processWords).join(', ')}`)
  const runs = Object.entries(PROCESSES).map(([name, roles]) => running(name, runArgs(config, name, roles)))
  const at = frontEvent.parse((await together(launch, runs)).at(-1))
  const [intake] = at.intake
  if (options.snapshotterArgs)
    await start('snapshotters', [...snapshotterArgs(intake, chain), ...options.snapshotterArgs])
  const brokers = kafka.brokers.map(({ nodeId, pid }) => ({ name: `broker ${nodeId}`, pid }))
  return { config, brokers, registry, members, intake, ops: at.ops, probes: at.probes, chain }
}

/** All of them; when one fails the others give up, and the failure is that of the first. */
async function together<const T extends readonly Promise<unknown>[]>(launch: Launch, starting: T) {
  for (const one of starting) one.catch((error: unknown) => launch.fail(error))
  await Promise.allSettled(starting)
  return await Promise.all(starting)
}

async function startPart(
  name: string,
  args: readonly string[],
  options: ClusterOptions,
  launch: Launch,
): Promise<Member> {
  const { directory, log, onEvent, onEnded } = options
  const member = startMember({
    name,
    args,
    directory,
    signal: launch.signal,
    onEvent: onEvent && ((event) => onEvent(name, event)),
  })
  void member.ended.then((ended) => {
    if (!ended.unasked) return
    if (onEnded) onEnded(member, ended)
    else launch.fail(ended.error)
  })
  await launch.parts.add(
    name,
    part(name, () => member.close(), log),
  )
  return member
}

/** A part whose end is told. */
const part = (name: string, end: () => Promise<unknown>, log: Telling['log']) => ({
  async close(): Promise<void> {
    await end()
    log?.(`stopped ${name}`)
  },
})

async function startBrokers({ directory, brokers, log, progress }: ClusterOptions, { parts, signal, fail }: Launch) {
  const ports = { log, progress, signal, onEnded: fail }
  const kafka = await startKafka({ ...ports, brokers, directory: join(directory, 'kafka') })
  const name = kafka.brokers.length === 1 ? 'the broker' : 'the brokers'
  await parts.add(
    'kafka',
    part(name, () => kafka.close(), log),
  )
  return kafka
}

async function startSchemas({ directory, log, progress }: ClusterOptions, { parts, signal, fail }: Launch) {
  const ports = { log, progress, signal, onEnded: fail }
  const registry = await startRegistry({ ...ports, directory: join(directory, 'registry') })
  await parts.add(
    'registry',
    part('the schema registry', () => registry.stop(), log),
  )
  return registry
}

function writeSettings(
  options: ClusterOptions,
  at: DevChainEvent,
  brokers: readonly string[],
  registryUrl: string,
): string {
  const { directory, settings } = options
  ensureMarkerKey(keyFilesOf(directory).marker)
  const { chain, markets, clock } = at
  const parts = { directory, brokers, registryUrl, chain, markets, startBlock: clock.startBlock }
  const config = join(directory, 'sequencer.yaml')
  writeFileSync(config, settingsText(settings(clusterSettings(parts))))
  return config
}

/** Runs to its end; its failure is the failure of the start. */
async function deploy(config: string, options: ClusterOptions, { parts, signal }: Launch): Promise<void> {
  const { directory } = options
  const apply = startMember({ name: 'deploy', args: ['deploy', 'apply', '--config', config], directory, signal })
  await parts.add('deploy', apply)
  const { code, error } = await apply.ended
  if (code !== 0) throw error
}

const devchainArgs = ({ directory, chainArgs }: ClusterOptions): string[] => [
  ...['devchain', '--data-dir', directory, '--signer-key-file', keyFilesOf(directory).signer],
  ...chainArgs,
]

/** The process with the way in and out has the ports of the settings; the others take free ones for their metrics. */
const runArgs = (config: string, name: string, roles: readonly Role[]): string[] => [
  ...['run', '--config', config, '--roles', roles.join(','), '--instance-id', name],
  ...(name === 'front' ? [] : ['--ops-port', '0']),
]

const snapshotterArgs = (intake: string, { chain, markets }: DevChainEvent): string[] => [
  ...['snapshotters', '--to', intake, '--rpc', chain.rpcUrls[0], '--chain-id', `${chain.chainId}`],
  ...['--protocol-state', chain.protocolState, '--data-market', ...markets],
]

const processWords = ([name, roles]: readonly [string, readonly Role[]]): string => `${name} (${roles.join(', ')})`
