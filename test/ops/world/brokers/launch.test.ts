import { expect, test } from 'vitest'
import type { Output } from '../../../../ops/base/output.ts'
import { mavenCounter } from '../../../../ops/world/brokers/fetching.ts'
import { createSteps } from '../../../../ops/world/brokers/steps.ts'
import { runTool } from '../../../../ops/world/brokers/tools.ts'

/** An output that keeps its lines, and of a terminal what was drawn over what. */
function kept(isTerminal: boolean): { readonly lines: string[]; readonly out: Output } {
  const lines: string[] = []
  const print = (...more: readonly string[]): void => void lines.push(...more)
  const redraw = (rows: number, more: readonly string[]): void => {
    lines.length -= rows
    print(...more)
  }
  return { lines, out: { isTerminal, size: undefined, print, redraw, printJson: () => {}, printRaw: () => {} } }
}

test('default: on a terminal a fetch is one line that moves below the others, and goes at its end', () => {
  const { lines, out } = kept(true)
  const { log, progress } = createSteps(out, () => 0)
  log('fetching A, once')
  progress('A', 'A: 1 of about 3 MB')
  progress('B', 'B: 2 of about 9 MB')
  progress('A', 'A: 2 of about 3 MB')
  log('starting C')
  expect(lines).toEqual(['fetching A, once', 'starting C', 'A: 2 of about 3 MB', 'B: 2 of about 9 MB'])
  progress('A', undefined)
  progress('B', undefined)
  expect(lines).toEqual(['fetching A, once', 'starting C'])
})

test('default: elsewhere there is a line every ten seconds', () => {
  const { lines, out } = kept(false)
  let now = 0
  const { progress } = createSteps(out, () => now)
  for (now = 0; now < 25_000; now += 500) progress('A', `A: ${now / 1000}`)
  expect(lines).toEqual(['A: 10', 'A: 20'])
})

test('behavior: the bytes that Maven fetches are counted from what it prints, in any pieces', () => {
  const printed =
    'Downloading from central: https://x/a.pom\rProgress (1): 4.1/12 kB\rProgress (1): 12 kB\r                    \r' +
    'Downloaded from central: https://x/a.pom (12 kB at 80 kB/s)\nProgress (2): 8.6/10 MB | 400 kB\r'
  for (const size of [1, 7, 1_000]) {
    const count = mavenCounter()
    let bytes = 0
    for (let at = 0; at < printed.length; at += size) bytes = count(printed.slice(at, at + size))
    expect(bytes).toBe(12e3 + 8.6e6 + 400e3)
  }
})

test('behavior: a fetch ends when its start is given up', async () => {
  const stop = new AbortController()
  const waits = runTool(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], 60_000, { signal: stop.signal })
  stop.abort()
  await expect(waits).rejects.toMatchObject({ code: 'STOPPED' })
})
