/** `sequencer status` and `sequencer epochs`. */
import { Command } from 'commander'
import { z } from 'zod'
import { systemClock } from '../../../connectors/system-clock.ts'
import { EXIT, explain } from '../../base/cli-error.ts'
import { AS_JSON, address, httpUrl, parseOptions, whole } from '../../base/options.ts'
import { answer, type Lines, type Output, stdout } from '../../base/output.ts'
import { type OpenLog, type TargetOptions, withTargetOptions } from '../../ground/open-log.ts'
import { EPOCHS_SHOWN } from '../../reading/status.ts'
import { renderEpochs, renderStatus } from './render.ts'
import { epochsFrom, type SourceOptions, statusFrom } from './source.ts'

/** Between two looks of --watch. */
const WATCH_MS = 2_000
const LIMIT_MAX = 100

const common = { api: httpUrl.optional(), json: z.boolean().default(false), watch: z.boolean().default(false) }
const statusSchema = z.object(common)
const epochsSchema = z.object({
  ...common,
  dataMarket: address.optional(),
  limit: whole(1, LIMIT_MAX).default(EPOCHS_SHOWN),
})

const withLookOptions = (command: Command): Command =>
  withTargetOptions(command)
    .option('--api <url>', 'ask this query API, instead of reading the log of the cluster')
    .option('--watch', `look again every ${WATCH_MS / 1_000} s, until Ctrl-C`)
    .option('--json', `${AS_JSON}; with --watch one line for each look`)

export function statusCommand(open: OpenLog): Command {
  return withLookOptions(new Command('status'))
    .addHelpText(
      'after',
      '\nA process that runs on a data directory is asked; a log without one, and the log of a cluster, are read from their ends.\nExit code 1 (without --watch): a role is not worked, or waits.',
    )
    .action(async (given: TargetOptions) => {
      const { json, watch, ...fields } = parseOptions(statusSchema, given, 'status')
      const options: SourceOptions = { ...given, ...fields }
      await look({ json, watch }, async () => {
        const status = await statusFrom(open, options)
        if (!watch && status.roles.some(({ standing }) => standing !== 'RUNS')) process.exitCode = EXIT.failed
        return { value: status, lines: renderStatus(status) }
      })
    })
}

export function epochsCommand(open: OpenLog): Command {
  return withLookOptions(new Command('epochs'))
    .option('--data-market <address>', 'only this data market')
    .option('--limit <n>', `the newest n of a market, at most ${LIMIT_MAX}`, String(EPOCHS_SHOWN))
    .action(async (given: TargetOptions) => {
      const { json, watch, dataMarket, limit, ...fields } = parseOptions(epochsSchema, given, 'epochs')
      const options: SourceOptions = { ...given, ...fields }
      await look({ json, watch }, async () => {
        const epochs = await epochsFrom(open, options, { limit, dataMarket })
        if (!watch && epochs.length === 0) process.exitCode = EXIT.failed
        return { value: epochs, lines: renderEpochs(epochs, systemClock.now()) }
      })
    })
}

interface Looked {
  readonly value: unknown
  readonly lines: Lines
}

/** Once, or again and again; on a terminal in the same place. */
async function look(
  how: { readonly json: boolean; readonly watch: boolean },
  once: () => Promise<Looked>,
): Promise<void> {
  if (!how.watch) {
    const { value, lines } = await once()
    return answer(how.json, value, () => lines)
  }
  const stop = new AbortController()
  const end = (): void => stop.abort()
  process.once('SIGINT', end).once('SIGTERM', end)
  await watching(stdout, how.json, once, stop.signal)
}

/** A look that fails is said, and made again: an operator who watches an outage wants to see its end. */
export async function watching(
  out: Output,
  json: boolean,
  once: () => Promise<Looked>,
  signal: AbortSignal,
  everyMs = WATCH_MS,
): Promise<void> {
  let rows = 0
  while (!signal.aborted) {
    const { value, lines } = await once().catch(said)
    if (json) out.printJson(value)
    else if (out.isTerminal) {
      const fits = fitting(lines, out)
      out.redraw(rows, fits)
      rows = fits.length
    } else out.print(...lines, '')
    await systemClock.sleep(everyMs, signal)
  }
}

function said(error: unknown): Looked {
  const { lines, exitCode } = explain(error)
  if (exitCode === EXIT.usage || exitCode === EXIT.internal) throw error
  return { value: { error: lines[0] }, lines }
}

/** The lines that a terminal can redraw: no more than it has, none that goes on in the next row. */
function fitting(lines: Lines, { size }: Output): Lines {
  if (size === undefined) return lines
  const { rows, columns } = size
  const shown = lines.length < rows ? lines : [...lines.slice(0, rows - 2), '… and more: make the window higher']
  return shown.map((line) => (line.length > columns ? `${line.slice(0, Math.max(0, columns - 1))}…` : line))
}
