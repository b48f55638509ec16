import { describe, expect, it } from 'vitest'
import { LogsIncomplete } from '../../../../connectors/evm/clock/release-check.ts'
import { StoreError } from '../../../../connectors/ipfs/batch-store.ts'
import { createHealth } from '../../../../ops/base/health.ts'
import { anchorMetrics, clockMetrics } from '../../../../ops/watch/metrics/connectors.ts'
import { createMetrics } from '../../../../ops/watch/metrics/create.ts'
import { LogError } from '../../../../streams/ports.ts'

const MARKET = `0x${'a1'.repeat(20)}`
const LOG_AWAY = new LogError('UNREACHABLE', 'no broker of b:9092 answers: connect ECONNREFUSED', { retriable: true })

function anchorEffects() {
  const health = createHealth(['anchor-effects'], () => 0)
  const metrics = createMetrics({ version: '1', roles: ['anchor-effects'], markets: [] })
  const observer = anchorMetrics(metrics, health)
  observer.owning?.(true)
  const concluded = (step: 'STORE' | 'SEND') =>
    observer.concluded?.({ dataMarket: '0x0', epochId: 1, batchIndex: 0 }, { step } as never)
  return { observer, metrics, concluded, said: () => health.report().roles['anchor-effects'] }
}

describe('anchor-effects', () => {
  it('behavior: says that it waits for the log, whichever step found that out', () => {
    const { observer, concluded, said } = anchorEffects()
    observer.waiting?.('STORE', LOG_AWAY, 2_000)
    observer.waiting?.('SEND', LOG_AWAY, 1_000)
    const detail = 'LOG: no broker of b:9092 answers: connect ECONNREFUSED; next try in 1000 ms'
    expect(said()).toMatchObject({ ready: false, works: true, detail })
    concluded('SEND')
    expect(said()).toMatchObject({ ready: true, detail: 'this process sends' })
  })

  it('behavior: does not wait for a purge, which is tried again in a minute', () => {
    const { observer, said } = anchorEffects()
    observer.waiting?.('purge', LOG_AWAY, 60_000)
    expect(said()).toMatchObject({ ready: true })
  })

  it('behavior: says that it waits for a store, until one of its batches is stored', () => {
    const { observer, concluded, said } = anchorEffects()
    observer.waiting?.('STORE', new StoreError('UNAVAILABLE', 'kubo: connect ECONNREFUSED'), 2_000)
    concluded('SEND')
    expect(said()).toMatchObject({ ready: false, detail: 'STORE: kubo: connect ECONNREFUSED; next try in 2000 ms' })
    concluded('STORE')
    expect(said()).toMatchObject({ ready: true })
  })

  it('behavior: says why no node takes a transaction, unless that is usual', () => {
    const { observer, concluded, said } = anchorEffects()
    const key = { dataMarket: '0x0', epochId: 1, batchIndex: 0 }
    const refused = { words: 'txpool is full', nonce: 7, retryInMs: 500, isNew: true }
    observer.transactionRefused?.(key, { ...refused, reason: 'known' })
    expect(said()).toMatchObject({ ready: true })
    observer.transactionRefused?.(key, { ...refused, reason: 'pool' })
    const detail = 'SEND: nonce 7 is refused (pool): txpool is full; next try in 500 ms'
    expect(said()).toMatchObject({ ready: false, detail })
    concluded('SEND')
    expect(said()).toMatchObject({ ready: true })
  })
})

describe('anchor-effects that stands still', () => {
  it('behavior: is not ready and says which nonce does not move, until it does', async () => {
    const { observer, said, metrics } = anchorEffects()
    const seconds = async () => /^seq_tx_standstill_seconds(?:{[^}]*})? (.*)$/m.exec(await metrics.text())?.[1]
    observer.standstill?.(130_000, 'nonce 7 of 0x51 is in no block since 130 s, 3 transactions wait for it')
    expect(said()).toMatchObject({ ready: false, works: true, detail: expect.stringContaining('nonce 7 of 0x51') })
    expect(await seconds()).toBe('130')
    observer.standstill?.(0, '')
    expect(said()).toMatchObject({ ready: true, detail: 'this process sends' })
    expect(await seconds()).toBe('0')
  })

  it('behavior: final transactions that are lost, and gaps, are counted', async () => {
    const { observer, metrics } = anchorEffects()
    observer.kept?.(12)
    observer.wentBack?.(3, 100)
    observer.gapFound?.(7, '0x51', 9)
    const text = await metrics.text()
    for (const line of ['seq_tx_kept 12', 'seq_tx_reorged_total 3', 'seq_tx_gaps_total 1']) expect(text).toContain(line)
  })
})

describe('clock', () => {
  it('behavior: says which epochs no log tells of, until one does, and as the clock alone', async () => {
    const health = createHealth(['clock'], () => 0)
    const metrics = createMetrics({ version: '1', roles: ['clock'], markets: [MARKET] })
    const { observer, owning } = clockMetrics(metrics, health, () => 0)
    const missing = async () => /^seq_chain_releases_missing(?:{[^}]*})? (.*)$/m.exec(await metrics.text())?.[1]
    const gap = { dataMarket: MARKET, fromEpoch: 61, toEpoch: 69, block: 700 }
    owning(true)
    observer.releasesMissing?.(gap)
    observer.failed?.(new LogsIncomplete(gap), 400)
    expect(await missing()).toBe('9')
    const { ready, detail } = health.report().roles.clock!
    expect([ready, detail]).toEqual([false, expect.stringContaining('epochs 61 to 69 of 0x')])
    observer.releasesMissing?.(undefined)
    expect(await missing()).toBe('0')
    owning(false)
    observer.releasesMissing?.(gap)
    expect(await missing()).not.toBe('9')
  })

  it('behavior: counts what was skipped, found late and read anew', async () => {
    const metrics = createMetrics({ version: '1', roles: ['clock'], markets: [MARKET] })
    const { observer } = clockMetrics(
      metrics,
      createHealth(['clock'], () => 0),
      () => 0,
    )
    observer.epochsSkipped?.(MARKET, 3, 5)
    observer.foundLate?.(12, 1, 2)
    observer.registryChanged?.('0x0', 12)
    observer.resent?.(7)
    observer.resent?.(2)
    const text = await metrics.text()
    for (const [name, value] of [
      ['seq_epochs_skipped_total', 3],
      ['seq_chain_found_late_total{event="release"', 1],
      ['seq_chain_found_late_total{event="slot"', 2],
      ['seq_slot_registry_changes_total', 1],
      ['seq_ticks_resent_total', 9],
    ] as const)
      expect(text.split('\n').find((line) => line.startsWith(name))).toMatch(new RegExp(` ${value}$`))
  })
})
