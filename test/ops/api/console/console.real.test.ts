/** The console in a real Chromium, on a `dev` that runs: what an operator and a snapshotter see of it. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PeersAnswer } from '../../../../ops/api/peers-schema.ts'
import { createProofVerifier } from '../../../../ops/check/proof/verify.ts'
import { accessibilityFaults, type OpenedConsole, overflowOf } from './browser.ts'
import { useConsole } from './use-console.ts'
import { anchoredEpoch, type DevWorld, startDevWorld, submissionWith, until } from './world.ts'

const BYTES_MAX = 100_000
const LIVE_MS_MAX = 120_000
const SETUP_MS_MAX = 900_000

let world: DevWorld
const open = useConsole(() => world.url)

beforeAll(async () => {
  world = await startDevWorld()
}, SETUP_MS_MAX)
afterAll(async () => {
  await world?.close()
})

/** An address of every page, with something on it. */
async function everyPage(): Promise<Readonly<Record<string, string>>> {
  const { epochId } = await anchoredEpoch(world)
  const wrong = await submissionWith(world, 'BAD_SIGNATURE')
  const counted = await submissionWith(world, 'COUNTED')
  return {
    overview: '/',
    epochs: '/epochs',
    epoch: `/epochs/${epochId}?reason=COUNTED&project=${encodeURIComponent(counted.projectId)}`,
    slots: '/slots',
    refused: `/slots/${wrong.slotId}?epoch=${wrong.epochId}`,
    counted: `/slots/${counted.slotId}?epoch=${counted.epochId}`,
    submission: `/submissions/${counted.submissionId}`,
    batch: `/batches/${counted.batch!.cid}`,
    transactions: '/transactions',
    cluster: '/cluster',
    days: '/days',
  }
}

