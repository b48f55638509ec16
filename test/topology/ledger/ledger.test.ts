/** The ledger of days: what counts, when a day ends, what is to be paid, and what comes too late. */
import { describe, expect, test } from 'vitest'
import { MARKET, OTHER_MARKET } from '../world.ts'
import { createDays } from './days.ts'

const all = (...slots: number[]): Record<number, string> => Object.fromEntries(slots.map((slot) => [slot, 'A']))

describe('counting', () => {
  test('default: per slot and day what was accepted, and what was for the winner', () => {
    const days = createDays()
    days.epoch(1, { day: 1, votes: { 1: 'A', 2: 'A', 3: 'B' }, shared: true })
    days.epoch(2, { day: 1, votes: all(1) })
    expect([...days.slotsOf(1)]).toEqual([
      [1, { accepted: 2, counted: 2, lastEpoch: 2, inPayout: 0 }],
      [2, { accepted: 1, counted: 1, lastEpoch: 1, inPayout: 0 }],
      [3, { accepted: 1, counted: 0, lastEpoch: 1, inPayout: 0 }],
    ])
    expect(days.day(1)).toEqual({
      ended: false,
      whole: true,
      quota: 2,
      epochs: [{ first: 1, last: 2 }],
      merged: false,
      closed: 2,
      late: 0,
      slots: 3,
      accepted: 4,
      counted: 3,
      eligibleSlots: 1,
      lastEpoch: 2,
      closeBlock: 16,
      firstBlock: 11,
      payouts: 0,
      paidUpTo: 0,
    })
  })

  test('behavior: votes without a quorum were accepted, and count for nothing', () => {
    const days = createDays({ market: { votesMin: 2 } })
    days.epoch(1, { day: 1, votes: all(1, 2) })
    expect(days.slotsOf(1).get(2)).toMatchObject({ accepted: 1, counted: 0 })
  })

  test('behavior: an epoch belongs to the day of its release, whenever it closes', () => {
    const days = createDays()
    const closeFirst = days.open(1, { day: 1, votes: all(1) })
    const closeSecond = days.open(2, { day: 2, votes: all(1) })
    closeSecond({ daysEnded: 0 })
    expect([days.day(1), days.day(2)]).toMatchObject([undefined, { counted: 1, whole: false }])
    closeFirst({ daysEnded: 1 })
    expect([days.day(1), days.day(2)]).toMatchObject([
      { counted: 1, ended: true },
      { counted: 1, ended: false },
    ])
  })

  test('behavior: the first block of a day is the lowest release, whichever closes first', () => {
    const days = createDays()
    const closeFirst = days.open(1, { day: 1, votes: all(1) })
    const closeSecond = days.open(2, { day: 1, votes: all(1) })
    closeSecond()
    expect(days.day(1)!.firstBlock).toBe(13)
    closeFirst()
    expect(days.day(1)!.firstBlock).toBe(11)
  })

  test('behavior: an epoch without a day is in none, and the day behind it is not whole', () => {
    const days = createDays()
    days.epoch(1, { day: 0, votes: all(1) })
    days.epoch(2, { day: 1, votes: all(1) })
    expect(days.day(0)).toBeUndefined()
    expect(days.day(1)).toMatchObject({ counted: 1, whole: false })
  })

  test('behavior: another quota in the course of the day counts for all slots of it', () => {
    const days = createDays()
    days.epoch(1, { day: 1, votes: all(1, 2) })
    days.epoch(2, { day: 1, votes: all(1) })
    expect(days.day(1)).toMatchObject({ quota: 2, eligibleSlots: 1 })
    days.epoch(3, { day: 1, dailyQuota: 1, votes: all(3) })
    expect(days.day(1)).toMatchObject({ quota: 1, eligibleSlots: 3 })
  })

  test('args: `off` keeps nothing', () => {
    const days = createDays({ market: { rewards: 'off' } })
    days.epoch(1, { day: 1, votes: all(1) })
    expect([days.driver.read(days.topics.days), days.driver.read(days.topics.slotDays)]).toEqual([[], []])
    const tallies = days.driver.read(days.topics.tallies).filter(({ value }) => !('tick' in value))
    expect(tallies).toEqual([])
  })

  test('behavior: what settle sends once more counts once', () => {
    const days = createDays({ partitions: 2 })
    days.epoch(1, { day: 1, votes: all(1, 2) })
    days.epoch(2, { day: 2, daysEnded: 1, votes: all(1) })
    const rows = () => [days.day(1), days.day(2), [...days.slotsOf(1)], [...days.slotsOf(2)], days.payouts()]
    const before = rows()
    settleAgain(days)
    const { driver, topics } = days
    expect(driver.read(topics.tallies).filter(({ value }) => 'talliedEpoch' in value)).toHaveLength(6)
    expect(rows()).toEqual(before)
  })

  test('behavior: nor does it count when the day is not kept any more', () => {
    const days = createDays({ market: { daysKept: 3, payoutEpochs: 1 } })
    for (let day = 1; day <= 5; day++) days.epoch(day, { day, daysEnded: day - 1, votes: all(1) })
    const written = () => [days.payouts(), days.driver.readRaw(days.topics.days.name).length]
    const before = written()
    settleAgain(days)
    expect(written()).toEqual(before)
  })

  test('behavior: of all tasks, which are told of every CLOSE, the one that has the market writes', () => {
    const days = createDays({ partitions: 5 })
    days.epoch(1, { day: 1, votes: all(1) })
    days.epoch(2, { day: 1 })
    expect(days.driver.read(days.topics.days)).toHaveLength(2)
  })
})

