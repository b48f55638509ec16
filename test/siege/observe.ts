/** What is seen of the target while it is besieged: memory, disk, lag, whether it answers. */
import { readFileSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { EpochSummary, Page } from '../../ops/api/schema.ts'
import type { Target } from './target.ts'

export type Phase = 'calm' | 'attack' | 'after'

/** One look; null where the target did not answer. */
export interface Sample {
  readonly atSeconds: number
  readonly phase: Phase
  readonly rssMiB: Readonly<Record<string, number | null>>
  /** Processor time since the last look, as cores. */
  readonly cores: Readonly<Record<string, number | null>>
  readonly diskMiB: Readonly<Record<string, number>>
  /** Records that the stages have not taken, by stage. */
  readonly lag: Readonly<Record<string, number>> | null
  /** Looks at /healthz since the last sample, and how many of them got no 200 in time. */
  readonly probes: number
  readonly probesFailed: number
}

const MIB = 2 ** 20
const PROBE_MS = 1_000
const PROBE_WAIT_MS = 2_000
const ASK_WAIT_MS = 10_000

export class Observer {
  readonly samples: Sample[] = []
  phase: Phase = 'calm'
  private readonly target: Target
  private readonly started = performance.now()
  private readonly timers: NodeJS.Timeout[]
  private probes = 0
  private lastCpu: Readonly<Record<string, number | null>> = {}
  private lastLook = performance.now()
  private probesFailed = 0

  constructor(target: Target, everyMs: number) {
    this.target = target
    this.timers = [setInterval(() => void this.sample(), everyMs), setInterval(() => void this.probe(), PROBE_MS)]
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer)
  }

  async sample(): Promise<void> {
    const { phase, probes, probesFailed } = this
    this.probes = 0
    this.probesFailed = 0
    const atSeconds = Math.round((performance.now() - this.started) / 1_000)
    const rssMiB = Object.fromEntries(this.target.processes.map(({ name, pid }) => [name, rssOf(pid)]))
    const cores = this.coresSince()
    const sizes = Object.entries(this.target.disks).map(
      async ([name, folder]) => [name, Math.round((await sizeOf(folder)) / MIB)] as const,
    )
    const [diskMiB, lag] = await Promise.all([Promise.all(sizes).then(Object.fromEntries), this.lag()])
    this.samples.push({ atSeconds, phase, rssMiB, cores, diskMiB, lag, probes, probesFailed })
  }

  private coresSince(): Record<string, number | null> {
    const now = performance.now()
    const cpu = Object.fromEntries(this.target.processes.map(({ name, pid }) => [name, cpuSecondsOf(pid)]))
    const cores = Object.entries(cpu).map(([name, seconds]) => {
      const before = this.lastCpu[name] ?? null
      const used = seconds === null || before === null ? null : (seconds - before) / ((now - this.lastLook) / 1_000)
      return [name, used === null ? null : Math.round(used * 100) / 100]
    })
    this.lastCpu = cpu
    this.lastLook = now
    return Object.fromEntries(cores)
  }

  private async probe(): Promise<void> {
    this.probes++
    const answer = await fetch(new URL('/healthz', this.target.probes), {
      signal: AbortSignal.timeout(PROBE_WAIT_MS),
    }).catch(() => undefined)
    await answer?.arrayBuffer().catch(() => undefined)
    if (answer?.status !== 200) this.probesFailed++
  }

  private async lag(): Promise<Record<string, number> | null> {
    const text = await ask(this.target.probes, '/metrics').catch(() => undefined)
    if (text === undefined) return null
    const lag: Record<string, number> = {}
    for (const [, stage, value] of text.matchAll(/^seq_consumer_lag\{[^}]*stage="([^"]+)"[^}]*\} (\d+)/gm))
      lag[stage!] = (lag[stage!] ?? 0) + Number(value)
    return lag
  }
}

async function ask(at: string, path: string): Promise<string> {
  const answer = await fetch(new URL(path, at), { signal: AbortSignal.timeout(ASK_WAIT_MS) })
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`)
  return answer.text()
}

/** Every item of a list of the query API; undefined when it does not answer. */
export async function listAll<T>(target: Pick<Target, 'place'>, path: string): Promise<T[] | undefined> {
  const items: T[] = []
  try {
    for (let cursor = ''; ; ) {
      const page = JSON.parse(await ask(target.place.ops, `${path}&limit=500${cursor}`)) as Page<T>
      items.push(...page.items)
      if (page.next === null) return items
      cursor = `&cursor=${encodeURIComponent(page.next)}`
    }
  } catch {
    return undefined
  }
}

/** Every epoch of every market; undefined when the API does not answer. */
export async function epochsOf(target: Target): Promise<EpochSummary[] | undefined> {
  const lists = await Promise.all(
    target.place.markets.map((market) => listAll<EpochSummary>(target, `/v1/epochs?market=${market}`)),
  )
  return lists.every((list) => list !== undefined) ? lists.flat() : undefined
}

function rssOf(pid: number): number | null {
  try {
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1_024)
  } catch {
    return null
  }
}

const TICKS_PER_SECOND = 100

/** User and system time, fields 14 and 15 of /proc/<pid>/stat. */
function cpuSecondsOf(pid: number): number | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  } catch {
    return null
  }
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) =>
      stat(join(parentPath, name)).then(
        ({ blocks }) => blocks * 512,
        () => 0,
      ),
    )
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}
