/** The guards of the day, from the tick to the payment, as guards.ts has the others. */
import type { Guard } from './guard.ts'

const CLOCK: readonly Guard[] = [
  {
    name: 'days that have begun since a release are taken off',
    file: 'connectors/evm/clock/market-day.ts',
    find: 'const day = begun === undefined ? 0 : counter! - begun',
    replace: 'const day = begun === undefined ? 0 : counter! - 0 * begun',
    why: 'the state of a block knows of later releases, and the epoch would count in a later day',
    uncaught:
      'a block of these runs has one release, and nodes have the states of all blocks; the clock’s own tests have others',
  },
  {
    name: 'a day has ended only when none of its epochs is open',
    file: 'connectors/evm/clock/chain-state.ts',
    find: 'days.reduce((a, b) => Math.min(a, b), newest.day)',
    replace: 'days.reduce((a) => a, newest.day)',
    why: 'the closing would lack the epochs that close later',
  },
  {
    name: 'a day has ended only when none of its epochs will be released',
    file: 'connectors/evm/clock/chain-state.ts',
    find: 'Math.min(a, b), newest.day) - 1)',
    replace: 'Math.min(a, b), newest.day))',
    why: 'the day would be closed while it still goes on',
  },
]

const LEDGER: readonly Guard[] = [
  {
    name: 'only votes for the winner count in the day',
    file: 'topology/shared/tally.ts',
    find: 'const counted = ballots.filter(({ snapshotCid }) => snapshotCid === winner).map',
    replace: 'const counted = ballots.map',
    why: 'who reports anything at all would be paid',
  },
  {
    name: 'one task alone counts the day of a market',
    file: 'topology/ledger/ledger.ts',
    find: 'if (!context.owns(key.encode({ dataMarket }))) return undefined\n',
    replace: 'void key.encode({ dataMarket })\n',
    why: 'the marker reaches every task, and each would write a day of its own',
  },
  {
    name: 'the tallies of an epoch are dropped when it closes',
    file: 'topology/ledger/ledger.ts',
    find: '        tallies.dropScope(scope)\n',
    replace: '',
    why: 'state is bounded by the open epochs',
  },
  {
    name: 'an epoch counts once in the days of its market',
    file: 'topology/ledger/ledger.ts',
    find: 'if ([...known.values()].some((one) => hasCounted(one, epochId))) return true\n',
    replace: 'void hasCounted\n',
    why: 'its votes would count twice, and be paid twice',
    uncaught:
      'exactly-once lets no CLOSE come twice; the line is there for a reset of the stage before, and the ledger’s own tests have it',
  },
  {
    name: 'a day ends once',
    file: 'topology/ledger/ledger.ts',
    find: 'const isEnding = !before.ended && day <= daysEnded',
    replace: 'const isEnding = day <= daysEnded',
    why: 'every later CLOSE says so too, and would close the day again',
  },
  {
    name: 'a day that is not whole is not told',
    file: 'topology/ledger/ledger.ts',
    find: "const isDue = at.whole && market.rewards === 'on'",
    replace: "const isDue = market.rewards === 'on'",
    why: 'a count is set, so that of half a day would take away what somebody else has told',
  },
  {
    name: 'a market that only counts tells nothing',
    file: 'topology/ledger/ledger.ts',
    find: "const isDue = at.whole && market.rewards === 'on'",
    replace: 'const isDue = at.whole',
    why: 'an operator that switches counting on has not asked for payments',
  },
  {
    name: 'counts are told only before the day has ended',
    file: 'topology/ledger/ledger.ts',
    find: 'const isCountsDue = !at.ended && at.closed',
    replace: 'const isCountsDue = at.closed',
    why: 'the closing is frozen, and a late epoch changes none of it',
    uncaught: 'no epoch of these runs closes behind the end of its day; the ledger’s own tests have others',
  },
  {
    name: 'a change of the quota is counted for all slots of the day',
    file: 'topology/ledger/ledger.ts',
    find: 'if (before && after.quota !== before.quota) {',
    replace: 'if (before && after.quota < 0) {',
    why: 'the number of eligible slots would be of two quotas',
  },
  {
    name: 'the quota of a day is that of its newest epoch',
    file: 'topology/ledger/day.ts',
    find: 'quota: isNewest ? dailyQuota : before.quota',
    replace: 'quota: isNewest || dailyQuota >= 0 ? dailyQuota : before.quota',
    why: 'an epoch that closes late would bring an old quota back',
    uncaught:
      'an epoch that closes behind a later one of its day, with another quota, is too rare here; the ledger’s own tests have others',
  },
  {
    name: 'a gap in a day leaves it unpaid',
    file: 'topology/ledger/day.ts',
    find: 'if (merged || gap || !only) return false',
    replace: 'if (merged || !only) return Boolean(gap && merged)',
    why: 'counts that lack an epoch would be set over better ones',
  },
  {
    name: 'a day is whole only behind a day that is known',
    file: 'topology/ledger/day.ts',
    find: 'if (only.first === 1) return true',
    replace: 'if (only.first >= 1) return true',
    why: 'the first epochs of a day may be missing',
  },
  {
    name: 'epochs that opened none are no gap in the day',
    file: 'topology/ledger/day.ts',
    find: 'first: refusedFrom || skippedFrom || epochId',
    replace: 'first: refusedFrom || Math.max(0 * skippedFrom, epochId)',
    why: 'the day of an epoch that the owner of the market skipped would never be paid',
  },
  {
    name: 'counts that were told are not told again',
    file: 'topology/ledger/payouts.ts',
    find: "(purpose === 'CLOSING' || row.counted !== row.inPayout)",
    replace: "(purpose === 'CLOSING' || row.counted !== row.inPayout + 0.5)",
    why: 'each slot costs gas',
  },
]

