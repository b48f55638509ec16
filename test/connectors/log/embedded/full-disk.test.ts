import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbeddedLog } from '../../../../connectors/log/embedded/embedded.ts'
import type { LevelOperation } from '../../../../connectors/log/embedded/level-operation.ts'
import { LevelStore } from '../../../../connectors/log/embedded/level-store.ts'
import { checkLog, isWhole } from '../../../../connectors/log/embedded/repair.ts'
import { type Clock, LogError } from '../../../../streams/ports.ts'
import { records, values } from '../../../contract/log-kit.ts'

const FULL_MS = 60_000
const WRITES = 6
/** A wait of this time is that between two rounds of maintenance, which do nothing here. */
const MAINTENANCE_MS = 3_600_000

let parent: string
let now: number
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'log-full-'))
  now = 1_700_000_000_000
})
afterEach(() => rm(parent, { recursive: true }))

/** A wait takes no time but moves the clock on. */
const clock: Clock = {
  now: () => now,
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (ms === MAINTENANCE_MS) return signal?.addEventListener('abort', () => resolve(), { once: true })
      now += ms
      setImmediate(resolve)
    }),
}

/** Has no space for a minute, from one of its writes on. */
class FullStore extends LevelStore {
  private writes = 0
  private fullUntil = 0
  private readonly fullAt: number
  private readonly takesTheFirst: boolean

  constructor(directory: string, fullAt: number, takesTheFirst: boolean) {
    super(directory)
    this.fullAt = fullAt
    this.takesTheFirst = takesTheFirst
  }

  override async write(operations: LevelOperation[]): Promise<void> {
    if (++this.writes === this.fullAt) {
      this.fullUntil = now + FULL_MS
      if (this.takesTheFirst) await super.write(operations)
    }
    this.checkSpace()
    await super.write(operations)
  }

  override async reopen(): Promise<void> {
    this.checkSpace()
    await super.reopen()
  }

  private checkSpace(): void {
    if (now < this.fullUntil) throw new LogError('DISK_FULL', 'no space left', { retriable: true })
  }
}

/** The first write is that of opening, then one for the topic. */
const cases = Array.from({ length: WRITES }, (_, at) => [at + 2, false] as const).flatMap(([at]) => [
  [at, 'refused', false] as const,
  [at, 'taken, and not told', true] as const,
])

test.each(cases)(
  'behavior: a disk that is full for a minute from write %i on, which is %s, loses nothing and goes on by itself',
  async (fullAt, _, takesTheFirst) => {
    const directory = join(parent, `${fullAt}-${takesTheFirst}`)
    const log = await openEmbeddedLog({
      directory,
      clock,
      maintenanceIntervalMs: MAINTENANCE_MS,
      createStore: (at) => new FullStore(at, fullAt, takesTheFirst),
    })
    const began = now
    let refusals = 0
    const untilTaken = async (attempt: () => Promise<unknown>): Promise<void> => {
      for (;;)
        try {
          await attempt()
          return
        } catch (error) {
          expect(error).toMatchObject({ code: 'DISK_FULL', retriable: true })
          refusals++
          if ((error as LogError).indefinite && takesTheFirst) return // as a sender that looks whether it is there
          await clock.sleep(1_000)
        }
    }
    await untilTaken(() => log.createTopics([{ name: 'full', partitions: 1, cleanup: 'delete' }]))
    const appender = await log.appender().catch(() => undefined)
    for (let at = 0; at < WRITES; at++)
      await untilTaken(async () => (appender ?? (await log.appender())).append(records('full', 0, `${at}`)))
    expect(refusals).toBeGreaterThan(0)
    expect(now - began).toBeGreaterThanOrEqual(FULL_MS)
    const expected = Array.from({ length: WRITES }, (_, at) => `${at}`)
    expect(await values(log, 'full')).toEqual(expected)
    await log.close()
    expect(isWhole(await checkLog(directory))).toBe(true)
    const again = await openEmbeddedLog({ directory })
    expect(await values(again, 'full')).toEqual(expected)
    await again.close()
  },
)
