import { expect, test } from 'vitest'
import { deploymentOf } from '../../../../ops/look/doctor/cluster.ts'

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
