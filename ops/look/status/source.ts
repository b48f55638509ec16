/** The source of the state of things for commands: the process that runs on a directory, an API that is named, or the log. */
import type { Page } from '../../api/schema.ts'
import type { StatusAnswer } from '../../api/status-schema.ts'
import { CliError } from '../../base/cli-error.ts'
import { type OpenLog, type TargetOptions, targetOf } from '../../ground/open-log.ts'
import { askApi, askRunning } from '../../ground/running-process.ts'
import type { ProcessStatus } from '../../reading/processes.ts'
import { readEpochs, readStatus } from '../../reading/read-status.ts'
import type { EpochReport, StatusReport } from '../../reading/status.ts'

export interface SourceOptions extends TargetOptions {
  /** Address of a process with the role api. */
  readonly api?: string | undefined
}

/** Machines and addresses are told by the log alone. */
type Shown<P> = Omit<P, 'host' | 'pid' | 'ops' | 'probes' | 'intake'> &
  Partial<Pick<ProcessStatus, 'host' | 'ops' | 'intake'>>
export type StatusShown = Omit<StatusReport, 'processes'> & { readonly processes: readonly Shown<ProcessStatus>[] }

export interface EpochsAsked {
  /** Epochs of a market, the newest. */
  readonly limit: number
  readonly dataMarket?: string | undefined
}

export async function statusFrom(open: OpenLog, options: SourceOptions): Promise<StatusShown> {
  const told = await ask<StatusAnswer>(options, '/v1/status', {})
  return told ?? reading(open, options, readStatus)
}

/** The epochs of every market, or of one; newest first. */
export async function epochsFrom(
  open: OpenLog,
  options: SourceOptions,
  { limit, dataMarket }: EpochsAsked,
): Promise<readonly EpochReport[]> {
  const markets = await ask<Page<{ dataMarket: string }>>(options, '/v1/markets', {})
  const isMeant = (one: { readonly dataMarket: string }): boolean => (dataMarket ?? one.dataMarket) === one.dataMarket
  if (markets === undefined)
    return (await reading(open, options, (opened) => readEpochs(opened, limit))).filter(isMeant)
  const lists = markets.items.filter(isMeant).map(async ({ dataMarket: market }) => {
    const page = await ask<Page<EpochReport>>(options, '/v1/epochs', { market, limit: String(limit) })
    return page?.items ?? []
  })
  return (await Promise.all(lists)).flat().map(withoutMore)
}

/** The fields that both ways tell. */
const withoutMore = (epoch: EpochReport): EpochReport => {
  const { dataMarket, epochId, phase, outcome, releasedAt, closedAt, finalAt } = epoch
  const { submissions, counted, batches, projects, projectsWithoutQuorum, agreement } = epoch
  const known = { dataMarket, epochId, phase, outcome, releasedAt, closedAt, finalAt }
  return { ...known, submissions, counted, batches, projects, projectsWithoutQuorum, agreement }
}

/** Undefined: there is nobody to ask, so the log is read. */
async function ask<T>(options: SourceOptions, path: string, fields: Record<string, string>): Promise<T | undefined> {
  const { api, ...targeted } = options
  if (api !== undefined) {
    if ('dataDir' in targeted) throw new CliError('--api and --data-dir are both given', 'Give one of them.')
    return askApi<T>(api, path, fields)
  }
  const target = targetOf(targeted)
  return target.kind === 'directory' ? askRunning<T>(target.dataDir, path, fields) : undefined
}

async function reading<T>(
  open: OpenLog,
  options: TargetOptions,
  read: (opened: Awaited<ReturnType<OpenLog>>) => Promise<T>,
): Promise<T> {
  const opened = await open(targetOf(options))
  try {
    return await read(opened)
  } finally {
    await opened.close()
  }
}
