/** The page of days in a real Chromium, with 10,000 slots in a day. */
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { registerConsole } from '../../../../ops/api/console/serve.ts'
import type { SlotDay } from '../../../../schemas/types.ts'
import { partitionFor } from '../../../../streams/partitioner.ts'
import { createFixture, type Fixture, MARKET } from '../../look/fixture.ts'
import { createDays, QUOTA, votes } from '../days-story.ts'
import { type RunningApi, startApi } from '../story.ts'
import { accessibilityFaults, overflowOf } from './browser.ts'
import { useConsole } from './use-console.ts'

const SLOTS = 10_000
const SETUP_MS_MAX = 600_000
/** Of a machine on which other tests run too; by itself it takes a tenth. */
const SHOWN_MS_MAX = 10_000

let api: RunningApi
let url: string
const open = useConsole(() => url)

beforeAll(async () => {
  const fixture = await createFixture()
  const days = createDays(fixture)
  await days.epoch(1, 1, { 1: votes(4), 2: votes(5, 4), 3: votes(1) })
  await days.open(2, 2)
  await days.close(2, 2, { 1: votes(1) }, 1)
  await days.pay(1, 2, 0, { eligibleNodes: 2, quota: QUOTA })
  await days.pay(1, 2, 1, { paymentState: 'SENT' })
  await writeSlots(fixture)
  api = await startApi(fixture, { beside: (server) => registerConsole(server) })
  await api.server.listen({ port: 0, host: '127.0.0.1' })
  url = `http://127.0.0.1:${(api.server.server.address() as AddressInfo).port}`
  await api.caughtUp()
}, SETUP_MS_MAX)
afterAll(async () => {
  await api?.close()
})

/** Slot n has n % 7 of a quota of 4, in day 2. */
async function writeSlots({ log, topics }: Fixture): Promise<void> {
  const appender = await log.appender()
  const { name: topic, key, value, partitions } = topics.slotDays
  const records = Array.from({ length: SLOTS }, (_, i) => {
    const bytes = key.encode({ dataMarket: MARKET, slotId: i + 1, day: 2 })
    const row: SlotDay = { accepted: 7, counted: (i + 1) % 7, lastEpoch: 2, inPayout: 0 }
    return { topic, partition: partitionFor(bytes, partitions), timestamp: 0, key: bytes, value: value.encode(row) }
  })
  for (let from = 0; from < SLOTS; from += 1_000) await appender.append(records.slice(from, from + 1_000))
}

describe('the page of days', () => {
  it('default: today, with every slot in its histogram', async () => {
    const { page, faults, visit } = await open()
    const begun = performance.now()
    await visit('/days')
    const rows = page.locator('.histogram tbody tr')
    await rows.first().waitFor()
    expect(performance.now() - begun).toBeLessThan(SHOWN_MS_MAX)
    const slots = (await rows.locator('td.num').allInnerTexts()).map((text) => Number(text.replaceAll(',', '')))
    expect(slots.reduce((sum, n) => sum + n, 0)).toBe(SLOTS)
    const atQuota = rows.filter({ hasText: 'quota' }).locator('td.num')
    expect(await atQuota.innerText()).toBe('1,429') // those whose number leaves 4
    await page.locator('.day-progress', { hasText: '1 of about 1 epochs have closed' }).waitFor()
    expect(faults).toEqual([])
  })

  it('default: a day that is being closed, and the calls that do it', async () => {
    const { page, faults, visit } = await open()
    await visit('/days/1')
    await page.locator('.card', { hasText: 'Day 1' }).locator('.tag', { hasText: 'Closing' }).waitFor()
    const calls = page.locator('.calls tbody tr')
    await calls.first().waitFor()
    expect(await calls.locator('.tag').allInnerTexts()).toEqual(['Sent', 'Final'])
    await page.locator('label', { hasText: 'In its course' }).locator('input').check()
    await page.locator('.empty', { hasText: 'Nothing was told in its course' }).waitFor()
    expect(faults).toEqual([])
  })

  it('default: the last days of a slot, by its number', async () => {
    const { page, faults, visit } = await open()
    await visit('/days')
    await page.locator('.tools input').fill('1')
    await page.keyboard.press('Enter')
    const rows = page.locator('.slot-days tbody tr')
    await rows.nth(1).waitFor()
    expect(await rows.locator('.tag').allInnerTexts()).toEqual(['Under way', 'Paid'])
    expect(page.url()).toContain('slot=1')
    expect(faults).toEqual([])
  })

  it('behavior: it can be read and used by everybody, and on a phone', async () => {
    const { page, visit } = await open({ viewport: { width: 360, height: 740 } })
    for (const path of ['/days', '/days/1?slot=1']) {
      await visit(path)
      await page.locator('.histogram').waitFor()
      expect(await accessibilityFaults(page), path).toEqual([])
      expect(await overflowOf(page), path).toBe(0)
    }
  })
})
