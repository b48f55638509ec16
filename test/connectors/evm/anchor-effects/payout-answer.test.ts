import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { agreedPrepare } from '../../../../connectors/evm/agreed-readings.ts'
import { resultOf } from '../../../../connectors/evm/anchor-effects/anchor-result.ts'
import { answerOf, dayOver, outcomeOf, waitsForQuota } from '../../../../connectors/evm/anchor-effects/payout-answer.ts'
import { bitsOf, hasBit, rewardCall, whyClosingNot } from '../../../../connectors/evm/anchor-effects/payout-call.ts'
import type { PayoutFacts, SlotFacts } from '../../../../connectors/evm/anchor-effects/payout-facts.ts'
import { isEarly } from '../../../../connectors/evm/anchor-effects/payout-prepare.ts'
import { protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import type { Ask } from '../../../../connectors/evm/nodes/ask.ts'
import { createRpc } from '../../../../connectors/evm/nodes/rpc.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import type { LeftOutReason, Payout, PayoutAnswer } from '../../../../schemas/types.ts'

const QUOTA = 10

/** Slots from 1 on, with these counts. */
const payoutOf = (submissions: readonly number[], purpose: Payout['purpose'] = 'CLOSING'): Payout => ({
  ...{ payoutOf: 3, epochId: 60, number: 0, purpose, part: 0, parts: 1, closeBlock: 9, firstBlock: 1, quota: QUOTA },
  slotIds: submissions.map((_, i) => i + 1),
  submissions: [...submissions],
})

const slot = (count = 0, isPaid = false, isAvailable = true): SlotFacts => ({
  ...{ count, isPaid, isAvailable },
  isMarked: isPaid,
})
/** Somebody has told it without a number, once there was one. */
const inVain = (count: number): SlotFacts => ({ ...slot(count), isMarked: true })

const factsOf = (slots: readonly SlotFacts[], more: Partial<PayoutFacts> = {}): PayoutFacts => ({
  ...{ quota: QUOTA, eligibleNodes: 0, remaining: 0, eligibleLeft: 0 },
  slots,
  ...more,
})

const inCall = ({ slots }: PayoutAnswer, { slotIds }: Payout): number[] => slotIds.filter((_, at) => hasBit(slots, at))
const reasons = ({ leftOut }: PayoutAnswer): [number, LeftOutReason][] =>
  leftOut.map(({ slotId, reason }) => [slotId, reason])

describe('a closing', () => {
  it('default: the first call carries the number of all available slots of the run at the quota', () => {
    const payout = payoutOf([10, 9, 12, 3])
    const facts = factsOf([slot(), slot(), slot(), slot(2)], { eligibleLeft: 7 })
    const answer = answerOf(payout, facts, 0)
    expect([inCall(answer, payout), answer.eligibleNodes, answer.quota]).toEqual([[1, 2, 3, 4], 7, QUOTA])
    expect([answer.present, answer.leftOut]).toEqual([0, []])
  })

  it.each([
    ['one is paid', 10, 0],
    ['a count is told', 9, 8],
  ])(
    'behavior: a call tells the counts again that are there already, for they may leave the chain: %s',
    (_, ours, there) => {
      const payout = payoutOf([ours, 9, 3])
      const answer = answerOf(payout, factsOf([slot(there), slot(9), slot(3)], { eligibleLeft: 1 }), 0)
      expect([inCall(answer, payout), answer.present, answer.leftOut]).toEqual([[1, 2, 3], 0, []])
    },
  )

  it('behavior: no call is made for counts that are there already', () => {
    const payout = payoutOf([10, 9, 3])
    const slots = [slot(10, true), slot(9), slot(3)]
    const answer = answerOf(payout, factsOf(slots, { eligibleNodes: 2, remaining: 1 }), QUOTA)
    expect([inCall(answer, payout), answer.present]).toEqual([[], 3])
  })

  it('behavior: a count that is there is not told again where the call would pay it, or passes it over', () => {
    const payout = payoutOf([12, 9, 5])
    const slots = [slot(), slot(9), slot(5, false, false)]
    const answer = answerOf(payout, factsOf(slots, { quota: 8, eligibleNodes: 3, remaining: 2 }), QUOTA)
    expect([inCall(answer, payout), answer.present]).toEqual([[1], 2])
  })

  it('behavior: a number that the contract has is used, and no more slots than remain', () => {
    const payout = payoutOf([10, 11, 12, 13])
    const slots = [slot(10, true), slot(), slot(), slot()]
    const answer = answerOf(payout, factsOf(slots, { eligibleNodes: 3, remaining: 2 }), QUOTA)
    expect([inCall(answer, payout), answer.eligibleNodes, answer.present]).toEqual([[2, 3], 3, 1])
    expect(reasons(answer)).toEqual([[4, 'NONE_REMAINING']])
  })

  it.each([
    ['we fix it', {}, 0, false],
    ['somebody else has', { eligibleNodes: 3, remaining: 2 }, 0, true],
    ['a call of the run has', { eligibleNodes: 3, remaining: 2 }, QUOTA, false],
  ])('behavior: the answer says whether the number was found: %s', (_, facts, heldTo, isFound) => {
    const answer = answerOf(payoutOf([10]), factsOf([slot()], { eligibleLeft: 1, ...facts }), heldTo)
    expect(answer.numberFound).toBe(isFound)
  })

  it('behavior: a slot that was paid is never sent again, whatever the count', () => {
    const payout = payoutOf([10, 11])
    const slots = [slot(10, true), slot(10, true)]
    const answer = answerOf(payout, factsOf(slots, { eligibleNodes: 5, remaining: 3 }), 0)
    expect([inCall(answer, payout), answer.eligibleNodes]).toEqual([[], 0])
    expect(answer.leftOut).toEqual([{ slotId: 2, counted: 11, onChain: 10, reason: 'PAID_OTHERWISE' }])
  })

  it('behavior: a slot that somebody has marked, and that got nothing, is told as that, and never as paid', () => {
    const payout = payoutOf([10, 11, 12, 4, 5])
    const slots = [inVain(10), inVain(12), slot(12, true), inVain(4), inVain(12)]
    const answer = answerOf(payout, factsOf(slots, { eligibleNodes: 9, remaining: 4 }), 0)
    expect([inCall(answer, payout), answer.present, answer.paidBefore, answer.paid]).toEqual([[], 2, [3], 1])
    expect(reasons(answer)).toEqual([
      [1, 'MARKED_UNPAID'],
      [2, 'MARKED_UNPAID'],
      [5, 'MARKED_UNPAID'],
    ])
  })

  it('behavior: an unpaid slot at the quota is sent although its count is there', () => {
    const payout = payoutOf([10])
    expect(inCall(answerOf(payout, factsOf([slot(10)], { eligibleLeft: 1 }), 0), payout)).toEqual([1])
  })

  it('behavior: a count is not lowered, but for a slot that is to be paid', () => {
    const payout = payoutOf([9, 12])
    const answer = answerOf(payout, factsOf([slot(20), slot(20)], { eligibleLeft: 1 }), 0)
    expect(inCall(answer, payout)).toEqual([2])
    expect(reasons(answer)).toEqual([[1, 'HIGHER_ON_CHAIN']])
  })

  it('behavior: a burned slot is left out, with or without pay', () => {
    const payout = payoutOf([12, 5, 5])
    const burned = (count: number) => slot(count, false, false)
    const answer = answerOf(payout, factsOf([burned(0), burned(0), burned(5)]), 0)
    expect(inCall(answer, payout)).toEqual([])
    expect([reasons(answer), answer.present]).toEqual([
      [
        [1, 'UNAVAILABLE'],
        [2, 'UNAVAILABLE'],
      ],
      1,
    ])
  })

  it('behavior: a call that pays nobody carries no number once nothing remains of it', () => {
    const answer = answerOf(payoutOf([3]), factsOf([slot()], { eligibleNodes: 4, remaining: 0 }), QUOTA)
    expect(answer.eligibleNodes).toBe(0)
  })

  it.each([
    ['ours', QUOTA],
    ['that of somebody else, which holds the run to no quota', 0],
  ])('behavior: a call that is to pay nobody carries the number while any remain: %s', (_, heldTo) => {
    const payout = payoutOf([12, 3])
    const answer = answerOf(payout, factsOf([slot(), slot()], { quota: 1000, eligibleNodes: 4, remaining: 2 }), heldTo)
    expect(answer).toMatchObject({ eligibleNodes: 4, quota: heldTo, contractQuota: 1000 })
    expect([inCall(answer, payout), reasons(answer)]).toEqual([[1, 2], [[1, 'QUOTA_RAISED']]])
  })

  it.each([[10], [12], [15]])(
    'behavior: the quota is put back ahead of our call in its block: who is marked is paid, and nobody calls it unpaid (%d)',
    (counted) => {
      const payout = payoutOf([counted, 3])
      const day = { quota: 1000 }
      const contract = createContract(factsOf([slot(), slot()], { eligibleNodes: 4, remaining: 2 }), day)
      const answer = answerOf(payout, contract.facts([payout], payout.slotIds), QUOTA)
      day.quota = QUOTA
      contract.call(payout, answer)
      expect([contract.paid, contract.numbers().remaining]).toEqual([[true, false], 1])
      const outcome = outcomeOf(payout, answer, contract.facts([payout], payout.slotIds))
      expect([outcome.leftOut, outcome.paidBefore]).toEqual([[], [1]])
    },
  )

  it('behavior: a quota that was lowered since the run has paid lets nobody in', () => {
    const payout = payoutOf([9, 10])
    const facts = factsOf([slot(), slot()], { quota: 8, eligibleNodes: 3, remaining: 2 })
    const answer = answerOf(payout, facts, QUOTA)
    expect(inCall(answer, payout)).toEqual([2])
    expect(reasons(answer)).toEqual([[1, 'QUOTA_LOWERED']])
  })

  it('behavior: a quota that was raised since keeps from pay, and the count is told', () => {
    const payout = payoutOf([10, 11, 15])
    const facts = factsOf([slot(), slot(11), slot()], { quota: 12, eligibleNodes: 3, remaining: 3 })
    const answer = answerOf(payout, facts, QUOTA)
    expect([inCall(answer, payout), answer.eligibleNodes]).toEqual([[1, 2, 3], 3])
    expect(reasons(answer)).toEqual([
      [1, 'QUOTA_RAISED'],
      [2, 'QUOTA_RAISED'],
    ])
  })

  it('behavior: who has earned the day and is below a quota that was raised behind it is told, and no number is fixed', () => {
    const payout = payoutOf([10, 4, 12])
    const answer = answerOf(payout, factsOf([slot(10), slot(), slot()], { quota: 15 }), 0)
    expect([inCall(answer, payout), answer.eligibleNodes, answer.quota]).toEqual([[1, 2, 3], 0, 15])
    expect(answer.leftOut).toEqual([
      { slotId: 1, counted: 10, onChain: 10, reason: 'QUOTA_RAISED' },
      { slotId: 3, counted: 12, onChain: 0, reason: 'QUOTA_RAISED' },
    ])
    expect(answerOf({ ...payout, quota: 0 }, factsOf([slot(10), slot(), slot()], { quota: 15 }), 0).leftOut).toEqual([])
  })

  it('behavior: while the contract has no number the quota is that of now, whatever the run was held to', () => {
    const payout = payoutOf([9])
    const answer = answerOf(payout, factsOf([slot()], { quota: 8, eligibleLeft: 1 }), QUOTA)
    expect([inCall(answer, payout), answer.eligibleNodes, answer.quota]).toEqual([[1], 1, 8])
  })
})

describe('a quota that was raised behind the day', () => {
  const waits = (
    counts: readonly number[],
    more: Partial<PayoutFacts>,
    slots = counts.map(() => slot()),
    heldTo = 0,
  ) => {
    const facts = factsOf(slots, more)
    return waitsForQuota(facts, answerOf(payoutOf(counts), facts, heldTo))
  }
  it.each([
    ['before there is a number', [10, 4, 16], { quota: 15, eligibleLeft: 1 }, 0, true],
    ['while some remain of the number', [10], { quota: 15, eligibleNodes: 2, remaining: 1 }, QUOTA, true],
    ['nobody who has earned the day is below it', [9, 16], { quota: 15, eligibleLeft: 1 }, 0, false],
    ['nothing remains of the number', [10], { quota: 15, eligibleNodes: 2, remaining: 0 }, QUOTA, false],
    ['it is back', [10], { eligibleLeft: 1 }, 0, false],
  ] as const)('behavior: slots wait for it: %s', (_, counts, facts, heldTo, isWaiting) => {
    expect(waits(counts, facts, undefined, heldTo)).toBe(isWaiting)
  })

  it.each([
    ['the first epoch', 1, 8, true],
    ['the last before three quarters', 13, 8, true],
    ['three quarters', 14, 8, false],
    ['its end', 16, 8, false],
    ['of a day of two epochs', 1, 2, true],
    ['of the second of two', 2, 2, false],
    ['of a contract that counts no days on', 1, 1, false],
  ] as const)('behavior: the rest of the day behind it is for its calls: %s', (_, epochId, perDay, isTime) => {
    expect(isEarly(epochId, perDay)).toBe(isTime)
  })
})

describe('counts', () => {
  it('default: slots with a lower count than ours, without a number', () => {
    const payout = payoutOf([4, 5, 6, 7], 'COUNTS')
    const answer = answerOf(payout, factsOf([slot(3), slot(5), slot(8), slot(0, false, false)]), 0)
    expect([inCall(answer, payout), answer.eligibleNodes, answer.present]).toEqual([[1], 0, 1])
    expect(reasons(answer)).toEqual([
      [3, 'HIGHER_ON_CHAIN'],
      [4, 'UNAVAILABLE'],
    ])
  })

  it('behavior: no slot at the quota: somebody may begin to close the day ahead of the call in its block', () => {
    const payout = payoutOf([4, 9, 12], 'COUNTS')
    const answer = answerOf(payout, factsOf([slot(3), slot(3), slot(3)], { quota: 9 }), 0)
    expect([inCall(answer, payout), reasons(answer)]).toEqual([
      [1],
      [
        [2, 'QUOTA_LOWERED'],
        [3, 'QUOTA_LOWERED'],
      ],
    ])
  })

  it('behavior: nothing once the day is being closed', () => {
    const payout = payoutOf([4, 5], 'COUNTS')
    const answer = answerOf(payout, factsOf([slot(3), slot(5)], { eligibleNodes: 1, remaining: 1 }), 0)
    expect(inCall(answer, payout)).toEqual([])
    expect(reasons(answer)).toEqual([[1, 'DAY_CLOSED']])
  })
})

describe('what became of it', () => {
  it('default: nothing to tell when the contract has what was sent', () => {
    const payout = payoutOf([10, 4])
    const sent = {
      slots: bitsOf([true, true]),
      eligibleNodes: 1,
      quota: QUOTA,
      contractQuota: QUOTA,
      numberFound: false,
    }
    const facts = factsOf([slot(10, true), slot(4)], { eligibleNodes: 1 })
    expect(outcomeOf(payout, sent, facts).leftOut).toEqual([])
  })

  it('behavior: slots of the call that the contract passed over, or did not pay', () => {
    const payout = payoutOf([12, 13, 11, 4, 5])
    const sent = {
      slots: bitsOf([true, true, true, true, false]),
      eligibleNodes: 3,
      quota: QUOTA,
      contractQuota: QUOTA,
      numberFound: false,
    }
    const slots = [slot(0, false, false), slot(13, true), slot(11), slot(9), slot(0)]
    expect(reasons(outcomeOf(payout, sent, factsOf(slots, { quota: 12, eligibleNodes: 3 })))).toEqual([
      [1, 'UNAVAILABLE'],
      [3, 'QUOTA_RAISED'],
      [4, 'HIGHER_ON_CHAIN'],
    ])
  })

  it.each(['COUNTS', 'CLOSING'] as const)(
    'behavior: slots of the call that were marked, and got nothing: %s',
    (purpose) => {
      const payout = payoutOf([12, 13, 4], purpose)
      const sent = {
        slots: bitsOf([true, true, true]),
        eligibleNodes: 0,
        quota: QUOTA,
        contractQuota: QUOTA,
        numberFound: false,
      }
      const outcome = outcomeOf(payout, sent, factsOf([inVain(12), slot(13, true), slot(4)], { eligibleNodes: 3 }))
      expect([reasons(outcome), outcome.paid]).toEqual([[[1, 'MARKED_UNPAID']], 1])
    },
  )

  it.each([
    ['ours', 3, 3, 3, false],
    ['of somebody else, ahead of it in its block', 3, 8, 8, true],
    ['a call without one', 0, 8, 0, false],
  ] as const)('behavior: the number is the one that the slots were paid by: %s', (_, told, there, number, isFound) => {
    const sent = { slots: bitsOf([true]), eligibleNodes: told, quota: QUOTA, contractQuota: QUOTA, numberFound: false }
    const outcome = outcomeOf(
      payoutOf([12]),
      sent,
      factsOf([slot(12, told > 0)], { eligibleNodes: there, remaining: 2 }),
    )
    expect([outcome.eligibleNodes, outcome.numberFound]).toEqual([number, isFound])
  })

  it('behavior: who was left out of the pay, and got none, stays so', () => {
    const payout = payoutOf([12, 4])
    const sent = {
      slots: bitsOf([true, true]),
      eligibleNodes: 3,
      quota: QUOTA,
      contractQuota: 1000,
      numberFound: false,
    }
    const outcome = outcomeOf(
      payout,
      sent,
      factsOf([slot(12), slot(4)], { quota: 1000, eligibleNodes: 3, remaining: 2 }),
    )
    expect([reasons(outcome), outcome.paidBefore]).toEqual([[[1, 'QUOTA_RAISED']], []])
  })

  it('behavior: of a day that is over it is told what was not sent or not paid', () => {
    const slots = [slot(12), slot(13, true), slot(4), slot(0), inVain(12)]
    const answer = dayOver(payoutOf([12, 13, 4, 5, 12]), factsOf(slots))
    expect([answer.present, answer.eligibleNodes, answer.slots.length]).toEqual([2, 0, 0])
    expect(reasons(answer)).toEqual([
      [1, 'DAY_OVER'],
      [4, 'DAY_OVER'],
      [5, 'MARKED_UNPAID'],
    ])
  })
})

describe('a call whose quota or number is not that of its dry run any more', () => {
  const [NUMBER, OTHER] = [5, 6] as const
  it.each([
    ['as it was, before there is a number', 2, 10, 10, [10, 0, 0], undefined],
    ['another quota: raised', 2, 10, 10, [11, 0, 0], 'QUOTA_CHANGED'],
    ['another quota: lowered', 2, 10, 10, [9, 0, 0], 'QUOTA_CHANGED'],
    ['a call that pays nobody, before there is a number', 0, 15, 15, [3, 0, 0], 'QUOTA_CHANGED'],
    ['as it was, with a number', NUMBER, 10, 10, [10, NUMBER, 2], undefined],
    ['raised once there is a number', NUMBER, 10, 10, [11, NUMBER, 2], 'QUOTA_CHANGED'],
    ['back at the held quota, since a dry run at a raised one', NUMBER, 10, 15, [10, NUMBER, 2], 'QUOTA_CHANGED'],
    ['somebody has fixed a number, and the call carries none', 0, 15, 15, [15, NUMBER, 2], 'NUMBER_CHANGED'],
    ['somebody has fixed another number', NUMBER, 10, 10, [10, OTHER, 2], 'NUMBER_CHANGED'],
    ['nothing remains of the number: nobody is marked', 0, 10, 10, [10, NUMBER, 0], undefined],
    ['the quota of an answer of an older release', NUMBER, 10, 0, [10, NUMBER, 2], undefined],
  ] as const)('behavior: %s', (_, eligibleNodes, quota, contractQuota, [now, number, remaining], why) => {
    const sent = { slots: Buffer.of(1), eligibleNodes, quota, contractQuota, numberFound: false }
    expect(whyClosingNot(sent, { quota: now, eligibleNodes: number, remaining })).toBe(why)
  })
})

it.each([
  [true, 'NUMBER_CHANGED'],
  [false, undefined],
])('behavior: a number that was found is not fixed by our call, once it has left the chain: %s', (numberFound, why) => {
  const sent = { slots: Buffer.of(1), eligibleNodes: 9, quota: QUOTA, contractQuota: QUOTA, numberFound }
  expect(whyClosingNot(sent, { quota: QUOTA, eligibleNodes: 0, remaining: 0 })).toBe(why)
})

it('behavior: the call has the slots of the answer, and no others', () => {
  const market = `0x${'aa'.repeat(20)}`
  const payout = payoutOf([10, 11, 12, 13, 14, 15, 16, 17, 18])
  const flags = payout.slotIds.map((slotId) => slotId % 4 === 1)
  const { data } = rewardCall(
    { dataMarket: market },
    { slots: bitsOf(flags), eligibleNodes: 2, quota: QUOTA, contractQuota: QUOTA, numberFound: false },
    payout,
    `0x${'bb'.repeat(20)}`,
  )
  const [, slotIds, submissions, day, eligibleNodes] = protocolStateInterface.decodeFunctionData('updateRewards', data)
  expect([[...slotIds], [...submissions], day, eligibleNodes]).toEqual([[1n, 5n, 9n], [10n, 14n, 18n], 3n, 2n])
})

/** The contract, as its source has it. */
function createContract(start: PayoutFacts, day: { quota: number }) {
  const counts = start.slots.map(({ count }) => count)
  const paid = start.slots.map(({ isPaid }) => isPaid)
  let { eligibleNodes, remaining } = start
  return {
    facts: (run: readonly Payout[], slots: readonly number[]): PayoutFacts => ({
      ...{ day: 4, quota: day.quota, eligibleNodes, remaining },
      slots: slots.map((id) => slot(counts[id - 1], paid[id - 1], start.slots[id - 1]!.isAvailable)),
      eligibleLeft:
        eligibleNodes > 0
          ? 0
          : run
              .flatMap(({ slotIds, submissions }) => slotIds.filter((_, at) => submissions[at]! >= day.quota))
              .filter((id) => start.slots[id - 1]!.isAvailable).length,
    }),
    call(payout: Payout, answer: PayoutAnswer): void {
      if (answer.eligibleNodes > 0) {
        if (eligibleNodes === 0) remaining = eligibleNodes = answer.eligibleNodes
        else if (remaining === 0) throw new Error('E47')
      }
      for (const [at, slotId] of payout.slotIds.entries()) {
        if (!hasBit(answer.slots, at) || !start.slots[slotId - 1]!.isAvailable) continue
        if (paid[slotId - 1]) throw new Error('E48')
        counts[slotId - 1] = payout.submissions[at]!
        if (counts[slotId - 1]! < day.quota || eligibleNodes === 0) continue
        if (answer.eligibleNodes === 0) throw new Error('marked as paid, and paid nothing')
        if (--remaining < 0) throw new Error('Panic 0x11')
        paid[slotId - 1] = true
      }
    },
    paid,
    counts,
    numbers: () => ({ eligibleNodes, remaining }),
  }
}

it('behavior: no run meets E47, E48 or an underflow, whatever others did before, and whatever the quota becomes', () => {
  const aSlot = fc.record({ count: fc.nat(14), isPaid: fc.boolean(), isAvailable: fc.boolean(), ours: fc.nat(14) })
  fc.assert(
    fc.property(
      fc.array(aSlot, { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(6),
      fc.array(fc.integer({ min: 1, max: 14 }), { minLength: 1, maxLength: 8 }),
      (slots, perPayout, foreign, quotas) => {
        const day = { quota: quotas[0]! }
        const isForeign = foreign > 0
        const start = factsOf(
          slots.map(({ count, isPaid, isAvailable }) => slot(count, isForeign && isPaid, isAvailable)),
          { eligibleNodes: isForeign ? foreign + slots.length : 0, remaining: isForeign ? foreign - 1 : 0 },
        )
        const contract = createContract(start, day)
        const all = payoutOf(slots.map(({ ours }) => ours))
        const run = Array.from({ length: Math.ceil(slots.length / perPayout) }, (_, part): Payout => {
          const [from, to] = [part * perPayout, (part + 1) * perPayout]
          return { ...all, slotIds: all.slotIds.slice(from, to), submissions: all.submissions.slice(from, to), part }
        })
        let heldTo = 0
        for (const [part, payout] of run.entries()) {
          day.quota = quotas[part % quotas.length]!
          const answer = answerOf(payout, contract.facts(run, payout.slotIds), heldTo)
          contract.call(payout, answer)
          if (answer.eligibleNodes > 0 && answer.quota > 0) heldTo = answer.quota
        }
        for (const payout of run) contract.call(payout, answerOf(payout, contract.facts(run, payout.slotIds), heldTo)) // as after a crash
      },
    ),
    { numRuns: 3_000 },
  )
})

it('behavior: with one quota and nobody else all who have reached it are paid, and none remains', () => {
  const aSlot = fc.record({ isAvailable: fc.boolean(), ours: fc.nat(14) })
  fc.assert(
    fc.property(
      fc.array(aSlot, { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 5 }),
      (slots, perPayout) => {
        const start = factsOf(slots.map(({ isAvailable }) => slot(0, false, isAvailable)))
        const contract = createContract(start, { quota: QUOTA })
        const all = payoutOf(slots.map(({ ours }) => ours))
        const run = Array.from({ length: Math.ceil(slots.length / perPayout) }, (_, part): Payout => {
          const [from, to] = [part * perPayout, (part + 1) * perPayout]
          return { ...all, slotIds: all.slotIds.slice(from, to), submissions: all.submissions.slice(from, to), part }
        })
        for (const payout of run) contract.call(payout, answerOf(payout, contract.facts(run, payout.slotIds), QUOTA))
        expect(contract.paid).toEqual(slots.map(({ ours, isAvailable }) => isAvailable && ours >= QUOTA))
        expect(contract.counts).toEqual(slots.map(({ ours, isAvailable }) => (isAvailable ? ours : 0)))
        expect(contract.numbers().remaining).toBe(0)
        for (const payout of run)
          expect(inCall(answerOf(payout, contract.facts(run, payout.slotIds), QUOTA), payout)).toEqual([])
      },
    ),
    { numRuns: 500 },
  )
})

it('error: of two nodes that must agree, none decides alone who is paid', async () => {
  const options = { urls: ['a', 'b'], chainId: 1, timeoutMs: 1_000, batchMax: 1, agreement: 2 }
  const connect = (url: string) => ({
    ask: async (method: string) => (method === 'eth_chainId' ? '0x1' : url === 'a' ? 2 : 3),
    close: () => {},
  })
  const rpc = createRpc(options, { clock: systemClock, connect })
  const reading = (isOdd: boolean) => async (ask: Ask) => {
    const number = Number(await ask('number', []))
    const payout = {
      slots: Buffer.of(1),
      eligibleNodes: isOdd ? number : 2,
      quota: 9,
      contractQuota: 9,
      numberFound: false,
      present: 0,
      paidBefore: [],
      paid: 0,
      leftOut: [],
    }
    return resultOf({ step: 'PREPARE', attempt: 1, cid: '' }, 'READY', { nonce: 7, payout })
  }
  await expect(agreedPrepare(rpc, reading(true))).rejects.toMatchObject({ code: 'DISAGREEMENT' })
  expect(await agreedPrepare(rpc, reading(false))).toMatchObject({ outcome: 'READY' })
})
