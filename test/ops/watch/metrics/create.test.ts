import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { createHealth } from '../../../../ops/base/health.ts'
import { ROLES } from '../../../../ops/base/roles.ts'
import { INPUTS } from '../../../../ops/reading/stage-lags.ts'
import { clockMetrics } from '../../../../ops/watch/metrics/connectors.ts'
import { createMetrics, type MetricsOptions } from '../../../../ops/watch/metrics/create.ts'
import type { Definition } from '../../../../ops/watch/metrics/definition.ts'
import { runtimeMetrics } from '../../../../ops/watch/metrics/runtime.ts'
import { RPC_METHODS } from '../../../../ops/watch/metrics/table/chain.ts'
import { METRICS } from '../../../../ops/watch/metrics/table/index.ts'
import { createCodec } from '../../../../schemas/codec.ts'
import { memoryRegistry } from '../../../../schemas/registry.ts'
import { sequencerTopology } from '../../../../topology/index.ts'
import { MARKET_DEFAULTS, RULES_DEFAULTS } from '../../../../topology/rules.ts'
import { sequencerStores } from '../../../../topology/stores.ts'
import { sequencerTopics } from '../../../../topology/topics.ts'

const EVM = fileURLToPath(new URL('../../../../connectors/evm', import.meta.url))
const MARKET = '0x00000000000000000000000000000000000000aa'
const create = (options: Partial<MetricsOptions> = {}) =>
  createMetrics({ version: '1', roles: ROLES, markets: [MARKET], ...options })
const definitions = Object.values<Definition>(METRICS)

describe('the table', () => {
  test('default: names are those of OpenMetrics: counters end in _total, units in the base unit, no name twice', () => {
    for (const { name, type, unit, help } of definitions) {
      expect(name).toMatch(/^seq_[a-z0-9_]+$/)
      expect(name.endsWith('_total'), name).toBe(type === 'counter')
      if (unit === 'seconds') expect(name).toMatch(/_seconds(_total)?$/)
      if (unit === 'bytes') expect(name).toMatch(/_bytes(_total)?$/)
      expect(help, name).toMatch(/^[A-Z0-9].*\.$/s)
    }
    expect(new Set(definitions.map(({ name }) => name)).size).toBe(definitions.length)
  })

  test('behavior: labels are bounded: no slot, peer, CID, epoch or submission', () => {
    const labels = new Set(definitions.flatMap(({ labels: of = {} }) => Object.keys(of)))
    for (const name of labels) expect(name).not.toMatch(/slot|peer|cid|epoch|submission|project|address|hash/i)
  })

  test('behavior: every method that is called on a node has its own label', () => {
    const called = readdirSync(EVM, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => [...readFileSync(join(EVM, file), 'utf8').matchAll(/'(eth_\w+)'/g)].map(([, name]) => name!))
    expect(called).toContain('eth_call')
    expect([...new Set(called)].filter((name) => !(RPC_METHODS as readonly string[]).includes(name))).toEqual([])
  })

  test('behavior: the lag of every input of every stage is asked for', async () => {
    const codec = await createCodec(memoryRegistry())
    const partitions = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
    const topics = sequencerTopics(codec, { prefix: '', partitions })
    const market = { ...MARKET_DEFAULTS, dataMarket: MARKET, chainId: 1, protocolState: MARKET }
    const graph = sequencerTopology({ ...RULES_DEFAULTS, markets: [market] }, topics, sequencerStores(codec))
    const read = graph.stages.map(({ name, sources }) => [name, sources.map((topic) => topic.name).sort()])
    const asked = Object.entries(INPUTS).map(([stage, inputs]) => [stage, inputs.map((one) => topics[one].name).sort()])
    expect(Object.fromEntries(asked)).toEqual(Object.fromEntries(read))
  })
})

describe('a process', () => {
  test('default: has the metrics of its roles and no others', async () => {
    const text = await create({ roles: ['intake'] }).text()
    expect(text).toContain('seq_intake_acked_total 0')
    expect(text).toContain('seq_build_info{version="1"')
    expect(text).not.toMatch(/seq_(chain|tx|epoch|stream|consumer)_/)
  })

  test('behavior: a counter begins at 0 with each value of its labels, of its own stages only', async () => {
    const text = await create({ roles: ['validate', 'api'] }).text()
    expect(text).toContain(`seq_epoch_missed_total{market="${MARKET}",outcome="LATE"} 0`)
    expect(text).toContain('seq_stream_commits_total{stage="validate",outcome="aborted"} 0')
    expect(text).not.toContain('stage="admit"')
  })

  test('behavior: a gauge is not there before it is known', async () => {
    const metrics = create()
    expect(await metrics.text()).not.toMatch(/^seq_signer_balance_wei /m)
    metrics.signerBalanceWei.set(7)
    expect(await metrics.text()).toMatch(/^seq_signer_balance_wei 7$/m)
  })

  test('behavior: a market that somebody made up is `other`', () => {
    const { marketLabel } = create()
    expect([marketLabel(MARKET), marketLabel('0xbb'), marketLabel('')]).toEqual([MARKET, 'other', 'other'])
  })

  test('behavior: the epoch of an observation is an exemplar, not a label', async () => {
    const metrics = create()
    const exemplarLabels = { epoch: '42' }
    metrics.epochReleaseToAnchor.observe({ labels: { market: MARKET }, value: 3, exemplarLabels })
    expect(await metrics.text()).toMatch(/_bucket\{le="5",market="[^"]+"\} 1 # \{epoch="42"\} 3 /)
  })

  test('behavior: a clock that lost its part says nothing of the chain any more', async () => {
    const metrics = create()
    const health = createHealth(['clock'], () => 0)
    const { observer, owning } = clockMetrics(metrics, health, () => 5_000)
    const news = { head: 12, cursor: 10, cursorTime: 3, lag: 2 }
    owning(true)
    expect(await metrics.text()).toMatch(/^seq_chain_advanced_timestamp_seconds 5$/m)
    observer.advanced!(news)
    expect(await metrics.text()).toMatch(/^seq_chain_lag_blocks 2$/m)
    owning(false)
    observer.advanced!(news) // what was under way
    expect(await metrics.text()).not.toMatch(/^seq_(chain|slot_table)_(head|cursor|lag|advanced|block)\S* \d/m)
    expect(health.report().roles.clock).toMatchObject({ works: false, detail: 'standing by' })
  })

  test('behavior: the lag of a partition that another process has now is not there any more', async () => {
    const metrics = create()
    const { lag, rebalanced } = runtimeMetrics(metrics, () => {})
    lag!('admit', 'validated', 0, 5)
    lag!('admit', 'validated', 1, 6)
    rebalanced!('admit', new Set([1]), new Set())
    const text = await metrics.text()
    expect(text).toContain('seq_stream_lag{stage="admit",topic="validated",partition="1"} 6')
    expect(text).not.toContain('topic="validated",partition="0"')
  })
})