const PAYER: readonly Guard[] = [
  {
    name: 'a payout is planned once',
    file: 'topology/anchor/payer.ts',
    find: 'if (progress.get(payoutScope(key),',
    replace: 'if (!key && progress.get(payoutScope(key),',
    why: 'a payout that came again would begin from the start',
    uncaught: 'exactly-once lets no payout come twice; the line is there for a log that is not',
  },
  {
    name: 'one payout of a market is under way at a time',
    file: 'topology/anchor/payer.ts',
    find: 'if (all.some((one) => BEFORE_NONCE.includes(one.phase) || isUnmined(one))) return\n',
    replace: '',
    why: 'each dry run must see what all calls before it did',
    uncaught: 'what was asked beside it is held back once the first has its nonce; the payer’s own tests have others',
  },
  {
    name: 'a day that is refused holds up no other day',
    file: 'topology/anchor/payer.ts',
    find: 'return firsts.toSorted((a, b) => a.retries - b.retries)[0]',
    replace: 'return firsts[0]',
    why: 'its owner may have put the counter back, and the day would wait for ever',
    uncaught: 'the owner of these runs puts the counter right again; the payer’s own tests have it',
  },
  {
    name: 'a dry run sees the newest call of its market',
    file: 'topology/anchor/payer.ts',
    find: 'quota: quotaOfRun(next, all), ...newestBlock(all) }',
    replace: 'quota: quotaOfRun(next, all), ...newestBlock([]) }',
    why: 'a node that is behind would have the same sent again',
  },
  {
    name: 'an offer on top of a call that left the chain is asked for again',
    file: 'topology/anchor/payer.ts',
    find: '(isMoving || one.payout!.afterHash !== afterHash)',
    replace: "(isMoving && one.payout!.afterHash === 'none' + afterHash)",
    why: 'what it was reckoned with is not there any more',
  },
  {
    name: 'older counts give way to newer ones',
    file: 'topology/anchor/payer.ts',
    find: '      if (isOvertaken(one, all)) {',
    replace: '      if (isOvertaken(one, all) && one.nonce >= 0) {',
    why: 'while the chain is away runs would pile up without a bound',
    uncaught: 'they are told one after the other, which costs gas; the payer’s own tests have it',
  },
  {
    name: 'a run is kept until all of it is done',
    file: 'topology/anchor/payer.ts',
    find: 'if (entries.every(hasAllOf)) progress.dropScope(scope)',
    replace: 'if (entries.some((one) => hasAllOf(one) || one.step)) progress.dropScope(scope)',
    why: 'its later payouts are held to what its earlier ones have paid',
    uncaught:
      'the payouts of a run come in one transaction, long before the first of them is done; the payer’s own tests have others',
  },
  {
    name: 'a run is held to the quota with which it has paid',
    file: 'topology/anchor/payer.ts',
    find: 'return answer.quota\n',
    replace: 'return 0 * answer.quota\n',
    why: 'another quota would be another number of eligible slots',
  },
  {
    name: 'a day that is over ends its payouts',
    file: 'topology/anchor/payer-transitions.ts',
    find: 'result.error === DAY_OVER\n',
    replace: "result.error === DAY_OVER + ' '\n",
    why: 'the contract takes nothing of the day any more, and later days wait behind it',
  },
  {
    name: 'a payout that the chain lost is sent again',
    file: 'topology/anchor/payer-transitions.ts',
    find: 'FINAL: { SETTLED: settled, REORGED: takenBack },',
    replace: 'FINAL: { SETTLED: settled, REORGED: (at) => (takenBack ? at : at) },',
    why: 'nobody else pays the slots that were in it',
  },
  {
    name: 'a call that was reverted is asked for anew',
    file: 'topology/anchor/payer-transitions.ts',
    find: 'FILLED: replan, REVERTED: replan, NONCE_TAKEN: nonceTaken }',
    replace: 'FILLED: replan, REVERTED: final, NONCE_TAKEN: nonceTaken }',
    why: 'somebody else was faster, and the rest still has to be paid',
  },
  {
    name: 'a payout that must not be made gives its nonce to a filler',
    file: 'topology/anchor/anchor-transitions.ts',
    find: "at.call === 'REWARD' ? result.error !== '' : CONTRACT_CODE.test(result.error)",
    replace: 'CONTRACT_CODE.test(result.error)',
    why: 'counts of a day that is being closed mark slots as paid that get nothing',
    uncaught: 'the call is looked at once more before it is signed, and refused there',
  },
  {
    name: 'what a call did is asked when it is final',
    file: 'topology/anchor/payer-transitions.ts',
    find: 'answer ? withAnswer(at, withLost(answer, result.payout?.leftOut ?? [])) : at',
    replace: 'answer ? withAnswer(at, withLost(answer, [])) : at',
    why: 'slots that the contract passed over would be told as paid',
  },
]

