import { describe, expect, it } from 'vitest'
import { StoreError } from '../../../../connectors/ipfs/batch-store.ts'
import { keeperOf } from '../../../../connectors/ipfs/store.ts'
import { createHealth } from '../../../../ops/base/health.ts'
import { requiredOf } from '../../../../ops/run/storage/keepers.ts'
import { watchStorage } from '../../../../ops/run/storage/watch.ts'
import { createLog } from '../../../../ops/watch/logging/log.ts'
import { createMetrics } from '../../../../ops/watch/metrics/create.ts'
import { memoryStore } from '../../../connectors/ipfs/memory-store.ts'

const REFUSED = new StoreError('REFUSED', 'b answers 403: Forbidden')

function watched(required: number) {
  let now = 1_000
  const lines: { event: string }[] = []
  const health = createHealth(['anchor-effects'], () => now)
  const metrics = createMetrics({ version: '1', roles: ['anchor-effects'], markets: [] })
  const log = { ...createLog({ level: 'silent', fields: {}, secrets: [] }) }
  const write = (fields: object) => void lines.push(fields as { event: string })
  const ports = { metrics, health, log: { ...log, info: write, warn: write, error: write }, now: () => now }
  const watch = watchStorage(
    ['a', 'b'].map((name) => keeperOf(memoryStore(name))),
    required,
    ports,
  )
  const fail = (store: string, error = REFUSED) => watch.observer.changed?.(store, { since: 1_000, error })
  return {
    ...watch,
    fail,
    works: (store: string) => watch.observer.changed?.(store, undefined),
    said: () => health.report().roles.storage,
    text: () => metrics.text(),
    events: () => lines.map(({ event }) => event),
    pass: (ms: number) => {
      now += ms
    },
  }
}

describe('watchStorage', () => {
  it('default: one of two fails and one is enough: ready, and says so', async () => {
    const { owning, fail, works, said, text } = watched(1)
    owning(true)
    expect(said()).toMatchObject({ ready: true, detail: '' })
    fail('b')
    const detail = 'b fails since 1970-01-01T00:00:01.000Z: b answers 403: Forbidden; the others take the batches'
    expect(said()).toMatchObject({ ready: true, works: true, detail })
    expect(await text()).toMatch(/seq_stores_spare(\{\})? 0/)
    expect(await text()).toContain('seq_store_working{provider="b"} 0')
    works('b')
    expect(said()).toMatchObject({ ready: true, detail: '' })
    expect(await text()).toMatch(/seq_stores_spare(\{\})? 1/)
  })

  it('behavior: too few are not ready; one that stands by says nothing', async () => {
    const { owning, fail, said, text } = watched(2)
    fail('b')
    expect(said()).toBeUndefined()
    owning(true)
    expect(said()).toMatchObject({ ready: false, detail: expect.stringContaining('batches wait: 2 must hold each') })
    expect(await text()).toMatch(/seq_stores_spare(\{\})? -1/)
    owning(false)
    expect(said()).toMatchObject({ ready: true, works: false })
    expect(await text()).not.toMatch(/^seq_stores_spare/m)
  })

  it('behavior: attempts that failed are counted as retries of STORE', async () => {
    const { observer, text } = watched(1)
    observer.retried?.('b', REFUSED, 250)
    observer.tried?.('b', REFUSED, 5)
    observer.tried?.('b', new StoreError('CID_MISMATCH', 'other'), 5)
    observer.tried?.('b', new StoreError('PENDING', 'queued'), 5)
    expect(await text()).toContain('seq_anchor_retries_total{step="STORE"} 1')
    expect(await text()).toContain('seq_ipfs_puts_total{provider="b",outcome="failed"} 1')
    expect(await text()).toContain('seq_ipfs_puts_total{provider="b",outcome="mismatch"} 1')
  })

  it('behavior: of a store that comes and goes not every turn is a line', () => {
    const { fail, works, events, pass } = watched(1)
    fail('b')
    works('b')
    for (let i = 0; i < 20; i++) {
      fail('b')
      works('b')
    }
    expect(events()).toEqual(['store-failing', 'store-works'])
    pass(20_000)
    fail('b')
    fail('b', new StoreError('UNAVAILABLE', 'b: down'))
    expect(events()).toEqual(['store-failing', 'store-works', 'store-failing'])
  })
})

it.each([
  [{ directory: 'd', kubo: [] }, 1],
  [{ kubo: ['http://a'] }, 1],
  [{ directory: 'd', kubo: ['http://a'] }, 1],
  [{ directory: 'd', kubo: ['http://a', 'http://b'] }, 2],
  [{ kubo: ['http://a', 'http://b'], required: 2 }, 2],
])('default: of %j %i must hold a batch', (config, required) => {
  expect(requiredOf({ ...config, cidVersion: 1 })).toBe(required)
})
