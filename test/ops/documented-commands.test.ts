/** What the pages of the repository tell one to type is what the program takes. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { accepts } from './accepts.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>
}
const files = [...readdirSync(ROOT), ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
)

/** The commands of the `sh` blocks of a text, without comments, a line that ends in a backslash with the next. */
const commandsOf = (text: string): string[] =>
  [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, block]) =>
    block!
      .replaceAll('\\\n', ' ')
      .split(/\n|&&/)
      .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
      .filter((line) => line !== ''),
  )

/** A `<place for a value>` is one word. */
const wordsOf = (command: string): string[] =>
  command
    .replaceAll(/<[^>]*>/g, 'value')
    .split(/\s+/)
    .map((word) => word.replace(/^"(.*)"$/, '$1'))

const all = files.flatMap((file) =>
  commandsOf(readFileSync(join(ROOT, file), 'utf8')).map((command) => ({ file, command, words: wordsOf(command) })),
)

/** The modules of a command are loaded at its first use, which takes long on a busy machine. */
const LOAD_MS_MAX = 300_000

test.each(all.filter(({ words }) => words[0] === './sequencer' && !words.includes('--help')))(
  'behavior: $file: $command',
  { timeout: LOAD_MS_MAX },
  async ({ words }) => {
    await expect(accepts(words.slice(1))).resolves.toBeUndefined()
  },
)

test('behavior: the scripts of npm that are named are there', () => {
  const named = all.flatMap(({ command }) => /^npm (?:run (\S+)|(start|test))/.exec(command)?.slice(1, 3) ?? [])
  expect(named.filter((name) => name && !(name in scripts))).toEqual([])
  expect(named.filter(Boolean).length).toBeGreaterThan(3)
})

test('behavior: enough is found, and what is wrong is noticed', async () => {
  expect(all.length).toBeGreaterThan(25)
  expect(commandsOf('```sh\n./sequencer why --slot 7  # why\n```\n')).toEqual(['./sequencer why --slot 7'])
  await expect(accepts(['why', '--sloth', '7'])).rejects.toThrow()
})
