/**
 * The short campaign: everything around the sequencer fails for a minute or two, on three real brokers. `npm run campaign`
 * is the long one. CAMPAIGN_SEED repeats what fails in which order.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runCampaign } from './campaign.ts'
import { isSound, renderReport } from './report.ts'

const KILLS = 10
const SLOTS = 20
const SEED = Number(process.env.CAMPAIGN_SEED ?? Date.now() % 1_000_000)

test(`behavior: ${KILLS} kills and other faults lose, double and skip nothing (CAMPAIGN_SEED=${SEED})`, {
  timeout: 15 * 60_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sequencer-campaign-'))
  const log = (line: string) => console.log(`[campaign] ${line}`)
  log(`CAMPAIGN_SEED=${SEED}, everything is in ${directory}`)
  const report = await runCampaign({ kills: KILLS, brokers: 3, seed: SEED, slots: SLOTS, directory, log })
  console.log(renderReport(report))
  expect(isSound(report), renderReport(report)).toBe(true)
  rmSync(directory, { recursive: true })
})
