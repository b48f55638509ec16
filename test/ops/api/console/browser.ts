/** A real Chromium on the console, that notes everything it may not do. */
import axe from 'axe-core'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { findTool } from '../../../../ops/world/brokers/tools.ts'
import { installMissing } from '../../../real/debian.ts'

const ACTION_MS_MAX = 15_000

/** Debian's browser; as root it cannot have a sandbox. */
export async function startBrowser(): Promise<Browser> {
  installMissing(['chromium'])
  return chromium.launch({
    executablePath: findTool('chromium'),
    args: ['--no-sandbox', '--enable-precise-memory-info'],
  })
}

export interface OpenedConsole {
  readonly page: Page
  /** Errors of the page and its console, and requests to other servers. */
  readonly faults: string[]
  /** To the page at an address such as `/epochs/3`, loaded anew. */
  visit(path: string): Promise<void>
  close(): Promise<void>
}

export async function openConsole(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<OpenedConsole> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  context.setDefaultTimeout(ACTION_MS_MAX)
  const page = await context.newPage()
  const faults: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text())
  })
  page.on('pageerror', (error) => faults.push(error.stack ?? error.message))
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) faults.push(`asked ${request.url()}`)
  })
  return {
    page,
    faults,
    async visit(path) {
      await page.goto('about:blank')
      await page.goto(`${url}/#${path}`)
      await page.locator('h1').waitFor({ state: 'attached' })
    },
    close: () => context.close(),
  }
}

/** Every rule of axe for WCAG 2.1 A and AA, and its best practices. Resolves with what breaks them, in words. */
export async function accessibilityFaults(page: Page): Promise<readonly string[]> {
  // The policy of the page forbids scripts in it; what the debugger evaluates is not held to that.
  await page.evaluate(axe.source)
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(options: object): Promise<AxeResults> } }
    const { violations } = await axe.run({ resultTypes: ['violations'] })
    return violations.map(({ id, nodes }) => ({
      id,
      nodes: nodes.map(({ html, failureSummary }) => ({ html, failureSummary })),
    }))
  })
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary ?? ''}`),
  )
}

interface AxeResults {
  readonly violations: readonly {
    readonly id: string
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
  }[]
}

/** How far the page is wider than the window, px. */
export const overflowOf = (page: Page): Promise<number> =>
  page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
