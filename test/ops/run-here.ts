import { vi } from 'vitest'
import { main } from '../../ops/bin/cli.ts'

/** The command line in this process, which is quicker than a child: what it writes, and the exit code it sets. */
export const runHere = (args: readonly string[]) => captured(() => main(['node', 'sequencer', ...args]))

/** What is written while something runs, and the exit code that it sets. */
export async function captured(run: () => Promise<void>) {
  const written = { stdout: '', stderr: '' }
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += text
      return true
    }),
  )
  try {
    await run()
    return { ...written, exitCode: process.exitCode }
  } finally {
    process.exitCode = undefined
    for (const spy of spies) spy.mockRestore()
  }
}
