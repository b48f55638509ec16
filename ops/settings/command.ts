/** `sequencer config`, and the options that every command on a cluster shares. */

import { Command } from 'commander'
import { rulesOfMarket } from '../../topology/rules.ts'
import { AS_JSON } from '../base/options.ts'
import { answer, type Lines, stdout } from '../base/output.ts'
import { shownUrl } from '../base/shown-url.ts'
import { plural } from '../base/words.ts'
import { SETTINGS } from './list.ts'
import { marketWarnings } from './market-warnings.ts'
import { type Configuration, readConfiguration, valueAt } from './parse.ts'
import { configurationReference } from './reference.ts'
import { CONFIG_VARIABLE, type FlagValues } from './sources.ts'

/** Adds the flags of FLAGS that name the cluster, and --config and --set. */
export const withClusterOptions = (command: Command): Command =>
  command
    .option('--config <file>', `YAML or JSON with settings (${CONFIG_VARIABLE})`)
    .option('--kafka <brokers>', 'brokers to begin with, host:port,…')
    .option('--registry <url>', 'schema registry')
    .option('--app-id <name>', 'before every group, transactional id and changelog')
    .option('--prefix <text>', 'before every topic and subject')
    .option(
      '--set <setting=value>',
      'any other setting, e.g. kafka.replicationFactor=1; may be repeated',
      (one: string, before: readonly string[] = []) => [...before, one],
    )

export function configCommand(): Command {
  const command = new Command('config')
  withClusterOptions(command.command('print'))
    .description('Print every setting with its value and where it came from; access keys are blotted out')
    .option('--json', AS_JSON)
    .action((flags: FlagValues) => {
      const configuration = readConfiguration(flags, process.env)
      answer(flags.json, plainSettings(configuration), () => renderSettings(configuration))
    })
  withClusterOptions(command.command('check'))
    .description('Say what is wrong with the settings, all of it')
    .option('--json', AS_JSON)
    .action(checkConfiguration)
  command
    .command('reference')
    .description('Print docs/configuration.md')
    .action(() => stdout.printRaw(configurationReference()))
  return command
}

function checkConfiguration(flags: FlagValues): void {
  const { sources, rules } = readConfiguration(flags, process.env)
  const good = `The configuration is good: ${plural(sources.size, 'setting')} given, ${SETTINGS.length - sources.size} by default.`
  const added = rulesOfMarket(rules, 'a market that is added at run time')
  const warnings = marketWarnings(rules.markets)
    .concat(marketWarnings([added]))
    .map(({ text }) => text)
  answer(flags.json, { ok: true, given: sources.size, warnings }, () => [good, ...warnings])
}

const plainSettings = (configuration: Configuration): Record<string, unknown> =>
  Object.fromEntries(
    SETTINGS.map(({ path }) => [
      path,
      {
        value: redacted(path, valueAt(configuration.settings, path)) ?? null,
        source: configuration.sources.get(path) ?? 'default',
      },
    ]),
  )

function renderSettings({ settings, sources }: Configuration): Lines {
  const rows = SETTINGS.map(({ path }) => {
    const value = redacted(path, valueAt(settings, path))
    return [path, value === undefined ? '' : JSON.stringify(value), sources.get(path) ?? 'default'] as const
  })
  const width = rows.reduce((max, [path]) => Math.max(max, path.length), 0)
  return rows.map(([path, value, source]) => `${path.padEnd(width)}  ${value}  # ${source}`)
}

/** Every address may hold a login or an access key; addresses of nodes nearly always do. */
function redacted(path: string, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => redacted(path, one))
  if (typeof value !== 'string') return value
  const shown = shownUrl(value)
  return path === 'chain.rpcUrls' ? shown.replace(/^(\w+:\/\/[^/?]+)\/[^?]+/, '$1/…') : shown
}