const ANSWER: readonly Guard[] = [
  {
    name: 'a slot that was paid is not sent again',
    file: 'connectors/evm/anchor-effects/payout-answer.ts',
    find: "if (slot.isPaid) return slot.count === counted ? 'PRESENT' : 'PAID_OTHERWISE'",
    replace: "if (slot.isPaid && slot.count !== counted) return 'PAID_OTHERWISE'",
    why: 'one of them reverts the whole call (E48)',
  },
  {
    name: 'no more slots are paid than remain',
    file: 'connectors/evm/anchor-effects/payout-answer.ts',
    find: "if (free === 0) return 'NONE_REMAINING'\n",
    replace: '',
    why: 'one more underflows, and reverts the whole call',
  },
  {
    name: 'the number of a day is used that the contract has',
    file: 'connectors/evm/anchor-effects/payout-answer.ts',
    find: 'let free = eligibleNodes > 0 ? remaining : facts.eligibleOfRun',
    replace: 'let free = eligibleNodes > 0 ? slots.length + 0 * remaining : facts.eligibleOfRun',
    why: 'another sequencer may have closed the day with fewer slots',
  },
  {
    name: 'every call that pays carries the number',
    file: 'connectors/evm/anchor-effects/payout-answer.ts',
    find: 'eligibleNodes: isPaying ? number : 0',
    replace: 'eligibleNodes: isPaying && facts.eligibleNodes === 0 ? number : 0',
    why: 'a call without it marks slots as paid, and credits them nothing',
  },
  {
    name: 'a call that pays nobody carries no number',
    file: 'connectors/evm/anchor-effects/payout-answer.ts',
    find: 'eligibleNodes: isPaying ? number : 0',
    replace: 'eligibleNodes: isPaying ? number : number',
    why: 'it would be refused once nothing remains (E47)',
  },
  {
    name: 'no counts are told of a day that is being closed',
    file: 'connectors/evm/anchor-effects/payout-answer.ts',
    find: "if (eligibleNodes > 0) return 'DAY_CLOSED'\n",
    replace: 'void eligibleNodes\n',
    why: 'such a call marks slots as paid, and credits them nothing',
  },
  {
    name: 'a count on the contract is not lowered',
    file: 'connectors/evm/anchor-effects/payout-answer.ts',
    find: "return count < counted ? 'IN_CALL' : 'HIGHER_ON_CHAIN'",
    replace: "return count < counted ? 'IN_CALL' : 'IN_CALL'",
    why: 'another sequencer of the market may have seen more',
  },
  {
    name: 'a burned slot is left out',
    file: 'connectors/evm/anchor-effects/payout-answer.ts',
    find: "if (!slot.isAvailable) return 'UNAVAILABLE'\n    if (free",
    replace: 'if (free',
    why: 'the contract passes it over, and it would be told as paid, or take the place of another',
  },
  {
    name: 'a closing tells the counts again that may leave the chain',
    file: 'connectors/evm/anchor-effects/payout-answer.ts',
    find: "return part === 'PRESENT' && isFree ? 'IN_CALL' : part",
    replace: "return part === 'PRESENT' && isFree ? 'PRESENT' : part",
    why: 'the call that told them is given up once the chain has gone back behind it, and nobody tells them any more',
    uncaught:
      'the call of the counts must leave the chain and be reverted behind the dry run of the closing: one in 3,900 seeds; the answer’s own tests have it',
  },
  {
    name: 'who has a lowered quota only is not paid',
    file: 'connectors/evm/anchor-effects/payout-answer.ts',
    find: 'const isToBePaid = counted >= quota && counted >= facts.quota',
    replace: 'const isToBePaid = (counted >= quota || counted > 0) && counted >= facts.quota',
    why: 'the number does not have it, and it would take the share of another',
    seeds: 300, // an owner who lowers the quota between two calls, and a slot between the two quotas
  },
]

export const DAY_GUARDS: readonly Guard[] = [...CLOCK, ...LEDGER, ...PAYER, ...ANSWER]
