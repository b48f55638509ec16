import { expect, test } from 'vitest'
import { deploymentOf, marketRowsOf } from '../../../../ops/look/doctor/cluster.ts'

const [A, B] = [`0x${'a'.repeat(40)}`, `0x${'b'.repeat(40)}`]
const rules = { markets: [{ dataMarket: A }] }

test('default: the configured market is served, and another one', () => {
  expect(deploymentOf('app', rules, [A, B])).toEqual({
    check: 'deployment',
    ok: true,
    detail: 'app serves 2 data markets',
  })
})
test('behavior: a configured market that is off is named', () => {
  const finding = deploymentOf('app', rules, [B])
  expect(finding).toMatchObject({ ok: true })
  expect(finding.detail).toContain(`removed at run time, though configured: ${A}`)
})
test('error: no market at all is a fault', () => {
  expect(deploymentOf('app', rules, [])).toMatchObject({ ok: false, detail: expect.stringContaining('serves 0') })
})

test('error: rows of markets that nobody asked for are named, the newest, and counted', () => {
  expect(marketRowsOf([])).toMatchObject({ ok: true })
  const row = { serving: 'REMOVED', sinceBlock: 1, lastEpoch: 0, requestId: '', refused: '' } as const
  const unfounded = Array.from({ length: 7 }, (_, offset) => ({ dataMarket: A, offset, row, why: `why ${offset}` }))
  const { ok, detail, advice } = marketRowsOf(unfounded)
  expect(ok).toBe(false)
  expect(detail).toBe('offset 2: why 2; offset 3: why 3; offset 4: why 4; offset 5: why 5; offset 6: why 6; and 2 more')
  expect(advice).toContain('does not believe it')
})
