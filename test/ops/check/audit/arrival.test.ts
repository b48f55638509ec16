import { expect, test } from 'vitest'
import { Judge, type JudgeSources } from '../../../../ops/check/audit/judge.ts'
import { ServedMarkets } from '../../../../ops/check/audit/served-markets.ts'
import { WholeEpochs } from '../../../../ops/check/audit/whole-epochs.ts'
import { createSignatureReader } from '../../../../ops/check/verify/signature.ts'
import type { EpochTick } from '../../../../schemas/types.ts'
import { MARKET_DEFAULTS } from '../../../../topology/rules.ts'
import { addressOf, hashOf, headTick, openTick, orphanTick, rulesOf, submissionOf } from '../../../topology/world.ts'

const RULES = rulesOf({})
/** More than a week, in seconds: the time 0 would move an arrival otherwise. */
const LONG_AFTER = 1_000_000
const later = (tick: EpochTick): EpochTick => ({ ...tick, blockTimestamp: tick.blockTimestamp + LONG_AFTER })

test('behavior: a vote that comes when no block that the log knows is left is not too early by that', async () => {
  const markets = new ServedMarkets(RULES, new Map(), false)
  const sources: JudgeSources = {
    ownerAt: () => ({ owner: addressOf(1), active: true, sinceBlock: 0, sinceFork: 0, untilFork: 0 }),
    reader: await createSignatureReader(),
    partitionOf: () => 0,
  }
  const judge = new Judge(RULES, markets, sources, new WholeEpochs(false, () => MARKET_DEFAULTS))
  for (const tick of [headTick(10), orphanTick(10)].map(later)) judge.onTick(tick)
  const submission = submissionOf({ epochId: 5, header: hashOf(20), receivedAt: (20 + LONG_AFTER) * 1_000 + 500 })
  const { dataMarket } = submission
  expect(judge.judge({ partition: 0, offset: 0, dataMarket, submission })).toEqual([{ kind: 'waits' }])
  const ticks = [headTick(10), headTick(11), headTick(12), openTick(1, 12), openTick(5, 20)].map(later)
  expect(ticks.flatMap((tick) => [...judge.onTick(tick)])).toMatchObject([{ kind: 'valid' }])
})
