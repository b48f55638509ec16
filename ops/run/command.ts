/** `sequencer run`. */
import { Command } from 'commander'
import { EXIT } from '../base/cli-error.ts'
import { stdout } from '../base/output.ts'
import { ROLE_HELP, ROLES } from '../base/roles.ts'
import { withClusterOptions } from '../settings/command.ts'
import { readConfiguration } from '../settings/parse.ts'
import type { FlagValues } from '../settings/sources.ts'
import { createRunLines } from './lines.ts'
import { needOf, runRoles } from './run.ts'

/** Between the first signal and giving up; orchestrators kill after 30 s. */
export const CLOSE_MS_MAX = 25_000

export function runCommand(version: string): Command {
  return withClusterOptions(new Command('run'))
    .option('--roles <roles>', 'role,…; all by default')
    .option('--instance-id <name>', 'name of this process, the same after a restart; the host name by default')
    .option('--rpc <urls>', 'nodes of the anchor chain, for clock and anchor-effects')
    .option('--ops-port <port>', 'port of /metrics, /healthz, /readyz; 0 takes a free one')
    .option('--log-level <level>', 'silent, error, warn, info or debug: of the JSON lines on standard error')
    .option('--json', 'print events as JSON lines')
    .addHelpText('after', `\nRoles:\n${ROLES.map((role) => `  ${role.padEnd(16)} ${ROLE_HELP[role]}`).join('\n')}`)
    .addHelpText(
      'after',
      '\nEvery other setting: docs/configuration.md. A second signal stops at once (exit code 130).',
    )
    .action(async (flags: FlagValues) => {
      const configuration = readConfiguration(flags, process.env, needOf)
      const lines = createRunLines(stdout, flags.json === true)
      const stop = new AbortController()
      const onSignal = (): void => {
        if (stop.signal.aborted) process.exit(130) // asked twice: at once, as after a kill
        lines.stopping()
        stop.abort()
        setTimeout(() => {
          lines.warn(`not everything was closed within ${CLOSE_MS_MAX / 1000} s; what was not committed is done again`)
          process.exit(EXIT.failed)
        }, CLOSE_MS_MAX).unref()
      }
      process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
      await runRoles(configuration, { lines, version, signal: stop.signal })
    })
}