describe('the console', () => {
  it('default: the market is healthy, and an epoch goes from its release to the chain before one’s eyes', async () => {
    const { page, faults, visit } = await open()
    await anchoredEpoch(world)
    await visit('/')
    await page.locator('.verdict-title', { hasText: 'Healthy' }).waitFor()
    await page.locator('.connection.live').waitFor()
    const fresh = page.locator('.row', { has: page.locator('.tag', { hasText: 'Window open' }) }).first()
    const id = await fresh.locator('.row-name a').innerText()
    const same = page.locator('.row', { has: page.locator('.row-name a', { hasText: new RegExp(`^${id}$`) }) })
    await same.locator('.tag', { hasText: /^(Anchored|Attested)$/ }).waitFor({ timeout: LIVE_MS_MAX })
    expect(await same.locator('.track li.done').count()).toBe(5)
    expect(await page.locator('.roles .tag.good').count()).toBe(12)
    expect(await page.locator('.plot canvas').count()).toBe(1)
    expect(faults).toEqual([])
  })

  it('default: every page opens at its address, without an error and without asking another server', async () => {
    const { page, faults, visit } = await open()
    for (const [name, path] of Object.entries(await everyPage())) {
      await visit(path)
      await page.locator('.card').first().waitFor()
      await answered(page)
      expect(await page.locator('.empty', { hasText: /refused|Not found/ }).count(), name).toBe(0)
    }
    expect(faults).toEqual([])
  })

  it('behavior: what cannot be seen, or reorders what stands beside it, is shown by its escapes', async () => {
    const { page, visit } = await open()
    await visit(`/submissions/${encodeURIComponent('a\u202egnp.exe\u2066\u200b\u009b31m')}`)
    await page.locator('.lead', { hasText: 'a\\u{202e}gnp.exe\\u{2066}\\u{200b}\\u{9b}31m' }).waitFor()
  })

  it('default: the overview says who sends most, and reads well when nobody does', async () => {
    const { page, faults, visit } = await open()
    const reported = await until('a report of the intake', async () => {
      const answer = await world.get<PeersAnswer>('/v1/peers')
      return answer.items.length > 0 ? answer : undefined
    })
    await visit('/')
    const rows = page.locator('.peers tbody tr')
    await rows.first().waitFor()
    const { peerId } = reported.items[0]!
    const [messages, , , votes] = await rows
      .filter({ has: page.locator(`[title="${peerId}"]`) })
      .locator('.num')
      .allInnerTexts()
    for (const shownCount of [messages, votes]) expect(Number(shownCount!.replaceAll(',', ''))).toBeGreaterThan(0)
    const peer = { ...reported.items[0]!, peerId: 'a\u202eb\u009b31m', bannedUntil: 0 }
    const answers: PeersAnswer[] = [
      { ...reported, items: [peer] },
      { ...reported, items: [] },
      { intakes: 0, connections: 0, items: [], next: null },
    ]
    await page.route('**/v1/peers', (route) => route.fulfill({ json: answers.shift() }))
    for (const words of ['a\\u{202e}b\\u{9b}31m', 'Nobody has sent anything recently', 'No intake has reported']) {
      await visit('/')
      await page.locator('.card', { hasText: 'Top talkers' }).filter({ hasText: words }).waitFor()
    }
    expect(faults).toEqual([])
  })

  it('default: a slot sees why it was not counted: verdict, rule, both values, what to do', async () => {
    const { slotId, epochId, verdict } = await submissionWith(world, 'BAD_SIGNATURE')
    const { page, faults, visit } = await open()
    await visit('/')
    await page.keyboard.press('/')
    await page.keyboard.type(`${slotId}/${epochId}`)
    await page.keyboard.press('Enter')
    // Its signer is not the owner of the slot, so it stands apart from the submissions of the slot.
    await page.locator('label', { hasText: 'not signed by the owner' }).locator('input').check()
    const card = page.locator('.submission', { hasText: 'BAD_SIGNATURE' }).first()
    await card.waitFor()
    const text = await card.innerText()
    for (const words of [
      `Not counted in epoch ${epochId}`,
      verdict!.rule,
      verdict!.expected,
      verdict!.actual,
      verdict!.help,
    ])
      expect(text).toContain(words)
    expect(faults).toEqual([])
  })

  it('default: a counted submission has a proof to download, which holds offline', async () => {
    const { slotId, epochId, projectId } = await submissionWith(world, 'COUNTED')
    const { page, faults, visit } = await open()
    await visit(`/slots/${slotId}?epoch=${epochId}`)
    const card = page.locator('.submission', { hasText: projectId }).filter({ hasText: 'COUNTED' })
    const proof = await downloadOf(page, card.locator('a[download]').first())
    const { proof: shownBy } = (await createProofVerifier())(proof)
    expect(shownBy).toMatchObject({ slotId, epochId, projectId })
    expect(faults).toEqual([])
  })

  it('default: a batch is found from a counted submission, with its exact bytes to download', async () => {
    const { slotId, epochId, projectId, batch } = await submissionWith(world, 'COUNTED')
    const { page, faults, visit } = await open()
    await visit(`/slots/${slotId}?epoch=${epochId}`)
    await page.locator('.submission', { hasText: projectId }).locator('a', { hasText: 'Batch' }).first().click()
    await page.locator('h1', { hasText: 'Batch' }).waitFor()
    const bytes = await downloadOf(page, page.locator('a[download]', { hasText: 'Download the content' }))
    const stored = await fetch(`${world.url}/v1/batches/${batch!.cid}/content`)
    expect(bytes.equals(Buffer.from(await stored.arrayBuffer()))).toBe(true)
    expect(faults).toEqual([])
  })

  it('behavior: with several markets one chooses, and a link keeps the choice', async () => {
    const { page, visit } = await open()
    await visit('/epochs')
    const choice = page.locator('.market select')
    await choice.selectOption(world.markets[1]!)
    await page.waitForURL((url) => url.hash.includes(`market=${world.markets[1]}`))
    await page.locator('nav a', { hasText: 'Overview' }).click()
    await visit(new URL(page.url()).hash.slice(1))
    expect(await choice.inputValue()).toBe(world.markets[1])
  })

  it('behavior: it is reached with the keyboard alone, and one sees where one is', async () => {
    const { page, visit } = await open()
    await visit('/epochs')
    await page.locator('tbody tr').first().waitFor()
    const walked: string[] = []
    for (let i = 0; i < 14; i++) {
      await page.keyboard.press('Tab')
      const { name, visible } = await page.evaluate<{ name: string; visible: boolean }>(FOCUSED)
      expect(visible, `one sees that ${name} has the focus`).toBe(true)
      walked.push(name)
    }
    expect(walked.slice(0, 8)).toEqual([
      'Skip to the content',
      'Sequencer, overview',
      'Overview',
      'Epochs',
      'Slots',
      'Days',
      'Transactions',
      'Cluster',
    ])
    expect(walked[8]).toContain('Look up a slot')
    const { name } = await page.evaluate<{ name: string }>(FOCUSED)
    await page.keyboard.press('Enter')
    await page.locator('h1', { hasText: `Epoch ${name}` }).waitFor()
    await expect.poll(() => page.evaluate('document.activeElement.textContent')).toBe(`Epoch ${name}`)
    await page.keyboard.press('/')
    await page.keyboard.type('nonsense')
    await page.keyboard.press('Enter')
    await page.locator('.quick [role=alert]').waitFor()
  })

  it.each([320, 390])('behavior: nothing is wider than a phone of %i px', async (width) => {
    const { page, visit } = await open({ viewport: { width, height: 700 }, hasTouch: true, isMobile: true })
    for (const [name, path] of Object.entries(await everyPage())) {
      await visit(path)
      await answered(page)
      expect(await overflowOf(page), name).toBe(0)
    }
  })

  it.each(['light', 'dark'] as const)('behavior: axe finds nothing on any page in the %s', async (colorScheme) => {
    const { page, visit } = await open({ colorScheme, reducedMotion: 'reduce' })
    const found: Record<string, readonly string[]> = {}
    for (const [name, path] of Object.entries(await everyPage())) {
      await visit(path)
      await answered(page)
      const faults = await accessibilityFaults(page)
      if (faults.length > 0) found[name] = faults
    }
    expect(found).toEqual({})
  })

  it('behavior: the choice of colours stands after a reload, and motion is only for who wants it', async () => {
    const { page, visit } = await open({ colorScheme: 'light', reducedMotion: 'reduce' })
    await visit('/')
    const paper = () => page.evaluate<string>('getComputedStyle(document.body.parentElement).backgroundColor')
    const light = await paper()
    await page.locator('.top .icon').click()
    await page.locator('.top .icon').click()
    const dark = await paper()
    expect(dark).not.toBe(light)
    await visit('/')
    expect(await paper()).toBe(dark)
    await page.locator('.connection.live').waitFor()
    expect(await page.evaluate('document.getAnimations().length')).toBe(0)
  })

  it(`default: the page and its assets are below ${BYTES_MAX} bytes together`, async () => {
    const { page } = await open()
    const sizes: Promise<number>[] = []
    page.on('response', (response) => {
      const { pathname } = new URL(response.url())
      if (pathname === '/' || pathname.startsWith('/assets/'))
        sizes.push(
          response
            .request()
            .sizes()
            .then(({ responseBodySize }) => responseBodySize),
        )
    })
    await page.goto(world.url)
    await page.locator('h1').waitFor({ state: 'attached' })
    const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
    expect(bytes).toBeGreaterThan(10_000)
    expect(bytes).toBeLessThan(BYTES_MAX)
  })

  it('behavior: without the stream of events the pages are asked for again and again', async () => {
    const { page, visit } = await open()
    await page.route('**/v1/events', (route) => route.abort())
    await visit('/')
    await page.locator('.connection.polling').waitFor()
    const before = await newestEpoch(page)
    await until('a newer epoch', async () => (await newestEpoch(page)) > before)
  })

  it('behavior: an outage is said with the time of the last answer, and ends by itself', async () => {
    const { page, visit } = await open()
    await visit('/')
    await page.locator('.connection.live').waitFor()
    const before = await newestEpoch(page)
    await world.kill()
    const banner = page.locator('.banner')
    await banner.waitFor({ timeout: LIVE_MS_MAX })
    expect(await banner.innerText()).toMatch(/does not answer.*\d\d:\d\d:\d\d/s)
    expect(await page.locator('.row').count()).toBeGreaterThan(0)
    await world.restart()
    await banner.waitFor({ state: 'detached', timeout: LIVE_MS_MAX })
    await page.locator('.connection.live').waitFor({ timeout: LIVE_MS_MAX })
    await until('a newer epoch', async () => (await newestEpoch(page)) > before)
  })
})

type Page = OpenedConsole['page']

/** Every question of the page has its answer. */
const answered = (page: Page): Promise<boolean> =>
  until('all answers', async () => (await page.locator('.loading').count()) === 0)

const newestEpoch = async (page: Page): Promise<number> => Number(await page.locator('.row-name a').first().innerText())

/** Name of what has the focus, and whether it is drawn so that one sees it. */
const FOCUSED = `(() => {
  const element = document.activeElement
  const { outlineStyle, outlineWidth } = getComputedStyle(element)
  const name = element.getAttribute('aria-label') ?? element.textContent.trim()
  return { name, visible: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1 }
})()`

async function downloadOf(page: Page, link: ReturnType<Page['locator']>): Promise<Buffer> {
  const [download] = await Promise.all([page.waitForEvent('download'), link.click()])
  return readFileSync(await download.path())
}
