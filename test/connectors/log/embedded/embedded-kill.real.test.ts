import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbeddedLog } from '../../../../connectors/log/embedded/embedded.ts'
import { SeededRandom } from '../../../../connectors/log/simulated/seeded-random.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import type { Log } from '../../../../streams/ports.ts'
import { readAll, text } from '../../../contract/log-kit.ts'
import { Child } from './child.ts'

const KILLS = 12
const LIFE_MS_MAX = 700

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'log-kill-'))
})
afterEach(() => rm(directory, { recursive: true }))

test(`behavior: after each of ${KILLS} kills everything acknowledged is there, once, and transactions are whole`, async () => {
  const seed = Date.now() % 1_000_000
  console.log(`seed ${seed}`)
  const random = new SeededRandom(seed)
  const acknowledged = new Acknowledged()
  for (let round = 0; round < KILLS; round++) {
    const child = new Child('./kill-writer.ts', directory, `${round}`)
    await child.until((line) => line.startsWith('committed'))
    await systemClock.sleep(random.next() * LIFE_MS_MAX)
    await child.kill()
    acknowledged.add(child.lines)
    const log = await openEmbeddedLog({ directory, mustExist: true })
    await acknowledged.check(log)
    await log.close()
  }
  expect(acknowledged.offsets.size).toBeGreaterThan(KILLS * 20)
})

class Acknowledged {
  /** `partition/offset` → value. */
  readonly offsets = new Map<string, string>()
  private committed = 0
  private table = ''

  add(lines: readonly string[]): void {
    for (const line of lines) {
      const [what, ...rest] = line.split(' ')
      if (what === 'appended' && rest.length === 3) this.offsets.set(`${rest[0]}/${rest[1]}`, rest[2]!)
      if (what === 'committed') this.committed = Number(rest[0])
      if (what === 'table') this.table = rest[0]!
    }
  }

  async check(log: Log): Promise<void> {
    const found = new Map<string, string>()
    for (const partition of [0, 1]) {
      const at = { topic: 'appended', partition }
      for (const { offset, value } of await readAll(log, at)) found.set(`${partition}/${offset}`, text(value)!)
    }
    for (const [place, value] of this.offsets) expect(found.get(place), place).toBe(value)
    expect(new Set(found.values()).size, 'nothing is there twice').toBe(found.size)
    await this.checkTransactions(log)
    await this.checkTable(log)
  }

  private async checkTransactions(log: Log): Promise<void> {
    const sides = await Promise.all([0, 1].map((partition) => readAll(log, { topic: 'committed', partition })))
    const [left, right] = sides.map((records) => records.map(({ value }) => Number(text(value))))
    expect(left).toEqual(Array.from({ length: left!.length }, (_, at) => at + 1))
    expect(right).toEqual(left)
    expect(left!.length).toBeGreaterThanOrEqual(this.committed)
    const [offset] = await log.committedOffsets('killed', [{ topic: 'committed', partition: 0 }])
    expect(offset).toEqual({ next: left!.length, metadata: `${left!.length}` })
  }

  /** Every key has its newest value; an update writes all keys at once, so they agree. */
  private async checkTable(log: Log): Promise<void> {
    const rows = new Map<string, string>()
    for (const { key, value } of await readAll(log, { topic: 'table', partition: 0 }))
      rows.set(text(key)!, text(value)!)
    expect(rows.size).toBe(50)
    const [newest, ...others] = new Set(rows.values())
    expect(others).toEqual([])
    const order = (update: string) => update.split('.').map(Number) as [number, number]
    const [round, number] = order(newest!)
    const [ackRound, ackNumber] = order(this.table)
    expect(round > ackRound || (round === ackRound && number >= ackNumber), `${newest} after ${this.table}`).toBe(true)
  }
}
