import { expect, test } from 'vitest'
import { type ProgressRecord, withRecord } from '../../../../ops/reading/epoch-progress.ts'
import { followedEpoch } from '../../../../ops/reading/progress.ts'
import { UnfinishedEpochs } from '../../../../ops/watch/metrics/unfinished-epochs.ts'
import { END_OF_BATCHES } from '../../../../schemas/anchor-keys.ts'
import type { Anchor, EpochSummary } from '../../../../schemas/types.ts'
import { anchorOf, HASH, tickOf } from '../../look/fixture.ts'

const seconds = (at: number, past = false) => ({ at: at * 1_000, past })

function world(epochId = 7) {
  const told: string[] = []
  const unfinished = new UnfinishedEpochs({
    left: ({ epochId: id }, phase, took) => told.push(`${id} left ${phase} after ${took}`),
    ended: ({ epochId: id }, end, took) =>
      told.push(`${id} ${end === 'ANCHORED' ? 'anchored' : end}${took === undefined ? '' : ` after ${took}`}`),
  })
  const epoch = followedEpoch('0xaa', epochId)
  const fold = (record: ProgressRecord) => {
    epoch.progress = withRecord(epoch.progress, record)
  }
  const released = (at: number, past = false, block = 100) => {
    fold({ at, tick: tickOf({ kind: 'OPEN', epochId, releaseBlock: block, blockNumber: block }) })
    unfinished.released(epoch, seconds(at, past))
  }
  const closed = (at: number, past = false) => {
    fold({ at, tick: tickOf({ kind: 'CLOSE', epochId, blockNumber: 110 }) })
    unfinished.look(epoch, seconds(at, past))
  }
  const orphaned = (blockNumber: number, at: number) => {
    fold({ at, tick: tickOf({ kind: 'ORPHAN', dataMarket: '', epochId: 0, blockNumber }) })
    unfinished.look(epoch, seconds(at))
  }
  const summarised = (batches: number, at: number, projectsWithoutQuorum = 0) => {
    fold({ at, summary: { batches, projects: batches, projectsWithoutQuorum, submissions: 1 } as EpochSummary })
    unfinished.look(epoch, seconds(at))
  }
  const anchor = (batchIndex: number, state: Anchor['state'], at: number, past = false) => {
    const blockHash = state === 'MINED' || state === 'FINAL' ? HASH : ''
    fold({ at, batchIndex, anchor: anchorOf({ state, cid: state === 'PLANNED' ? '' : 'bafy', blockHash }) })
    unfinished.look(epoch, seconds(at, past))
  }
  return { told, unfinished, epoch, released, closed, orphaned, summarised, anchor }
}

const phases = (unfinished: UnfinishedEpochs) =>
  unfinished.standings().map(({ phase, oldest, since }) => [phase, oldest, since / 1_000])

test('default: an epoch passes every phase, each is timed, and it ends anchored', () => {
  const { told, unfinished, released, closed, summarised, anchor } = world()
  released(0)
  closed(30)
  expect(phases(unfinished)).toEqual([['COUNTING', 7, 30]])
  summarised(1, 31)
  anchor(0, 'PLANNED', 32)
  anchor(END_OF_BATCHES, 'PLANNED', 32)
  expect(phases(unfinished)).toEqual([['STORING', 7, 31]])
  anchor(0, 'STORED', 33)
  expect(phases(unfinished)).toEqual([['MINING', 7, 33]])
  anchor(0, 'MINED', 40)
  anchor(0, 'FINAL', 50)
  expect(phases(unfinished)).toEqual([['CONFIRMING', 7, 40]])
  anchor(END_OF_BATCHES, 'FINAL', 60)
  expect(unfinished.standings()).toEqual([])
  expect(told).toEqual([
    '7 left OPEN after 30',
    '7 left COUNTING after 1',
    '7 left STORING after 2',
    '7 left MINING after 7',
    '7 left CONFIRMING after 20',
    '7 anchored after 60',
  ])
})

