/** The directory of a cluster: who has it, how many brokers it has, and the ports that the cluster is to have. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CliError, EXIT } from '../../base/cli-error.ts'
import type { Closeable } from '../../base/lifecycle.ts'
import { freePorts, isFree } from '../brokers/ports.ts'

/** The number of brokers is fixed by the first start: partitions have their copies on them. Throws CliError for another one. */
export function brokersOf(directory: string, wanted: 1 | 3 | undefined): 1 | 3 {
  const [one, three] = [1, 3].map((id) => existsSync(join(directory, 'kafka', `broker-${id}`)))
  if (!one && !three) return wanted ?? 1
  const there = three ? 3 : 1
  if (wanted === undefined || wanted === there) return there
  throw new CliError(
    `${directory} is of a cluster with ${there === 1 ? 'one broker' : 'three brokers'}`,
    `Start it with --brokers ${there}, or give --directory another one.`,
  )
}

/** One cluster at a time has a directory. Throws CliError when another one has it. */
export function claimDirectory(directory: string): Closeable {
  mkdirSync(directory, { recursive: true })
  const file = join(directory, 'running.pid')
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
  if (pid !== process.pid && isCluster(pid))
    throw new CliError(
      `a cluster of ${directory} runs already (process ${pid})`,
      'Stop it, or give --directory another one.',
      EXIT.unavailable,
    )
  writeFileSync(file, String(process.pid))
  return { close: async () => rmSync(file, { force: true }) }
}

/** The pid may belong to another program by now. */
function isCluster(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    const command = `/proc/${pid}/cmdline`
    return !existsSync(command) || readFileSync(command, 'utf8').includes('cluster/main')
  } catch {
    return false
  }
}

/** By option the port that is to be used, a free one for 0. Throws CliError that lists every port that is taken. */
export async function portsOf<Name extends string>(
  wanted: Readonly<Record<Name, number>>,
): Promise<Record<Name, number>> {
  const names = Object.keys(wanted) as Name[]
  const free = await freePorts(names.length)
  const taken: string[] = []
  const ports = {} as Record<Name, number>
  for (const [at, name] of names.entries()) {
    ports[name] = wanted[name] || free[at]!
    if (!(await isFree(ports[name]))) taken.push(`--${name} ${ports[name]}: another program has this port`)
  }
  if (taken.length === 0) return ports
  throw new CliError(taken, 'Stop the program, or give another port; 0 takes a free one.', EXIT.unavailable)
}
