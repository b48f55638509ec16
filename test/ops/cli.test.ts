import { expect, test } from 'vitest'
import { createProgram } from '../../ops/cli.ts'

test('behavior: each command is loaded alone under its own name', async () => {
  const names = (await createProgram()).commands.map((command) => command.name())
  for (const name of names)
    expect((await createProgram(name)).commands.map((command) => command.name())).toEqual([name])
  expect(names).toContain('run')
})

test('behavior: what is no command loads them all, so that the message and the help know them', async () => {
  const all = (await createProgram()).commands.length
  expect((await createProgram('rum')).commands).toHaveLength(all)
  expect((await createProgram('constructor')).commands).toHaveLength(all)
})

test('default: every command and option has words', async () => {
  const program = await createProgram()
  const commands = [...program.commands, ...program.commands.flatMap(({ commands: inner }) => inner)]
  expect(commands.filter((command) => command.description() === '').map((command) => command.name())).toEqual([])
  expect(commands.flatMap(({ options }) => options.filter(({ description }) => description === ''))).toEqual([])
})
