/** `npm run docs:console`: the picture of the console in the README, taken of a `dev` that runs. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EpochSummary, Page } from '../../../../ops/api/schema.ts'
import { startSequencer } from '../../run-sequencer.ts'
import { openConsole, startBrowser } from './browser.ts'

const FILE = 'docs/images/console.png'
const BYTES_MAX = 150_000
/** Enough for the chart to have a line. */
const EPOCHS = 8
/** Also on a machine that does other work. */
const WAIT_MS_MAX = 1_200_000
const LOOK_MS = 1_000

const directory = mkdtempSync(join(tmpdir(), 'sequencer-picture-'))
const browser = await startBrowser()
const ports = ['--listen-port', '0', '--chain-port', '0', '--ops-port', '0']
const dev = startSequencer([
  'dev',
  '--data-dir',
  directory,
  '--json',
  '--workers',
  '0',
  '--snapshotters',
  '24',
  ...ports,
])
try {
  const running = await dev.waitFor(({ event }) => event === 'running')
  const { ops: url, markets } = running as unknown as { ops: string; markets: string[] }
  await untilAttested(`${url}/v1/epochs?market=${markets[0]}&limit=100`)
  const { page, visit, close } = await openConsole(browser, url, { viewport: { width: 1120, height: 720 } })
  await visit('/')
  await page.locator('.verdict-title', { hasText: 'Healthy' }).waitFor({ timeout: WAIT_MS_MAX })
  await page.screenshot({ path: FILE })
  await close()
} finally {
  await browser.close()
  dev.child.kill('SIGTERM')
  await dev.finished
  rmSync(directory, { recursive: true, force: true })
}
const { size } = statSync(FILE)
if (size > BYTES_MAX) throw new Error(`${FILE} has ${size} bytes, and ${BYTES_MAX} is the most for a README`)
console.log(`${FILE}: ${size} bytes`)

async function untilAttested(url: string): Promise<void> {
  for (const end = Date.now() + WAIT_MS_MAX; ; ) {
    const { items } = (await (await fetch(url)).json()) as Page<EpochSummary>
    if (items.filter(({ phase }) => phase === 'ATTESTED').length >= EPOCHS) return
    if (Date.now() > end) throw new Error(`waited ${WAIT_MS_MAX / 1_000} s for ${EPOCHS} attested epochs`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}