/** All finalizations and markers once more, as after a reset of settle. */
function settleAgain({ driver, topics }: ReturnType<typeof createDays>): void {
  const { name, partitions } = topics.finalizations
  const raw = driver.readRaw(name)
  // Offsets begin anew with each partition.
  const begins = [...raw.keys()].filter((at) => raw[at]!.offset === 0)
  expect(begins).toHaveLength(partitions)
  for (const [partition, from] of begins.entries())
    for (const { timestamp, key, value } of raw.slice(from, begins[partition + 1]))
      driver.appendRaw({ topic: name, partition, timestamp, key, value })
  driver.run()
}

describe('the end of a day', () => {
  test('default: the CLOSE that says so ends it, and all its slots are to be paid in one frozen list', () => {
    const days = createDays()
    days.epoch(1, { day: 1, votes: all(3, 1) })
    days.epoch(2, { day: 1, votes: all(1) })
    expect(days.payouts()).toEqual([])
    days.epoch(3, { day: 2, daysEnded: 1, votes: all(1) })
    expect(days.payouts()).toEqual([
      {
        payoutOf: 1,
        epochId: 3,
        number: 0,
        purpose: 'CLOSING',
        part: 0,
        parts: 1,
        slotIds: [1, 3],
        submissions: [2, 1],
        closeBlock: 19,
        firstBlock: 11,
        quota: 2,
      },
    ])
    expect(days.day(1)).toMatchObject({ ended: true, payouts: 1, paidUpTo: 2 })
    expect(days.slotsOf(1).get(1)).toMatchObject({ inPayout: 2 })
  })

  test('behavior: a day is paid when its last epoch says so itself, and once', () => {
    const days = createDays()
    const last = days.open(1, { day: 1, votes: all(1) })
    days.open(2, { day: 2 })
    last({ daysEnded: 1 })
    expect(days.payouts()).toHaveLength(1)
    days.epoch(3, { day: 2, daysEnded: 1 })
    expect(days.payouts()).toHaveLength(1)
  })

  test('args: `counts` tells the contract nothing', () => {
    const days = createDays({ market: { rewards: 'counts', payoutEpochs: 1 } })
    days.epoch(1, { day: 1, votes: all(1) })
    days.epoch(2, { day: 2, daysEnded: 1, votes: all(1) })
    expect([days.day(1)?.ended, days.payouts()]).toEqual([true, []])
  })

  test('behavior: a day that is not whole is not paid; the one behind it is', () => {
    const days = createDays()
    days.epoch(7, { day: 3, votes: all(1) })
    days.epoch(8, { day: 4, daysEnded: 3, votes: all(1) })
    expect([days.day(3), days.payouts()]).toMatchObject([{ ended: true, whole: false }, []])
    days.epoch(9, { day: 5, daysEnded: 4 })
    expect(days.payouts()).toMatchObject([{ payoutOf: 4, slotIds: [1], submissions: [1] }])
  })

  test('behavior: an epoch that the ledger never had leaves its day unpaid, one that the owner skipped does not', () => {
    const missing = createDays()
    missing.epoch(1, { day: 1, votes: all(1) })
    missing.epoch(3, { day: 1, votes: all(1) })
    missing.epoch(4, { day: 2, daysEnded: 1 })
    expect([missing.day(1)?.whole, missing.payouts()]).toEqual([false, []])

    const skipped = createDays()
    skipped.epoch(1, { day: 1, votes: all(1) })
    skipped.epoch(3, { day: 1, skippedFrom: 2, votes: all(1) })
    skipped.epoch(5, { day: 2, skippedFrom: 4, daysEnded: 1 })
    expect(skipped.payouts()).toMatchObject([{ payoutOf: 1, submissions: [2] }])
    expect(skipped.day(2)).toMatchObject({ whole: true, epochs: [{ first: 4, last: 5 }] })
  })

  test('behavior: a release that opened no epoch leaves no gap: the day is paid over those that count', () => {
    const days = createDays()
    days.epoch(1, { day: 1, votes: all(1) })
    days.epoch(3, { day: 1, refusedFrom: 2, votes: all(1) })
    // The last of the day opened none either, and one was skipped before it.
    days.epoch(6, { day: 2, refusedFrom: 4, daysEnded: 1 })
    expect(days.day(1)).toMatchObject({ whole: true, ended: true, closed: 2, epochs: [{ first: 1, last: 3 }] })
    expect(days.payouts()).toMatchObject([{ payoutOf: 1, slotIds: [1], submissions: [2] }])
    expect(days.day(2)).toMatchObject({ whole: true, closed: 1, epochs: [{ first: 4, last: 6 }] })
  })

  test('behavior: an epoch that comes late is counted and told, and changes no payout', () => {
    const days = createDays()
    days.epoch(1, { day: 1, votes: all(1) })
    days.epoch(2, { day: 2, daysEnded: 1 })
    days.epoch(3, { day: 1, daysEnded: 1, votes: all(1) })
    expect(days.day(1)).toMatchObject({ counted: 2, late: 1, ended: true })
    expect(days.payouts()).toMatchObject([{ submissions: [1] }])
  })

  test('behavior: a day that was whole when it ended stays so, whatever comes late: its payouts are sent', () => {
    const days = createDays()
    days.epoch(1, { day: 1, votes: all(1) })
    days.epoch(2, { day: 2, daysEnded: 1 })
    days.epoch(3, { day: 1, daysEnded: 1, votes: all(1) }) // the counter was put back over this release
    expect(days.day(1)).toMatchObject({ late: 1, whole: true, epochs: [{ first: 1 }, { first: 3 }] })
  })

  test('behavior: of a day that has ended no counts are told, though an epoch comes late and leaves no gap', () => {
    const days = createDays({ market: { payoutEpochs: 1 } })
    days.epoch(1, { day: 1, votes: all(1) })
    days.epoch(3, { day: 2, daysEnded: 1 })
    const told = days.payouts()
    expect(told.map(({ payoutOf, purpose }) => [payoutOf, purpose])).toEqual([
      [1, 'COUNTS'],
      [1, 'CLOSING'],
    ])
    days.epoch(2, { day: 1, daysEnded: 1, votes: all(1) })
    expect(days.day(1)).toMatchObject({ counted: 2, late: 1, ended: true, whole: true })
    expect(days.payouts()).toEqual(told)
  })

  test('behavior: a day that nobody earned anything in has no payout', () => {
    const days = createDays()
    days.epoch(1, { day: 1 })
    days.epoch(2, { day: 2, daysEnded: 1 })
    expect([days.day(1)?.ended, days.payouts()]).toEqual([true, []])
  })

  test('args: payoutGasMax cuts the list, each slot in one payout', () => {
    const days = createDays({ market: { payoutGasMax: 500_000 } })
    days.epoch(1, { day: 1, votes: all(1, 2, 3, 4, 5) })
    days.epoch(2, { day: 2, daysEnded: 1 })
    expect(days.payouts().map(({ number, part, parts, slotIds }) => [number, part, parts, slotIds])).toEqual([
      [0, 0, 3, [1, 2]],
      [1, 1, 3, [3, 4]],
      [2, 2, 3, [5]],
    ])
  })

  test('behavior: two days that end at once are two runs with numbers of their own', () => {
    const days = createDays()
    days.epoch(1, { day: 1, votes: all(1) })
    days.epoch(2, { day: 2, votes: all(2) })
    days.epoch(3, { day: 9, daysEnded: 8 })
    expect(days.payouts().map(({ payoutOf, number, slotIds }) => [payoutOf, number, slotIds])).toEqual([
      [1, 0, [1]],
      [2, 1, [2]],
    ])
  })
})

