import type { Browser, BrowserContextOptions } from 'playwright-core'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { type OpenedConsole, openConsole, startBrowser } from './browser.ts'

/** Where the browser has to be installed first. */
const START_MS_MAX = 600_000

/** For the tests of a file: opens the console in one browser, and closes after each test what the test has opened. */
export function useConsole(url: () => string): (options?: BrowserContextOptions) => Promise<OpenedConsole> {
  let browser: Browser
  let shown: OpenedConsole | undefined
  beforeAll(async () => {
    browser = await startBrowser()
  }, START_MS_MAX)
  afterAll(async () => {
    await browser?.close()
  })
  afterEach(async () => {
    await shown?.close()
    shown = undefined
  })
  return async (options) => {
    shown = await openConsole(browser, url(), options)
    return shown
  }
}
