/** The rules as Prometheus' own tool reads and runs them. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { findTool } from '../../../../ops/world/brokers/tools.ts'
import { installMissing } from '../../../real/debian.ts'
import { CASES, freshStart, HEALTHY, LOOKS, restarts, type Series, STEP } from './cases.ts'

const FOLDER = fileURLToPath(new URL('../../../../ops/watch/prometheus/', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'sequencer-promtool-'))
beforeAll(() => installMissing(['promtool']))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** What promtool prints; its words in the error when it finds a fault. */
function promtool(args: readonly string[]): string {
  try {
    return execFileSync(findTool('promtool'), args, { encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${stdout}${stderr}`)
  }
}

interface Expected {
  readonly name: string
  readonly series: Series
  /** Alerts that fire at one of the looks; at the others none does. */
  readonly firing: readonly string[]
}

/** One run of promtool for all: each is a test group of its own, with the healthy series below those of the case. */
function run(cases: readonly Expected[]): void {
  const tests = cases.map(({ name, series, firing }) => ({
    name,
    interval: STEP,
    input_series: Object.entries(series).map(([text, values]) => ({ series: text, values })),
    promql_expr_test: (firing.length > 0 ? LOOKS.slice(-1) : LOOKS).map((minutes) => ({
      expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
      eval_time: `${minutes}m`,
      exp_samples: firing.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
    })),
  }))
  const file = join(directory, 'cases.yml')
  writeFileSync(file, stringify({ rule_files: [join(FOLDER, 'rules.yml')], evaluation_interval: STEP, tests }))
  promtool(['test', 'rules', file])
}

/** Cases that speak of different series, as one: what is quiet in all of them together is quiet in each. */
function together(cases: readonly Expected[]): Expected[] {
  const merged: Expected[] = []
  for (const { name, series, firing } of cases) {
    const at = merged.findIndex((one) => !Object.keys(series).some((text) => text in one.series))
    const into = merged[at]
    if (!into) merged.push({ name, series, firing })
    else merged[at] = { name: `${into.name}, ${name}`, series: { ...into.series, ...series }, firing }
  }
  return merged
}

const entries = Object.entries(CASES)

describe('promtool', () => {
  test('default: rules and configuration are right', () => {
    expect(promtool(['check', 'rules', join(FOLDER, 'rules.yml')])).toContain('SUCCESS')
    expect(promtool(['check', 'config', join(FOLDER, 'prometheus.yml')])).toContain('SUCCESS')
  })

  test('behavior: nothing fires while all is well, on a fresh start, or when every process is started again', () => {
    run([
      { name: 'all is well', series: HEALTHY, firing: [] },
      { name: 'a fresh start', series: freshStart(), firing: [] },
      { name: 'restarts', series: restarts(), firing: [] },
      { name: 'nothing runs yet', series: { 'up{job="other"}': '1x200' }, firing: [] },
    ])
  })

  test('behavior: each alert fires for its reason, and no other with it', () => {
    run(
      entries.map(([name, { fires, also = [] }]) => ({
        name,
        series: { ...HEALTHY, ...fires },
        firing: [name, ...also],
      })),
    )
  })

  test('behavior: each alert keeps quiet when it was only close', () => {
    run(
      together(entries.map(([name, { silent }]) => ({ name, series: silent, firing: [] }))).map((one) => ({
        ...one,
        series: { ...HEALTHY, ...one.series },
      })),
    )
  })

  test('error: a case that is wrong is found', () => {
    expect(() => run([{ name: 'wrong', series: HEALTHY, firing: ['RoleDown'] }])).toThrow('RoleDown')
  })
})
