/** A real Prometheus scrapes a running sequencer; what is broken makes the right alert fire, and no other. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DASHBOARDS } from '../../../../ops/watch/grafana/dashboards.ts'
import { installMissing } from '../../../real/debian.ts'
import { FAULTS, SCALE, settle, tryFault } from './faults.ts'
import { type Prometheus, startPrometheus } from './server.ts'
import { startWorld, type World } from './world.ts'

/** So long a fault lasts after its alert; `npm run alerts` holds all of them for longer. */
const HOLD_MS = 5_000
const TRIED = FAULTS.slice(0, 2)

const directory = mkdtempSync(join(tmpdir(), 'sequencer-alerts-'))
let world: World
let prometheus: Prometheus

describe('a running sequencer', () => {
  beforeAll(async () => {
    installMissing(['prometheus'])
    world = await startWorld(join(directory, 'data'))
    prometheus = await startPrometheus(join(directory, 'prometheus'), world.targets, SCALE)
  })
  afterAll(async () => {
    await prometheus?.close()
    await world?.close()
    rmSync(directory, { recursive: true, force: true })
  })

  test('default: is scraped from the start, anchors epochs, and no alert fires', async () => {
    expect(await settle(prometheus, 3)).toEqual([])
    expect(await prometheus.query('up == 1')).toHaveLength(2)
  })

  test('behavior: Prometheus answers every query of the dashboards', async () => {
    const queries = DASHBOARDS.flatMap(({ rows }) => rows.flatMap(({ panels }) => panels.flatMap((one) => one.queries)))
    let empty = 0
    for (const { expr } of queries) {
      const found = await prometheus.query(expr.replaceAll('$__rate_interval', '15s').replaceAll('$market', '.*'))
      if (found.length === 0) empty++
    }
    // nothing fires, nothing fails, nothing is turned away: those have nothing to show
    expect(empty).toBeLessThan(queries.length / 4)
  })

  test('behavior: the epoch of an observation is found as its exemplar', async () => {
    const found = await prometheus.exemplars('seq_epoch_release_to_anchor_seconds_bucket')
    expect(found.map(({ labels }) => labels.epoch)).toContainEqual(expect.stringMatching(/^\d+$/))
  })

  test.each(TRIED)('behavior: $name: $alert fires, no other, and it ends with the fault', async (fault) => {
    const { fired, alerts } = await tryFault(fault, world, prometheus, HOLD_MS)
    expect(fired).toEqual([fault.alert])
    const [{ annotations }] = alerts as [(typeof alerts)[0]]
    expect(annotations.runbook_url).toBe(`docs/runbook.md#${fault.alert.toLowerCase()}`)
    expect(Object.values(annotations).join()).not.toMatch(/<error|\{\{|<no value>/)
  })
})
