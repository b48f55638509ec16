/** `sequencer doctor`: what this machine, this directory and this node lack, each with what to do about it. */
import { existsSync, statfsSync } from 'node:fs'
import { createServer } from 'node:net'
import { Command } from 'commander'
import { z } from 'zod'
import { findAnvil } from '../connectors/evm/anvil.ts'
import { createFileBlockStore } from '../connectors/ipfs/file-store.ts'
import { createKuboStore } from '../connectors/ipfs/kubo-store.ts'
import { recovery } from '../topology/recovery.ts'
import { EXIT } from './cli-error.ts'
import type { Address } from './config/schema.ts'
import { directoryPaths, ensureWritable, readSettings } from './data-directory.ts'
import { DEV_DEFAULTS } from './dev/config.ts'
import { examineAnchoring } from './doctor-anchor.ts'
import { examineCluster } from './doctor-cluster.ts'
import { examineNode, examineStore } from './doctor-outside.ts'
import { askRunning } from './lookup/directory.ts'
import { type TargetOptions, targetOf, withTargetOptions } from './open-log.ts'
import { httpUrl, parseOptions } from './options.ts'

export interface Finding {
  readonly check: string
  readonly ok: boolean
  readonly detail: string
  readonly advice?: string
}

const schema = z.object({
  dataDir: z.string().min(1, 'no name of a directory').optional(),
  rpc: httpUrl.optional(),
  kubo: httpUrl.optional(),
  json: z.boolean().optional(),
})

export type DoctorOptions = TargetOptions & Readonly<z.infer<typeof schema>>

const NODE_MAJOR_MIN = 20
const FREE_BYTES_MIN = 1024 ** 3

export function doctorCommand(): Command {
  return withTargetOptions(new Command('doctor'))
    .option('--rpc <url>', 'EVM node to check')
    .option('--kubo <url>', 'Kubo node to check')
    .option('--json', 'print the findings as JSON')
    .action(async (given: TargetOptions) => {
      const options: DoctorOptions = { ...given, ...parseOptions(schema, given, 'doctor') }
      const findings = await examine(options)
      process.stdout.write(options.json ? `${JSON.stringify(findings)}\n` : render(findings))
      if (findings.some(({ ok }) => !ok)) process.exitCode = EXIT.failed
    })
}

export async function examine({ rpc, kubo, ...options }: DoctorOptions): Promise<readonly Finding[]> {
  const target = targetOf(options)
  const findings = [nodeVersion(), signatures()]
  if (target.kind === 'directory') {
    findings.push(...(await examineDirectory(target.dataDir, kubo)))
    return rpc ? [...findings, ...(await examineNode(rpc, readSettings(target.dataDir)?.chain.chainId))] : findings
  }
  const { address } = target
  findings.push(...(await examineDeployed(rpc ? { ...address, chain: { rpcUrls: [rpc] } } : address)))
  return kubo ? [...findings, await examineStore(kuboStore(kubo), CHECK_KUBO)] : findings
}

/** The cluster, and when something is deployed on it also what that needs outside. */
async function examineDeployed(address: Address): Promise<readonly Finding[]> {
  const { findings, deployed } = await examineCluster(address)
  return deployed ? [...findings, ...(await examineAnchoring(address, deployed))] : findings
}

const CHECK_KUBO = 'Check --kubo and the node behind it.'
const kuboStore = async (url: string) => createKuboStore({ url })

async function examineDirectory(dataDir: string, kubo: string | undefined): Promise<readonly Finding[]> {
  const running = (await askRunning(dataDir, '/healthz', {})) !== undefined
  const machine = running
    ? [{ check: 'process', ok: true, detail: `one runs on ${dataDir}; see its /readyz` }]
    : [
        anvil(),
        await port(DEV_DEFAULTS.listenPort, '--listen-port'),
        await port(DEV_DEFAULTS.opsPort, '--ops-port'),
        await port(DEV_DEFAULTS.chainPort, '--chain-port'),
      ]
  const storage = kubo
    ? examineStore(kuboStore(kubo), CHECK_KUBO)
    : examineStore(createFileBlockStore({ directory: directoryPaths(dataDir).blocks }), 'Check the data directory.')
  return [directory(dataDir), space(dataDir), ...machine, await storage]
}

function nodeVersion(): Finding {
  const major = Number(process.versions.node.split('.')[0])
  const ok = major >= NODE_MAJOR_MIN
  return { check: 'node', ok, detail: process.version, ...(!ok && { advice: 'Install Node 20.19 or newer.' }) }
}

const signatures = (): Finding => ({
  check: 'signatures',
  ok: true,
  detail:
    recovery.backend === 'native'
      ? 'native libsecp256k1'
      : 'libsecp256k1 as WebAssembly: half as fast; no prebuilt binary fits this machine',
})

function directory(dataDir: string): Finding {
  try {
    ensureWritable(dataDir)
    return {
      check: 'data directory',
      ok: true,
      detail: existsSync(directoryPaths(dataDir).settings) ? `${dataDir} holds a log` : `${dataDir} is empty`,
    }
  } catch (error) {
    return {
      check: 'data directory',
      ok: false,
      detail: (error as Error).message,
      advice: 'Give --data-dir a directory that this user may write to.',
    }
  }
}

function space(dataDir: string): Finding {
  if (!existsSync(dataDir)) return { check: 'disk', ok: true, detail: 'not looked at: the directory does not exist' }
  const { bavail, bsize } = statfsSync(dataDir)
  const free = bavail * bsize
  const ok = free >= FREE_BYTES_MIN
  return {
    check: 'disk',
    ok,
    detail: `${(free / 1024 ** 3).toFixed(1)} GiB free`,
    ...(!ok && { advice: 'Free some space: at least 1 GiB.' }),
  }
}

function anvil(): Finding {
  try {
    return { check: 'anvil', ok: true, detail: findAnvil() }
  } catch (error) {
    return {
      check: 'anvil',
      ok: false,
      detail: (error as Error).message,
      advice: 'Install anvil (Foundry), or give `dev` a node with --rpc.',
    }
  }
}

const port = (number: number, option: string): Promise<Finding> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve({
        check: `port ${number}`,
        ok: false,
        detail: error.code ?? error.message,
        advice: `Stop what uses it, or choose another with ${option}.`,
      }),
    )
    server.listen(number, '127.0.0.1', () =>
      server.close(() => resolve({ check: `port ${number}`, ok: true, detail: 'free' })),
    )
  })

const render = (findings: readonly Finding[]): string =>
  findings
    .map(
      ({ check, ok, detail, advice }) =>
        `${ok ? 'ok  ' : 'FAIL'}  ${check.padEnd(14)} ${detail}${advice ? `\n      ${advice}` : ''}\n`,
    )
    .join('')
