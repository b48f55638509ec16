/** What the process with the query API sees of stages that run elsewhere. */
import { expect, test } from 'vitest'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { ROLES } from '../../../../ops/base/roles.ts'
import { consumerLag } from '../../../../ops/watch/metrics/consumer-lag.ts'
import { createMetrics } from '../../../../ops/watch/metrics/create.ts'
import { createStageWatch } from '../../../../ops/watch/stage-watch.ts'
import { createCodec } from '../../../../schemas/codec.ts'
import { memoryRegistry } from '../../../../schemas/registry.ts'
import { HeldBack } from '../../../../streams/held-back.ts'
import type { Log } from '../../../../streams/ports.ts'
import { sequencerTopics } from '../../../../topology/topics.ts'
import { withDamage } from '../../../damaged-log.ts'

const partitions = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }

test('behavior: a stage that stands before a damaged batch is seen to, until it is past it; the log of the roles is not touched', async () => {
  const topics = sequencerTopics(await createCodec(memoryRegistry()), { prefix: '', partitions })
  const log = createMemoryLog()
  await log.createTopics(Object.values(topics))
  const { name: topic } = topics.validated
  const record = { topic, partition: 0, timestamp: 1, key: null, value: Buffer.from('x') }
  await (await log.appender()).append([record, record, record])
  const commit = async (next: number) => {
    const writer = await log.transactionalWriter('admit')
    const commits = [{ topic, partition: 0, next, metadata: '' }]
    await writer.commit({ records: [], offsets: { group: 'app-admit', commits } })
    await writer.close()
  }
  await commit(1)
  let fetches = 0
  const fetch: Log['fetch'] = (...asked) => {
    fetches++
    return log.fetch(...asked)
  }
  const clock = { now: () => 0, sleep: () => new Promise<void>((resolve) => setImmediate(resolve)) }
  const watch = createStageWatch(clock.now)
  const lag = consumerLag(createMetrics({ version: '1', roles: ROLES, markets: [] }), {
    ...{ appId: 'app', topics, all: Object.values(topics), clock, watch, held: new HeldBack(clock) },
    log: Object.assign(Object.create(log) as Log, { fetch }),
    bareLog: withDamage(log, topic, 1),
  })
  await expect.poll(() => watch.report().admit?.waitsAt).toBe('validated/0, offset 1: the batch is damaged')
  expect(watch.report()).toMatchObject({ validate: { waitsAt: null }, settle: { waitsAt: null } })
  await commit(2)
  await expect.poll(() => watch.report().admit).toMatchObject({ behind: 1, waitsAt: null })
  await lag.close()
  expect(fetches).toBe(0)
})
