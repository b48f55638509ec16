/** `sequencer doctor`: what this machine, this directory and this node lack, each with what to do about it. */
import { Command } from 'commander'
import { z } from 'zod'
import { systemClock } from '../../../connectors/system-clock.ts'
import { sequencerTopology } from '../../../topology/index.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { AS_JSON, httpUrl, parseOptions } from '../../base/options.ts'
import { answer, type Lines } from '../../base/output.ts'
import { printable } from '../../base/printable.ts'
import { withoutKeys } from '../../base/shown-url.ts'
import { allTopics } from '../../ground/all-topics.ts'
import { openGround } from '../../ground/cluster/open.ts'
import { directoryPaths, hasOwnChain } from '../../ground/directory-paths.ts'
import { type DirectorySettings, readSettings } from '../../ground/directory-settings.ts'
import { type TargetOptions, targetOf, withTargetOptions } from '../../ground/open-log.ts'
import { askRunning } from '../../ground/running-process.ts'
import { probesPortBeside } from '../../run/probes.ts'
import type { Address } from '../../settings/schema.ts'
import { DEV_DEFAULTS } from '../../world/dev/config.ts'
import { examineAnchoring } from './anchor.ts'
import { examineCluster } from './cluster.ts'
import { type Finding, failed, notLookedAt } from './finding.ts'
import { anvil, directory, nodeVersion, openFiles, port, signatures, space } from './machine.ts'
import { examineNode } from './outside.ts'
import { isLeft, renderRepair, repairTransactions } from './repair/repair.ts'
import { examineStores } from './stores.ts'

/** Details hold what nodes, stores and brokers say. */
const DETAIL_SHOWN = 400

const schema = z.object({
  dataDir: z.string().min(1, 'no name of a directory').optional(),
  rpc: httpUrl.optional(),
  kubo: httpUrl.optional(),
  json: z.boolean().optional(),
  repairTransactions: z.boolean().optional(),
  dryRun: z.boolean().optional(),
})

export type DoctorOptions = TargetOptions & Readonly<z.infer<typeof schema>>

export function doctorCommand(): Command {
  return withTargetOptions(new Command('doctor'))
    .option('--rpc <url>', 'EVM node to check')
    .option('--kubo <url>', 'Kubo node to check')
    .option(
      '--repair-transactions',
      'end the transactions that hang in our topics, each as it ended elsewhere, and nothing else',
    )
    .option('--dry-run', 'with --repair-transactions: say what would be written')
    .option('--json', AS_JSON)
    .action(async (given: TargetOptions) => {
      const options: DoctorOptions = { ...given, ...parseOptions(schema, given, 'doctor') }
      if (options.repairTransactions) return repair(options)
      if (options.dryRun)
        throw new CliError('--dry-run alone changes nothing', 'Give it with --repair-transactions.', EXIT.usage)
      const findings = (await examine(options)).map((one) => ({ ...one, detail: withoutKeys(one.detail) }))
      answer(options.json, findings, () => render(findings))
      process.exitCode = exitCodeOf(findings)
    })
}

async function repair({ json, dryRun = false, ...options }: DoctorOptions): Promise<void> {
  const target = targetOf(options)
  if (target.kind === 'directory')
    throw new CliError(
      'a directory has no transactions that hang',
      'Name a cluster: --config FILE, or --kafka.',
      EXIT.usage,
    )
  const ground = await openGround(target.address, 'doctor')
  try {
    const { topics, stores, settings, log } = ground
    const topology = sequencerTopology(settings.rules, topics, stores, settings.anchoring)
    const { appId } = target.address
    const all = allTopics(appId, topology, topics)
    const found = await repairTransactions(log, all, { appId, now: systemClock.now(), dryRun })
    answer(json, found, () => renderRepair(found, dryRun))
    process.exitCode = found.some(isLeft) ? EXIT.failed : EXIT.ok
  } finally {
    await ground.close()
  }
}

