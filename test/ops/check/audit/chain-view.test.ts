import { describe, expect, test } from 'vitest'
import { ChainView } from '../../../../ops/check/audit/chain-view.ts'
import { Findings } from '../../../../ops/check/audit/report.ts'
import { ServedMarkets } from '../../../../ops/check/audit/served-markets.ts'
import { WholeEpochs } from '../../../../ops/check/audit/whole-epochs.ts'
import { MARKET_DEFAULTS } from '../../../../topology/rules.ts'
import { closeTick, hashOf, headTick, openTick, rulesOf } from '../../../topology/world.ts'

const WHOLE = new WholeEpochs(false, () => MARKET_DEFAULTS)

test.each([
  { what: 'the newest that validate keeps', headers: [13, 14, 15], differences: 0 },
  { what: 'more than those', headers: [12, 13, 14, 15], differences: 1 },
  { what: 'fewer than those', headers: [14, 15], differences: 1 },
])('behavior: the close of a long window names blocks: $what', ({ headers, differences }) => {
  const findings = new Findings()
  const view = new ChainView(new ServedMarkets(rulesOf(), new Map(), false), findings, WHOLE, {
    headsKept: 3,
    countsOwnBlocks: false,
  })
  view.apply(headTick(10))
  view.apply({ ...openTick(1, 10), submissionWindow: 4 })
  for (const block of [11, 12, 13, 14, 15]) view.apply(headTick(block))
  const acceptedHeaders = headers.map((block) => hashOf(block))
  view.apply({ ...closeTick(1, 10, 15), submissionWindow: 4, acceptedHeaders })
  expect(findings.counts.mismatches).toBe(differences)
})

describe('epochs that were never released', () => {
  const viewOf = () => {
    const findings = new Findings()
    const options = { headsKept: 100, countsOwnBlocks: false }
    return { findings, view: new ChainView(new ServedMarkets(rulesOf(), new Map(), false), findings, WHOLE, options) }
  }

  const open = (epochId: number, block: number) => ({ ...openTick(epochId, block), submissionWindow: 50 })

  test('behavior: those that the market’s owner skipped are counted and no fault; the others are', () => {
    const { view } = viewOf()
    view.apply(headTick(10))
    view.apply(open(1, 10))
    view.apply(headTick(11))
    view.apply({ ...open(5, 11), skippedFrom: 2 })
    expect([view.gaps, view.passedOver]).toEqual([[], 3])
    view.apply(headTick(12))
    view.apply({ ...open(9, 12), skippedFrom: 8 })
    expect(view.passedOver).toBe(4)
    expect(view.gaps).toEqual([{ dataMarket: open(9, 12).dataMarket, before: 9, from: 6, to: 7 }])
  })

  test('behavior: a skip that leaves the chain is taken back, and what follows is compared with the epoch before it', () => {
    const { findings, view } = viewOf()
    view.apply(headTick(10))
    view.apply(open(1, 10))
    view.apply(headTick(11))
    view.apply({ ...open(5, 11), skippedFrom: 2 })
    view.apply({ ...headTick(11), kind: 'ORPHAN' })
    view.apply(headTick(11))
    view.apply(open(2, 11))
    expect([findings.counts, view.passedOver]).toEqual([expect.objectContaining({ skipped: 0, mismatches: 0 }), 0])
  })

  test('behavior: an epoch whose release was found late closes after it opened, over the headers since its release', () => {
    const { findings, view } = viewOf()
    for (const block of [10, 11, 12, 13, 14, 15, 16]) view.apply(headTick(block))
    view.apply({ ...openTick(1, 10), blockNumber: 16, blockHash: hashOf(16), submissionWindow: 4 })
    view.apply(headTick(17))
    const acceptedHeaders = [10, 11, 12, 13, 14, 15, 16, 17].map((block) => hashOf(block))
    view.apply({ ...closeTick(1, 10, 17), submissionWindow: 4, acceptedHeaders })
    view.apply(headTick(18))
    expect(findings.differences()).toEqual([])
  })
})
