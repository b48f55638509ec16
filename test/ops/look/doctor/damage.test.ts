/** The finding about the topics that the clock and the tables are read from. */
import { expect, test } from 'vitest'
import { watchedLog } from '../../../../ops/ground/watched-log.ts'
import { examineTables } from '../../../../ops/look/doctor/damage.ts'
import { createFixture } from '../fixture.ts'

test('behavior: records of somebody else are counted, and the first is named', async () => {
  const { log, topics } = await createFixture()
  const clean = await examineTables(watchedLog(log), topics, 'app')
  expect(clean).toEqual({
    check: 'tables',
    ok: true,
    detail: 'nothing is damaged of what the clock and the tables are read from',
  })
  const appender = await log.appender()
  const garbage = { partition: 0, timestamp: 1, key: Buffer.from('k'), value: Buffer.from('garbage') }
  for (const { name: topic } of [topics.epochTicks, topics.slots, topics.slots])
    await appender.append([{ topic, ...garbage }])
  const found = await examineTables(watchedLog(log), topics, 'app')
  expect(found).toMatchObject({ ok: true, advice: expect.stringContaining('rights') })
  expect(found.detail).toContain(`3 records there are of somebody else, the first at ${topics.slots.name}/0 offset 0`)
})