export async function examine({ rpc, kubo, ...options }: DoctorOptions): Promise<readonly Finding[]> {
  const target = targetOf(options)
  const findings = [nodeVersion(), signatures(), openFiles()]
  if (target.kind === 'directory') return [...findings, ...(await examineDirectory(target.dataDir, rpc, kubo))]
  const { address } = target
  findings.push(...(await examineDeployed(rpc ? { ...address, chain: { rpcUrls: [rpc], agreement: 1 } } : address)))
  return kubo ? [...findings, ...(await examineStores({ kubo: [kubo], cidVersion: 1 }))] : findings
}

/** The cluster, and when something is deployed on it also what that needs outside. */
async function examineDeployed(address: Address): Promise<readonly Finding[]> {
  const { findings, deployed } = await examineCluster(address)
  return deployed ? [...findings, ...(await examineAnchoring(address, deployed))] : findings
}

async function examineDirectory(
  dataDir: string,
  rpc: string | undefined,
  kubo: string | undefined,
): Promise<readonly Finding[]> {
  const running = (await askRunning(dataDir, '/healthz', {})) !== undefined
  const machine = running
    ? [{ check: 'process', ok: true, detail: `a process runs on ${dataDir}; see its /readyz` }]
    : [
        anvil(),
        await port(DEV_DEFAULTS.listenPort, '--listen-port'),
        await port(DEV_DEFAULTS.opsPort, '--ops-port'),
        await port(probesPortBeside(DEV_DEFAULTS.opsPort), '--ops-port, which is 100 before it'),
        await port(DEV_DEFAULTS.chainPort, '--chain-port'),
      ]
  const named = kubo ? { kubo: [kubo] } : { directory: directoryPaths(dataDir).blocks, kubo: [] }
  const storage = examineStores({ ...named, cidVersion: 1 })
  const nodes = examineNodes(dataDir, rpc, running)
  return [directory(dataDir), space(dataDir), ...machine, ...(await storage), ...(await nodes)]
}

const CHECK_SETTINGS = 'Restore it from a copy, or use another --data-dir.'

/** Looks at the nodes that the newest start on the directory was given, or at the node named instead. No node before the first start. */
async function examineNodes(dataDir: string, named: string | undefined, running: boolean): Promise<readonly Finding[]> {
  let kept: DirectorySettings['chain'] | undefined
  try {
    kept = readSettings(dataDir)?.chain
  } catch (error) {
    return [failed('settings', error, CHECK_SETTINGS)]
  }
  if (named !== undefined) return examineNode(named, kept?.chainId)
  if (!kept) return []
  if (!running && hasOwnChain(dataDir))
    return [notLookedAt('chain', 'the node was not asked: it belongs to `dev` and runs with it; --rpc names another')]
  const urls = kept.rpcUrls.filter((url) => httpUrl.safeParse(url).success)
  if (urls.length === 0)
    return [notLookedAt('chain', 'no node was asked: the settings of the directory name none; --rpc does')]
  return (await Promise.all(urls.map((url) => examineNode(url, kept.chainId)))).flat()
}

const exitCodeOf = (findings: readonly Finding[]): number => {
  if (findings.some(({ ok }) => ok === false)) return EXIT.failed
  return findings.some(({ ok }) => ok === null) ? EXIT.unchecked : EXIT.ok
}

const MARKS = new Map([
  [true, 'ok  '],
  [false, 'FAIL'],
  [null, '--  '],
])

const render = (findings: readonly Finding[]): Lines => [...findings.flatMap(findingLines), conclusion(findings)]

function conclusion(findings: readonly Finding[]): string {
  const names = (wanted: Finding['ok']) => findings.filter(({ ok }) => ok === wanted).map(({ check }) => check)
  const [bad, left] = [names(false), names(null)]
  const unchecked = left.length > 0 ? ` Not looked at: ${left.join(', ')}.` : ''
  return `${bad.length === 0 ? 'Nothing wrong was found.' : `Wrong: ${bad.join(', ')}.`}${unchecked}`
}

const findingLines = ({ check, ok, detail, advice }: Finding): Lines => [
  `${MARKS.get(ok)}  ${check.padEnd(14)} ${printable(detail, DETAIL_SHOWN)}`,
  ...(advice ? [`      ${advice}`] : []),
]
