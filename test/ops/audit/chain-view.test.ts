import { expect, test } from 'vitest'
import { ChainView } from '../../../ops/audit/chain-view.ts'
import { Findings } from '../../../ops/audit/report.ts'
import { ServedMarkets } from '../../../ops/audit/served-markets.ts'
import { closeTick, hashOf, headTick, openTick, rulesOf } from '../../topology/world.ts'

test.each([
  { what: 'the newest that validate keeps', headers: [13, 14, 15], differences: 0 },
  { what: 'more than those', headers: [12, 13, 14, 15], differences: 1 },
  { what: 'fewer than those', headers: [14, 15], differences: 1 },
])('behavior: the close of a long window names blocks: $what', ({ headers, differences }) => {
  const findings = new Findings()
  const view = new ChainView(new ServedMarkets(rulesOf(), new Map(), false), findings, false, 3)
  view.apply(headTick(10))
  view.apply({ ...openTick(1, 10), submissionWindow: 4 })
  for (const block of [11, 12, 13, 14, 15]) view.apply(headTick(block))
  const acceptedHeaders = headers.map((block) => hashOf(block))
  view.apply({ ...closeTick(1, 10, 15), submissionWindow: 4, acceptedHeaders })
  expect(findings.counts.mismatches).toBe(differences)
})
