/** The words for the faults of a configuration. */
import { CliError } from '../base/cli-error.ts'
import type { Lines } from '../base/output.ts'
import { settingAt } from './list.ts'
import type { Fault } from './sources.ts'

/** The message of a fault: nothing was given. */
export const NEEDED = 'is needed'

export function howToGive(path: string): string {
  const setting = settingAt(path)
  if (!setting) return 'not set'
  return `not set: ${path} in the file, ${otherwise(path)}`
}

function otherwise(path: string): string {
  const setting = settingAt(path)
  return setting ? `${setting.variable}${setting.flag ? ` or ${setting.flag}` : ''}` : ''
}

export function refusal(faults: readonly Fault[]): CliError {
  const missing = faults.filter(({ message, source }) => message === NEEDED && source.startsWith('not set: '))
  const together = missing.length > 1 ? missing : []
  return new CliError(
    [
      `the configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:`,
      ...faults
        .filter((fault) => !together.includes(fault))
        .map(({ path, message, source }) => `  ${path ? `${path}: ` : ''}${message}  (${source})`),
      ...neededLines(together.map(({ path }) => path)),
    ],
    'Every setting is in docs/configuration.md; `sequencer config print` shows what counts.',
  )
}

/** How to give them is said once for all of them. */
function neededLines(paths: readonly string[]): Lines {
  if (paths.length === 0) return []
  const width = paths.reduce((longest, { length }) => Math.max(longest, length), 0)
  return [
    '  is needed and not set, in the file by its name on the left, or as it says on the right:',
    ...paths.map((path) => `    ${path.padEnd(width)}  ${otherwise(path)}`),
  ]
}
