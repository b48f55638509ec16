/** A `dev` that runs for real, and questions to its API. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EpochSummary, Page, SubmissionItem } from '../../../../ops/api/schema.ts'
import { until as untilFound } from '../../../until.ts'
import { type StartedSequencer, startSequencer } from '../../run-sequencer.ts'

const WAIT_MS_MAX = 90_000
const LOOK_MS = 250

export interface DevWorld {
  readonly url: string
  readonly markets: readonly string[]
  get<T>(path: string): Promise<T>
  /** As `kill -9` does. */
  kill(): Promise<void>
  /** Again, on the same directory and at the same address. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** Two markets, an epoch each 4 s, a share of submissions that is wrong. */
export async function startDevWorld(): Promise<DevWorld> {
  const directory = mkdtempSync(join(tmpdir(), 'sequencer-console-'))
  const ports = ['--listen-port', '0', '--chain-port', '0', '--ops-port']
  const start = (opsPort: string) =>
    startSequencer([
      'dev',
      '--data-dir',
      directory,
      '--json',
      '--markets',
      '2',
      '--bad-share',
      '0.4',
      ...ports,
      opsPort,
    ])
  let dev: StartedSequencer = start('0')
  const { ops: url, markets } = (await dev.waitFor(({ event }) => event === 'running')) as unknown as {
    ops: string
    markets: string[]
  }
  const end = async (signal: NodeJS.Signals) => {
    dev.child.kill(signal)
    await dev.finished
  }
  return {
    url,
    markets,
    async get<T>(path: string) {
      const response = await fetch(new URL(path, url))
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
      return (await response.json()) as T
    },
    kill: () => end('SIGKILL'),
    async restart() {
      dev = start(new URL(url).port)
      await dev.waitFor(({ event }) => event === 'running')
    },
    async close() {
      await end('SIGTERM')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** The newest epoch that is attested. */
export async function anchoredEpoch({ get, markets }: DevWorld): Promise<EpochSummary> {
  return until('an attested epoch', async () => {
    const { items } = await get<Page<EpochSummary>>(`/v1/epochs?market=${markets[0]}&limit=100`)
    return items.find(({ phase }) => phase === 'ATTESTED')
  })
}

export async function submissionWith({ get, markets }: DevWorld, reason: string): Promise<SubmissionItem> {
  return until(`a submission with ${reason}`, async () => {
    const { items: epochs } = await get<Page<EpochSummary>>(`/v1/epochs?market=${markets[0]}&limit=100`)
    const epoch = epochs.find(({ reasons, phase }) => phase === 'ATTESTED' && reason in reasons)
    if (!epoch) return undefined
    const path = `/v1/epochs/${epoch.epochId}/verdicts?market=${markets[0]}&reason=${reason}&limit=1`
    return (await get<Page<SubmissionItem>>(path)).items[0]
  })
}

export const until = <T>(what: string, look: () => Promise<T | undefined | false>, limitMs = WAIT_MS_MAX): Promise<T> =>
  untilFound(what, look, { limitMs, everyMs: LOOK_MS })