describe('in the course of a day', () => {
  test('args: after payoutEpochs the slots whose count has changed', () => {
    const days = createDays({ market: { payoutEpochs: 2 } })
    const dailyQuota = 9
    days.epoch(1, { day: 1, dailyQuota, votes: all(1, 2) })
    days.epoch(2, { day: 1, dailyQuota, votes: all(1) })
    days.epoch(3, { day: 1, dailyQuota, votes: all(2) })
    days.epoch(4, { day: 1, dailyQuota })
    expect(days.payouts().map(({ purpose, epochId, slotIds, submissions }) => [purpose, epochId, slotIds, submissions]))
      // biome-ignore format: a row for each
      .toEqual([
      ['COUNTS', 2, [1, 2], [2, 1]],
      ['COUNTS', 4, [2], [2]],
    ])
  })

  test('behavior: while an epoch is missing that may still close, none is told', () => {
    const days = createDays({ market: { payoutEpochs: 1 } })
    const first = days.open(1, { day: 1, dailyQuota: 9, votes: all(1) })
    days.epoch(2, { day: 1, dailyQuota: 9, votes: all(1) })
    expect(days.payouts()).toEqual([])
    first()
    expect(days.payouts()).toMatchObject([{ purpose: 'COUNTS', epochId: 1, submissions: [2] }])
  })

  test('behavior: slots at the quota are told in the closing alone, and when the quota is above them again', () => {
    const days = createDays({ market: { payoutEpochs: 1 } })
    days.epoch(1, { day: 1, dailyQuota: 2, votes: all(1, 2) })
    days.epoch(2, { day: 1, dailyQuota: 2, votes: all(1) })
    days.epoch(3, { day: 1, dailyQuota: 3 })
    days.epoch(4, { day: 1, dailyQuota: 3, votes: all(1) })
    days.epoch(5, { day: 2, daysEnded: 1 })
    expect(days.payouts().map(({ purpose, epochId, slotIds, submissions }) => [purpose, epochId, slotIds, submissions]))
      // biome-ignore format: a row for each
      .toEqual([
      ['COUNTS', 1, [1, 2], [1, 1]],
      ['COUNTS', 3, [1], [2]],
      ['CLOSING', 5, [1, 2], [3, 1]],
    ])
  })
})

