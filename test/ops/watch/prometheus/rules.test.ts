import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { DASHBOARDS } from '../../../../ops/watch/grafana/dashboards.ts'
import { generatedFiles } from '../../../../ops/watch/metrics/generate.ts'
import { timesAt } from '../../../../ops/watch/prometheus/alert.ts'
import { recordingRules } from '../../../../ops/watch/prometheus/recording.ts'
import { alertsAt } from '../../../../ops/watch/prometheus/rules.ts'
import { CASES } from './cases.ts'
import { faultsOf } from './queries.ts'

const fileOf = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../../${path}`, import.meta.url)), 'utf8')
const alerts = alertsAt(timesAt(1))

test.each(Object.entries(generatedFiles()))(
  'behavior: %s is as the tables say (npm run metrics:generate)',
  (path, text) => {
    expect(fileOf(path)).toBe(text)
  },
)

describe('queries', () => {
  test.each(recordingRules(timesAt(1)))('behavior: $record speaks of series that there are', ({ expr }) => {
    expect(faultsOf(expr)).toEqual([])
  })

  test.each(alerts)('behavior: $name speaks of series that there are', ({ expr }) => {
    expect(faultsOf(expr)).toEqual([])
  })

  test.each(
    DASHBOARDS.flatMap(({ title, rows }) =>
      rows.flatMap(({ panels }) => panels.map((panel) => ({ name: `${title}, ${panel.title}`, ...panel }))),
    ),
  )('behavior: $name speaks of series that there are', ({ queries }) => {
    for (const { expr } of queries) expect(faultsOf(expr.replaceAll('$__rate_interval', '5m')), expr).toEqual([])
  })

  test.each([
    ['seq_intake_nothing_total', 'there is no seq_intake_nothing_total'],
    ['seq_rpc_seconds', 'there is no seq_rpc_seconds'], // a histogram has _bucket, _sum and _count
    ['seq_epoch_missed_total{outcome="LOST"}', 'seq_epoch_missed_total never has outcome LOST'],
    ['seq_epoch_missed_total{outcome=~"LATE|LOST"}', 'seq_epoch_missed_total never has outcome LOST'],
    ['seq_epoch_missed_total{slot="1"}', 'seq_epoch_missed_total has no label slot'],
    ['sum by (slot) (seq_epoch_head)', 'nothing in it has a label slot'],
    ['sum(rate(seq_epoch_head[5m])', 'no PromQL at '],
  ])('error: %s', (query, fault) => {
    expect(faultsOf(query)).toEqual([fault])
  })
})

describe('alerts', () => {
  test('behavior: no name twice; a reason is another alert, which comes before', () => {
    const names = alerts.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const [at, { name, explainedBy = [] }] of alerts.entries())
      for (const reason of explainedBy) expect(names.slice(0, at), `${name}: ${reason}`).toContain(reason)
  })

  test('behavior: every alert has a case that fires and one that stays silent', () => {
    expect(Object.keys(CASES).sort()).toEqual(alerts.map(({ name }) => name).sort())
  })

  test('behavior: every alert has a section in the runbook, with all of its parts', () => {
    const sections = new Map(
      fileOf('docs/runbook.md')
        .split(/^### /m)
        .slice(1)
        .map((section) => [section.split('\n', 1)[0]!, section]),
    )
    expect([...sections.keys()].sort()).toEqual(alerts.map(({ name }) => name).sort())
    for (const [name, section] of sections)
      for (const part of ['**Means.**', '**See.**', '**Do.**', '**Worry.**']) expect(section, name).toContain(part)
  })
})
