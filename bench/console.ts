/**
 * `npm run bench:console`: the console in a real Chromium with 10,000 slots and 500 projects, on the role `api` over an
 * embedded log. Measures the time until something is on the screen, the memory of the page, and that nothing goes wrong.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { openEmbeddedLog } from '../connectors/log/embedded/embedded.ts'
import { systemClock } from '../connectors/system-clock.ts'
import { startSequencer } from '../ops/run/compose.ts'
import { findTool } from '../ops/world/brokers/tools.ts'
import { createCodec } from '../schemas/codec.ts'
import { memoryRegistry } from '../schemas/registry.ts'
import { sequencerStores } from '../topology/stores.ts'
import { sequencerTopics } from '../topology/topics.ts'
import { EPOCHS, PROJECTS, SLOTS, writeMarket } from './console-data.ts'
import { type BenchRow, median, row } from './rows.ts'
import { rules } from './stage-data.ts'

const RUNS = 5
const VISITS = 20
const READ_MS_MAX = 300_000
const CONDITIONS = `${SLOTS} slots, ${PROJECTS} projects, ${EPOCHS} epochs`

const directory = mkdtempSync(join(tmpdir(), 'bench-console-'))
const log = await openEmbeddedLog({ directory: join(directory, 'log') })
const codec = await createCodec(memoryRegistry())
const partitions = { submissions: 4, validated: 4, admitted: 4, finalizations: 2, verdicts: 4 }
const topics = sequencerTopics(codec, { prefix: '', partitions })
const { dataMarket } = rules.markets[0]!
await writeMarket(log, topics, dataMarket)
const sequencer = await startApi()
const browser = await chromium.launch({ executablePath: findTool('chromium'), args: ['--no-sandbox'] })
try {
  print(await measure(browser, sequencer.url))
} finally {
  await browser.close()
  await sequencer.close()
  await log.close()
  rmSync(directory, { recursive: true })
}

function startApi() {
  return startSequencer(
    {
      appId: 'bench',
      instanceId: 'bench',
      version: 'bench',
      roles: ['api'],
      rules,
      anchoring: {},
      chain: { rpcUrls: [], chainId: rules.markets[0]!.chainId, protocolState: rules.markets[0]!.protocolState },
      clock: { depth: 0, pollMs: 1_000 },
      anchor: { signerKey: '', confirmations: 1, pollMs: 1_000 },
      intake: { listen: [], peerKeyFile: '' },
      storage: { kubo: [], cidVersion: 1 },
      api: { viewDirectory: join(directory, 'view'), keepHours: 24, submissionsMax: 10_000_000 },
      ops: { host: '127.0.0.1', port: 0 },
      workers: 0,
      commitIntervalMs: 100,
      standbys: 0,
      onFailure(error) {
        throw error
      },
      warn: console.error,
    },
    { log, topics, stores: sequencerStores(codec), codec },
  )
}

function print(rows: readonly BenchRow[]): void {
  console.log(`\n## console (Chromium ${browser.version()}, load ${loadavg()[0]!.toFixed(1)})\n`)
  console.log('| what | figure | unit | conditions |\n|---|---:|---|---|')
  for (const { name, value, unit, conditions } of rows)
    console.log(`| ${name} | ${value.toLocaleString('en')} | ${unit} | ${conditions} |`)
}

async function measure(chrome: Browser, url: string): Promise<BenchRow[]> {
  const read = await untilRead(url)
  const overviews: Awaited<ReturnType<typeof openOverview>>[] = []
  for (let run = 0; run < RUNS; run++) overviews.push(await openOverview(chrome, url))
  const of = (name: keyof (typeof overviews)[number]) => median(overviews.map((one) => one[name]))
  const cold = `${CONDITIONS}; empty cache, median of ${RUNS}`
  return [
    row('log → view, read from its beginning', read, 's', CONDITIONS),
    row('overview, first contentful paint', of('paint'), 'ms', cold),
    row('overview, until every part has its data', of('complete'), 'ms', cold),
    row('overview, JavaScript heap', of('heap'), 'MB', `${cold}, after a collection`),
    row('overview, elements', of('elements'), 'elements', cold),
    ...(await epochPage(chrome, url)),
  ]
}

async function untilRead(url: string): Promise<number> {
  const started = performance.now()
  for (;;) {
    const answer = await fetch(`${url}/v1/health`)
    if (answer.ok) {
      const { view } = (await answer.json()) as { view: { lag: number; caughtUp: boolean } }
      if (view.caughtUp && view.lag === 0) return (performance.now() - started) / 1_000
    }
    if (performance.now() - started > READ_MS_MAX) throw new Error('the view did not catch up')
    await systemClock.sleep(100)
  }
}

async function openOverview(chrome: Browser, url: string) {
  const { page, close } = await openPage(chrome)
  const started = performance.now()
  await page.goto(url)
  for (const part of ['.verdict-title', '.row', '.plot canvas', '.levels', '.roles'])
    await page.locator(part).first().waitFor()
  const complete = performance.now() - started
  const paint = await page.evaluate<number>('performance.getEntriesByName("first-contentful-paint")[0].startTime')
  const weight = await weigh(page)
  await close()
  return { paint, complete, ...weight }
}

/** The page of an epoch with all its projects and the list of its counted submissions. */
async function epochPage(chrome: Browser, url: string): Promise<BenchRow[]> {
  const { page, close } = await openPage(chrome)
  await page.goto(url)
  await page.locator('.row').first().waitFor()
  const visit = async (epochId: number) => {
    const started = performance.now()
    await page.goto(`${url}/#/epochs/${epochId}?reason=COUNTED`)
    await page.locator('h1', { hasText: `Epoch ${epochId}` }).waitFor()
    for (const part of ['.vtable tbody tr', '.reasons + section tbody tr']) await page.locator(part).first().waitFor()
    return performance.now() - started
  }
  const opened = await visit(EPOCHS - 1)
  const first = await weigh(page)
  const rows = await page.locator('.vtable tbody tr').count()
  await page.locator('.vtable').evaluate((box: { scrollTop: number; scrollHeight: number }) => {
    box.scrollTop = box.scrollHeight
  })
  await page.locator(`.vtable tr[aria-rowindex="${PROJECTS + 1}"]`).waitFor()
  const typed = performance.now()
  await page.locator('.tools input').fill('0001f3')
  await page.locator('.tools [role=status]', { hasText: ' of ' }).waitFor()
  const filtered = performance.now() - typed
  const times: number[] = []
  for (let n = 0; n < VISITS; n++) times.push(await visit(1 + (n % (EPOCHS - 1))))
  const last = await weigh(page)
  await close()
  return [
    row('epoch, until its projects and submissions are there', opened, 'ms', `${CONDITIONS}; first visit`),
    row('epoch, the same', median(times), 'ms', `${CONDITIONS}; median of ${VISITS} visits`),
    row('epoch, rows of the projects in the page', rows, 'rows', `of ${PROJECTS}`),
    row('epoch, elements', first.elements, 'elements', CONDITIONS),
    row('epoch, filter by a project', filtered, 'ms', CONDITIONS),
    row('epoch, JavaScript heap', first.heap, 'MB', `${CONDITIONS}, after a collection`),
    row('the same after more visits', last.heap, 'MB', `${VISITS} more epochs`),
  ]
}

/** A fault of the page ends the benchmark. */
async function openPage(chrome: Browser) {
  const context = await chrome.newContext({ viewport: { width: 1280, height: 900 } })
  const page = await context.newPage()
  const faults: string[] = []
  page.on('console', (message) => void (message.type() === 'error' && faults.push(message.text())))
  page.on('pageerror', (error) => void faults.push(error.stack ?? error.message))
  return {
    page,
    async close() {
      await context.close()
      if (faults.length > 0) throw new Error(`the page had faults:\n${faults.join('\n')}`)
    },
  }
}

async function weigh(page: Page): Promise<{ heap: number; elements: number }> {
  const session = await page.context().newCDPSession(page)
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  const elements = await page.evaluate<number>('document.querySelectorAll("*").length')
  await session.detach()
  return { heap: usedSize / 1e6, elements }
}
