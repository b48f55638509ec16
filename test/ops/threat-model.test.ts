/** docs/threat-model.md names rules, settings, limits of the intake, verdicts, reasons of the intake, metrics, alerts and tests: they exist, and none is left out. */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { SHED_REASONS } from '../../connectors/libp2p/counts.ts'
import { INTAKE_LIMITS } from '../../connectors/libp2p/limits.ts'
import { ROLES } from '../../ops/base/roles.ts'
import { settingAt } from '../../ops/settings/list.ts'
import { METRICS } from '../../ops/watch/metrics/table/index.ts'
import { MARKET_DEFAULTS } from '../../topology/rules.ts'
import { REJECT_REASONS } from '../../topology/verdict.ts'

const text = readFileSync('docs/threat-model.md', 'utf8')
const runbook = readFileSync('docs/runbook.md', 'utf8')
const rows = text
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (attempt|mistake) /.test(line) && !line.startsWith('| ---'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
const named = [...text.matchAll(/`([^`\n]+)`/g)].map(([, name]) => name!)

const metrics = new Set<string>(Object.values(METRICS).map(({ name }) => name))
const isCommand = (name: string): boolean => /^(sequencer |proof |verify$|config |deploy |--)/.test(name)
/** A role, or a topic that the README names. */
const isPlace = (name: string): boolean => name === 'submissions' || (ROLES as readonly string[]).includes(name)

function exists(name: string): boolean {
  if (name.includes('/')) return existsSync(name)
  if (name.startsWith('seq_')) return metrics.has(name)
  if (/^[A-Z_]+$/.test(name)) return (REJECT_REASONS as readonly string[]).includes(name)
  if (/^[A-Z][A-Za-z]+$/.test(name)) return runbook.includes(name)
  if ((SHED_REASONS as readonly string[]).includes(name)) return true
  if (name in MARKET_DEFAULTS || name in INTAKE_LIMITS) return true
  return isCommand(name) || isPlace(name) || settingAt(name) !== undefined
}

test('behavior: everything that the tables name exists', () => {
  expect(named.filter((name) => !exists(name))).toEqual([])
})

describe('the tables are complete', () => {
  test('behavior: each row says what stops it, and where that is tested', () => {
    expect(rows.length).toBeGreaterThan(25)
    for (const row of rows) {
      expect(row, row[0]).toHaveLength(4)
      expect(row[1], row[0]).not.toBe('')
      expect(row[3], row[0]).toMatch(/^`test\/.*\.test\.ts`$/)
    }
  })

  test('behavior: every verdict stands somewhere', () => {
    expect(REJECT_REASONS.filter((reason) => !named.includes(reason))).toEqual([])
  })

  test('behavior: every bound of a market stands somewhere', () => {
    const bounds = Object.keys(MARKET_DEFAULTS).filter((rule) =>
      /^per|M(ax|in)$|Ahead$|^flagged$|^projectIds$/.test(rule),
    )
    expect(bounds.filter((rule) => !named.includes(rule))).toEqual([])
  })
})
