/** A real Prometheus with our rules, all of whose times are shortened alike. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { rulesText } from '../../../../ops/watch/prometheus/rules.ts'
import { freePorts } from '../../../../ops/world/brokers/ports.ts'
import { findTool } from '../../../../ops/world/brokers/tools.ts'

/** Between two scrapes, and two evaluations, when no time is shortened. */
const INTERVAL_MS = 10_000
const START_MS = 30_000

export interface FiringAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly state: 'pending' | 'firing'
}

export interface Prometheus {
  alerts(): Promise<readonly FiringAlert[]>
  /** Rejects with what Prometheus says of a query that is wrong. */
  query(expr: string): Promise<readonly { readonly metric: Record<string, string>; readonly value: [number, string] }[]>
  exemplars(series: string): Promise<readonly { readonly labels: Record<string, string> }[]>
  close(): Promise<void>
}

export async function startPrometheus(
  directory: string,
  targets: readonly string[],
  scale: number,
): Promise<Prometheus> {
  mkdirSync(directory, { recursive: true })
  const [port] = await freePorts(1)
  const interval = `${INTERVAL_MS * scale}ms`
  const config = {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: ['rules.yml'],
    scrape_configs: [{ job_name: 'sequencer', static_configs: [{ targets }] }],
  }
  writeFileSync(join(directory, 'prometheus.yml'), stringify(config))
  writeFileSync(join(directory, 'rules.yml'), rulesText({ scale, interval }))
  const at = `127.0.0.1:${port}`
  const child = spawn(
    findTool('prometheus'),
    [
      `--config.file=${join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=${at}`,
      '--enable-feature=exemplar-storage',
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let said = ''
  child.stderr!.on('data', (text) => {
    said = `${said}${text}`.slice(-4_000)
  })
  const ask = async <T>(path: string): Promise<T> => {
    const answer = await fetch(`http://${at}/api/v1/${path}`)
    const { status, data, error } = (await answer.json()) as { status: string; data: T; error?: string }
    if (status !== 'success') throw new Error(`${path}: ${error}`)
    return data
  }
  try {
    await untilReady(at, child)
  } catch (error) {
    child.kill('SIGKILL')
    throw new Error(`${(error as Error).message}\n${said}`)
  }
  return {
    alerts: async () => (await ask<{ alerts: FiringAlert[] }>('alerts')).alerts,
    query: async (expr) => (await ask<{ result: [] }>(`query?query=${encodeURIComponent(expr)}`)).result,
    async exemplars(series) {
      const now = Date.now() / 1000
      const range = `start=${now - 600}&end=${now}`
      const found = await ask<{ exemplars: [] }[]>(`query_exemplars?query=${encodeURIComponent(series)}&${range}`)
      return found.flatMap(({ exemplars }) => exemplars)
    },
    close: () =>
      new Promise((done) => {
        child.once('exit', () => done())
        child.kill('SIGTERM')
      }),
  }
}

async function untilReady(at: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_MS
  for (;;) {
    const answer = await fetch(`http://${at}/-/ready`).catch(() => undefined)
    if (answer?.ok) return
    if (child.exitCode !== null) throw new Error(`prometheus ended with ${child.exitCode}`)
    if (Date.now() > deadline) throw new Error(`prometheus was not ready in ${START_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
