/** `npm run damage`: so many random damages of a log of 50 epochs (1,000 by default), from a seed (1 by default). */
import { damageOnce, type Fate, writeSoundLog } from './random-damage.ts'

const [count = 1_000, firstSeed = 1] = process.argv.slice(2).map(Number)
const log = await writeSoundLog()
const fates: Record<Fate, number> = { refused: 0, reported: 0, harmless: 0, silent: 0 }
try {
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const { damage, fate } = await damageOnce(log, seed)
    fates[fate]++
    if (fate === 'silent' || process.env.DAMAGE_VERBOSE) process.stdout.write(`seed ${seed}: ${damage}: ${fate}\n`)
  }
} finally {
  log.remove()
}
process.stdout.write(`${JSON.stringify({ damages: count, ...fates })}\n`)
process.exitCode = fates.silent > 0 ? 1 : 0
