import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { createMetrics } from '../../../ops/watch/metrics/create.ts'
import { watchEventLoop } from '../../../ops/watch/watchdog.ts'

test.each([
  [true, 'groups throw a member out after 30 s'],
  [false, 'nothing went on meanwhile'],
])(
  'behavior: a blocked event loop is told of and counted, a free one is not; on a cluster: %s',
  async (onCluster, words) => {
    const metrics = createMetrics({ version: 'test', roles: [], markets: [] })
    const warnings: string[] = []
    const blocks = async () => (await metrics.loopBlocks.get()).values[0]?.value ?? 0
    const watchdog = watchEventLoop(metrics, (text) => warnings.push(text), onCluster)
    try {
      await sleep(20)
      expect(await blocks()).toBe(0)
      const until = performance.now() + 1_700
      while (performance.now() < until);
      await vi.waitFor(async () => expect(await blocks()).toBe(1), { timeout: 5_000 })
      expect(warnings[0]).toMatch(new RegExp(`blocked for 1\\.\\d s; ${words}$`))
    } finally {
      await watchdog.close()
    }
  },
)
