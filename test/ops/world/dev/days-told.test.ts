import { afterEach, expect, test, vi } from 'vitest'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { type DayWatch, watchDays } from '../../../../ops/world/dev/days.ts'
import { createDays, QUOTA, votes } from '../../api/days-story.ts'
import { createFixture } from '../../look/fixture.ts'

let watch: DayWatch | undefined
afterEach(async () => await watch?.close())

test.each([
  [
    'somebody else has fixed a number that is too large',
    { eligibleNodes: 1_000_000, numberFound: true },
    '2 of 3 slots paid',
  ],
  [
    'fewer are paid than it says',
    { leftOut: [{ slotId: 1, counted: 4, onChain: 4, reason: 'QUOTA_RAISED' }] },
    '1 of 3',
  ],
] as const)(
  'behavior: the slots that are paid are told, and not the number of eligible nodes: %s',
  async (_, fields, text) => {
    const { log, topics, put } = await createFixture()
    const days = createDays({ log, topics, put } as never)
    const said: string[] = []
    const screen = { say: (line: string) => void said.push(line) }
    watch = watchDays({ topics, dayEpochs: 1, screen }, { log, clock: systemClock, tell: () => {} })
    let epoch = 0
    await days.epoch(++epoch, 1, { 1: votes(4), 2: votes(5), 3: votes(1) })
    // nobody tells when the topics are caught up with: what was there before is not told of, so days go by until one is
    await vi.waitFor(
      async () => {
        await days.epoch(++epoch, epoch, { 1: votes(4), 2: votes(5), 3: votes(1) }, epoch - 1)
        const paid = { eligibleNodes: 2, quota: QUOTA, ...fields }
        for (const number of [0, 1])
          for (const paymentState of ['SENT', 'FINAL'] as const)
            await days.pay(epoch - 1, epoch, number, {
              ...paid,
              paymentState,
              leftOut: number === 0 && 'leftOut' in fields ? fields.leftOut : [],
            })
        expect(said.join()).toContain(`: closed on the chain, ${text}`)
      },
      { timeout: 10_000, interval: 20 },
    )
    expect(said.join()).not.toContain('1000000')
  },
)