describe('what is kept', () => {
  test('args: daysKept days, and of older ones tombstones', () => {
    const days = createDays({ market: { daysKept: 3 } })
    for (let day = 1; day <= 5; day++) days.epoch(day, { day, daysEnded: day - 1, votes: all(1, 2) })
    expect(days.driver.rows(days.topics.days).map(({ key }) => key.day)).toEqual([3, 4, 5])
    expect([days.slotsOf(2).size, days.slotsOf(3).size]).toEqual([0, 2])
    expect(days.driver.store(days.stores.ledger.slotDays, 0).size).toBe(6)
    expect(days.payouts().map(({ payoutOf }) => payoutOf)).toEqual([1, 2, 3, 4])
  })

  test('behavior: a day counter that goes far ahead and back again costs no day', () => {
    const days = createDays({ market: { daysKept: 3 } })
    days.epoch(1, { day: 1, votes: all(1) })
    days.epoch(2, { day: 1_000_000, daysEnded: 999_999 })
    days.epoch(3, { day: 2, daysEnded: 1, votes: all(1) })
    days.epoch(4, { day: 3, daysEnded: 2, votes: all(1) })
    expect(days.payouts().map(({ payoutOf }) => payoutOf)).toEqual([1, 2])
  })

  test('behavior: tallies of an epoch go when it closes', () => {
    const days = createDays()
    days.epoch(1, { day: 1, votes: all(1, 2) })
    expect([...days.driver.store(days.stores.ledger.tallies, 0).scopes()]).toEqual([])
  })

  test('behavior: a restart in the midst of an epoch and of a day changes nothing', () => {
    const days = createDays({ market: { payoutEpochs: 2 } })
    const restart = () => days.driver.restart('ledger', 0)
    const close = days.open(1, { day: 1, dailyQuota: 9, votes: all(1, 2) })
    restart()
    close()
    restart()
    days.epoch(2, { day: 1, dailyQuota: 9, votes: all(1) })
    restart()
    days.epoch(3, { day: 2, daysEnded: 1 })
    expect(days.payouts()).toMatchObject([
      { purpose: 'COUNTS', submissions: [2, 1] },
      { purpose: 'CLOSING', submissions: [2, 1] },
    ])
  })

  test('behavior: markets do not see each other', () => {
    const days = createDays()
    days.epoch(1, { day: 1, votes: all(1) })
    expect(days.day(1, OTHER_MARKET)).toBeUndefined()
    expect(days.day(1, MARKET)).toMatchObject({ counted: 1 })
  })
})