test('behavior: a late batch is told at once, holds the phase, and the end of its epoch is no success', () => {
  const { told, unfinished, released, anchor } = world()
  released(0)
  anchor(0, 'SENT', 3)
  anchor(1, 'FINAL', 4)
  anchor(END_OF_BATCHES, 'PLANNED', 4)
  anchor(0, 'LATE', 5)
  expect(phases(unfinished)).toEqual([['MINING', 7, 4]])
  anchor(END_OF_BATCHES, 'FINAL', 7)
  expect(unfinished.standings()).toEqual([])
  expect(told.slice(-2)).toEqual(['7 left MINING after 1', '7 LATE'])
})

test('behavior: what follows after a batch is lost moves the epoch, and is timed no more', () => {
  const { told, unfinished, released, anchor } = world()
  released(0)
  anchor(0, 'SENT', 3)
  anchor(1, 'PLANNED', 3)
  anchor(0, 'LATE', 5)
  expect(phases(unfinished)).toEqual([['MINING', 7, 5]])
  anchor(END_OF_BATCHES, 'PLANNED', 6)
  anchor(1, 'FINAL', 8)
  anchor(END_OF_BATCHES, 'FINAL', 9)
  expect(told).toEqual(['7 left OPEN after 3', '7 left STORING after 2', '7 LATE'])
})

test('behavior: an epoch without a batch ends for want of submissions, or of a quorum', () => {
  for (const [withoutQuorum, outcome] of [
    [0, 'EMPTY'],
    [2, 'NO_QUORUM'],
  ] as const) {
    const { told, unfinished, released, closed, summarised, anchor } = world()
    released(0)
    closed(1)
    summarised(0, 2, withoutQuorum)
    expect(phases(unfinished)).toEqual([['CONFIRMING', 7, 2]])
    anchor(END_OF_BATCHES, 'FINAL', 9)
    expect(told.slice(-2)).toEqual(['7 left CONFIRMING after 7', `7 ${outcome}`])
  }
})

test('behavior: what was before counts for where an epoch stands, and is told of nobody', () => {
  const { told, unfinished, released, closed, anchor } = world()
  released(0, true)
  closed(10, true)
  anchor(0, 'SENT', 20, true)
  anchor(END_OF_BATCHES, 'PLANNED', 21, true)
  expect(phases(unfinished)).toEqual([['MINING', 7, 21]])
  expect(told).toEqual([])
  const ended = world()
  ended.released(0, true)
  ended.anchor(END_OF_BATCHES, 'FINAL', 30, true)
  expect(ended.unfinished.standings()).toEqual([])
  expect(ended.told).toEqual([])
})

test('behavior: an epoch that the chain takes back stands where it is again, and is counted once', () => {
  const { told, unfinished, released, anchor } = world()
  released(0)
  anchor(0, 'FINAL', 5)
  anchor(END_OF_BATCHES, 'FINAL', 6)
  anchor(0, 'REORGED', 20)
  expect(phases(unfinished)).toEqual([['MINING', 7, 20]])
  anchor(0, 'FINAL', 30)
  expect(unfinished.standings()).toEqual([])
  expect(told.filter((line) => line.includes('anchored'))).toEqual(['7 anchored after 6'])
})

test('behavior: a release in a block that left the chain is none, and the next one begins anew', () => {
  const { unfinished, released, orphaned } = world()
  released(0)
  orphaned(101, 1)
  expect(phases(unfinished)).toEqual([['OPEN', 7, 0]])
  orphaned(100, 2)
  expect(unfinished.standings()).toEqual([])
  released(5)
  expect(phases(unfinished)).toEqual([['OPEN', 7, 5]])
})

test('behavior: of several epochs in a phase the one that came to it first is named', () => {
  const { unfinished } = world()
  for (const [epochId, at] of [
    [7, 10],
    [8, 5],
    [9, 20],
  ] as const)
    unfinished.released(followedEpoch('0xaa', epochId), seconds(at))
  expect(unfinished.standings()).toMatchObject([{ epochs: 3, oldest: 8, since: 5_000 }])
})
