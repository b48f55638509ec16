/** The payouts of a CLOSE against those that should be there. */
import { isNone } from '../../../../schemas/none.ts'
import type { EpochTick } from '../../../../schemas/types.ts'
import type { Findings } from '../report.ts'
import { type FoundPayout, placeOf } from './payout-index.ts'
import type { Call, ExpectedRun } from './runs.ts'

export interface RunComparison {
  readonly expected: readonly ExpectedRun[]
  readonly found: readonly FoundPayout[]
  /** CLOSE at which the ledger writes these runs. */
  readonly tick: EpochTick
  /** The runs have to be there by now. */
  readonly isDue: boolean
  /** The first payouts of the runs may have expired. */
  readonly mayBeCut: boolean
  /** Days of which nothing is recomputed. */
  readonly isPartial: (day: number) => boolean
  readonly findings: Findings
}

export function compareRuns({ expected, found, tick, isDue, mayBeCut, isPartial, findings }: RunComparison): void {
  const left = new Set(found)
  for (const run of expected) {
    const { day, purpose, calls } = run
    const own = found.filter(({ payout }) => payout.payoutOf === day && payout.purpose === purpose)
    for (const one of own) left.delete(one)
    const where = `day ${day} of ${tick.dataMarket}, ${purpose} of epoch ${tick.epochId}`
    if (own.length === 0 && calls.length > 0) {
      if (isDue) findings.add('skipped', where, `its ${calls.length} payouts are not there`)
      continue
    }
    const gone = mayBeCut ? Math.max(0, calls.length - own.length) : 0
    findings.same(where, 'payouts', calls.length, gone + own.length)
    for (const [part, call] of calls.entries()) {
      const there = own[part - gone]
      if (there) compareCall(there, call, run, findings)
    }
  }
  for (const one of left)
    if (!isPartial(one.payout.payoutOf)) findings.add('mismatches', placeOf(one), 'no such payout should be there')
}

function compareCall(
  found: FoundPayout,
  call: Call,
  { closeBlock, quota, firstBlock, calls }: ExpectedRun,
  findings: Findings,
): void {
  const where = placeOf(found)
  const { payout } = found
  findings.same(where, 'closing block', closeBlock, payout.closeBlock)
  if (payout.quota !== 0) findings.same(where, 'quota', quota, payout.quota) // 0: by an older ledger
  if (!isNone(payout.firstBlock)) findings.same(where, 'first block', firstBlock, payout.firstBlock) // NONE: by an older ledger
  findings.same(where, 'parts', calls.length, payout.parts)
  findings.same(where, 'slots', call.length, payout.slotIds.length)
  const at = call.findIndex(([slotId, counted], i) => payout.slotIds[i] !== slotId || payout.submissions[i] !== counted)
  if (at < 0) return
  const [slotId, counted] = call[at]!
  const there = payout.slotIds[at] === undefined ? 'none' : `slot ${payout.slotIds[at]} with ${payout.submissions[at]}`
  findings.add('mismatches', where, `recomputed slot ${slotId} with ${counted}, found ${there}`)
}
