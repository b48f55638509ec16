import { expect, test } from 'vitest'
import { createProgram } from '../../../ops/bin/cli.ts'

const namesOf = async (only?: string) => (await createProgram(only)).commands.map((command) => command.name())

test('behavior: whatever is wanted, every command is known by its name', async () => {
  const names = await namesOf()
  expect(names).toContain('run')
  for (const only of ['run', 'rum', 'constructor']) expect(await namesOf(only)).toEqual(names)
})

test('default: help says which options are required', async () => {
  const snapshotters = (await createProgram('snapshotters')).commands.find((one) => one.name() === 'snapshotters')!
  const help = snapshotters.helpInformation().replaceAll(/\s+/g, ' ')
  expect(help).toContain('--to <multiaddr> intake, with its peer id (required)')
  expect(help).not.toMatch(/--slots <n>[^-]*\(required\)/)
})

test('default: every command and option has words', async () => {
  for (const name of await namesOf()) {
    const command = (await createProgram(name)).commands.find((one) => one.name() === name)!
    const all = [command, ...command.commands]
    expect(all.filter((one) => one.description() === '').map((one) => one.name())).toEqual([])
    expect(all.flatMap(({ options }) => options.filter(({ description }) => description === ''))).toEqual([])
    expect(all.some(({ options, registeredArguments }) => options.length + registeredArguments.length > 0)).toBe(true)
  }
})
