import { expect, test } from 'vitest'
import { unseenEpoch } from '../../../../ops/reading/progress.ts'
import { EpochLedger } from '../../../../ops/watch/metrics/epoch-ledger.ts'
import type { Anchor } from '../../../../schemas/types.ts'

const seconds = (at: number, past = false) => ({ at: at * 1_000, past })
const row = (state: Anchor['state']): Anchor => ({ state, attestations: [] as Anchor['attestations'] }) as Anchor

function world(epochId = 7) {
  const told: string[] = []
  const ledger = new EpochLedger({
    left: ({ epochId: id }, phase, took) => told.push(`${id} left ${phase} after ${took}`),
    ended: ({ epochId: id }, outcome, took) =>
      told.push(`${id} ${outcome}${took === undefined ? '' : ` after ${took}`}`),
  })
  const epoch = { ...unseenEpoch('0xaa', epochId), releaseBlock: 100 }
  const anchor = (index: number, state: Anchor['state'], at: number, past = false) => {
    epoch.anchors.set(index, row(state))
    ledger.look(epoch, seconds(at, past))
  }
  return { told, ledger, epoch, anchor }
}

const phases = (ledger: EpochLedger) =>
  ledger.standings().map(({ phase, oldest, since }) => [phase, oldest, since / 1_000])

test('default: an epoch passes every phase, each is timed, and it ends anchored', () => {
  const { told, ledger, epoch, anchor } = world()
  ledger.released(epoch, seconds(0))
  epoch.closeBlock = 110
  ledger.look(epoch, seconds(30))
  expect(phases(ledger)).toEqual([['tally', 7, 30]])
  epoch.batches = 1
  ledger.look(epoch, seconds(31))
  anchor(0, 'PLANNED', 32)
  anchor(-1, 'PLANNED', 32)
  expect(phases(ledger)).toEqual([['store', 7, 31]])
  anchor(0, 'STORED', 33)
  expect(phases(ledger)).toEqual([['mine', 7, 33]])
  anchor(0, 'MINED', 40)
  expect(phases(ledger)).toEqual([['mine', 7, 33]])
  anchor(0, 'FINAL', 50)
  expect(phases(ledger)).toEqual([['end', 7, 50]])
  anchor(-1, 'FINAL', 60)
  expect(ledger.standings()).toEqual([])
  expect(told).toEqual([
    '7 left open after 30',
    '7 left tally after 1',
    '7 left store after 2',
    '7 left mine after 17',
    '7 left end after 10',
    '7 anchored after 60',
  ])
})

test('behavior: a late batch is told at once, and the end of its epoch is no success', () => {
  const { told, ledger, epoch, anchor } = world()
  ledger.released(epoch, seconds(0))
  anchor(0, 'LATE', 5)
  anchor(1, 'FINAL', 6)
  anchor(-1, 'FINAL', 7)
  expect(told.filter((line) => !line.includes('left'))).toEqual(['7 late'])
})

test('behavior: an epoch without a batch ends for want of submissions, or of a quorum', () => {
  for (const [projectsWithoutQuorum, cause] of [
    [0, 'no_submissions'],
    [2, 'no_quorum'],
  ] as const) {
    const { told, ledger, epoch, anchor } = world()
    ledger.released(epoch, seconds(0))
    Object.assign(epoch, { projectsWithoutQuorum, batches: 0 })
    anchor(-1, 'FINAL', 9)
    expect(told.at(-1)).toBe(`7 ${cause} after 9`)
  }
})

test('behavior: what was before counts for where an epoch stands, and is told of nobody', () => {
  const { told, ledger, epoch, anchor } = world()
  ledger.released(epoch, seconds(0, true))
  epoch.closeBlock = 110
  anchor(0, 'SENT', 20, true)
  anchor(-1, 'PLANNED', 21, true)
  expect(phases(ledger)).toEqual([['mine', 7, 21]])
  expect(told).toEqual([])
  const ended = world()
  ended.ledger.released(ended.epoch, seconds(0, true))
  ended.anchor(-1, 'FINAL', 30, true)
  expect(ended.ledger.standings()).toEqual([])
  expect(ended.told).toEqual([])
})

test('behavior: a release in a block that left the chain is none; of a closed epoch it is believed', () => {
  const { ledger, epoch } = world()
  ledger.released(epoch, seconds(0))
  ledger.orphaned(101)
  expect(phases(ledger)).toEqual([['open', 7, 0]])
  ledger.orphaned(100)
  expect(ledger.standings()).toEqual([])
})

test('behavior: of several epochs in a phase the one that came to it first is named', () => {
  const { ledger, epoch } = world(7)
  ledger.released(epoch, seconds(10))
  ledger.released({ ...epoch, epochId: 8 }, seconds(5))
  ledger.released({ ...epoch, epochId: 9 }, seconds(20))
  expect(ledger.standings()).toMatchObject([{ epochs: 3, oldest: 8, since: 5_000 }])
})
