import { afterAll, beforeAll, expect, test } from 'vitest'
import { damageOnce, type SoundLog, writeSoundLog } from './random-damage.ts'

/** `npm run damage` does a thousand. */
const DAMAGES = 25
const BUILD_MS_MAX = 300_000

let log: SoundLog
beforeAll(async () => {
  log = await writeSoundLog()
}, BUILD_MS_MAX)
afterAll(() => log?.remove())

test(`behavior: of ${DAMAGES} random damages of a log of 50 epochs each is refused, told, or hit nothing`, {
  timeout: BUILD_MS_MAX,
}, async () => {
  const fates = new Set<string>()
  for (let seed = 1; seed <= DAMAGES; seed++) {
    const { damage, fate } = await damageOnce(log, seed)
    expect(fate, `seed ${seed}: ${damage}`).not.toBe('silent')
    fates.add(fate)
  }
  expect([...fates].sort()).toEqual(['harmless', 'refused'])
})
