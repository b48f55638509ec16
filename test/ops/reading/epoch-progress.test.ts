/** The one fold of an epoch: what happened stays known, and the step that failed is the one that failed. */
import { describe, expect, test } from 'vitest'
import {
  type EpochProgress,
  endOf,
  hasEnded,
  lostOf,
  outcomeOf,
  type ProgressRecord,
  phaseOf,
  timesOf,
  unseenEpoch,
  withRecord,
} from '../../../ops/reading/epoch-progress.ts'
import { END_OF_BATCHES } from '../../../schemas/anchor-keys.ts'
import type { Anchor, AnchorState, EpochSummary, EpochTick, ProjectFinalization } from '../../../schemas/types.ts'
import { anchorOf, HASH, tickOf } from '../look/fixture.ts'

const EPOCH = 3
type Unplaced = ProgressRecord extends infer R ? (R extends ProgressRecord ? Omit<R, 'at'> : never) : never

/** One record each 100 ms. */
const fold = (records: readonly Unplaced[], begin = unseenEpoch(EPOCH), from = 100): EpochProgress =>
  records.reduce(
    (progress, record, i) => withRecord(progress, { ...record, at: from + i * 100 } as ProgressRecord),
    begin,
  )

const tick = (kind: EpochTick['kind'], fields: Partial<EpochTick> = {}) => ({
  tick: tickOf({ kind, epochId: EPOCH, ...fields }),
})
const summary = (batches: number, fields: Partial<EpochSummary> = {}) => {
  const blocks = { releaseBlock: 10, closeBlock: 16, closeBlockHash: HASH }
  const totals = { projects: batches, projectsWithoutQuorum: 0, submissions: 5 }
  return { summary: { summaryOf: EPOCH, batches, ...blocks, ...totals, ...fields } }
}
const finalization = (snapshotCid: string, part = 0) => ({
  finalization: { projectId: 'p', snapshotCid, votes: 2, voters: 3, part } as ProjectFinalization,
})
/** As the anchor stage writes it: a CID from STORED on, a block from MINED on. */
const anchor = (state: AnchorState, batchIndex = 0, fields: Partial<Anchor> = {}) => {
  const cid = state === 'PLANNED' || batchIndex === END_OF_BATCHES ? '' : 'bafybatch'
  const blockHash = state === 'MINED' || state === 'FINAL' ? HASH : ''
  return { batchIndex, anchor: anchorOf({ state, cid, blockHash, ...fields }) }
}
const ending = (state: AnchorState) => anchor(state, END_OF_BATCHES)
const anchors = (...states: AnchorState[]) => states.map((state) => anchor(state))

const CLOSED = fold([tick('OPEN'), tick('CLOSE', { blockNumber: 16 })])
const CUT = fold([summary(1), anchor('PLANNED'), ending('PLANNED')], CLOSED, 300)
const seen = (progress: EpochProgress) => [phaseOf(progress), outcomeOf(progress)]

describe('the phases', () => {
  test('default: each in its turn', () => {
    const cut = [summary(1), anchor('PLANNED'), ending('PLANNED')]
    const way = ['STORED', 'READY', 'SENT', 'MINED', 'FINAL'] as const
    const end = [ending('READY'), ending('SENT'), ending('MINED'), ending('FINAL')]
    const steps = [tick('OPEN'), tick('CLOSE'), ...cut, ...anchors(...way), ...end]
    const phases = steps.map((_, i) => phaseOf(fold(steps.slice(0, i + 1))))
    expect([phaseOf(unseenEpoch(EPOCH)), ...phases]).toEqual([
      'UNKNOWN',
      'OPEN',
      'COUNTING',
      ...Array(3).fill('STORING'),
      ...Array(3).fill('MINING'),
      ...Array(5).fill('CONFIRMING'),
      'ANCHORED',
    ])
    const attested = fold([...steps, anchor('FINAL', 0, { attested: true })])
    expect(seen(attested)).toEqual(['ATTESTED', null])
  })

  test('behavior: the least advanced batch decides, and as many as there are have to be seen', () => {
    expect(phaseOf(fold([summary(2), anchor('MINED')], CLOSED))).toBe('STORING')
    expect(phaseOf(fold([summary(2), anchor('MINED'), anchor('SENT', 1)], CLOSED))).toBe('MINING')
    expect(phaseOf(fold([anchor('FINAL'), anchor('MINED', 1)], CLOSED))).toBe('STORING')
    expect(phaseOf(fold([anchor('FINAL'), anchor('MINED', 1), ending('PLANNED')], CLOSED))).toBe('CONFIRMING')
  })

  test('behavior: an epoch of which only anchors are left in the log is known by them', () => {
    expect(seen(fold([anchor('FINAL'), ending('FINAL')]))).toEqual(['ANCHORED', null])
    expect(seen(fold([anchor('LATE'), ending('FINAL')]))).toEqual(['MINING', 'LATE'])
  })

  test('behavior: a block that leaves the chain takes the epoch back, and its batch is sent again', () => {
    const final = fold([...anchors('STORED', 'MINED', 'FINAL'), ending('FINAL')], CUT)
    expect(endOf(final)).toBe('ANCHORED')
    const back = fold([anchor('REORGED', 0, { reorgs: 1 })], final, 9_000)
    expect([phaseOf(back), timesOf(back).storedAt, timesOf(back).minedAt]).toEqual(['MINING', 100, null])
    expect(phaseOf(fold(anchors('SENT', 'MINED', 'FINAL'), back))).toBe('ANCHORED')
  })
})

describe('ticks', () => {
  test('behavior: a further release takes the close back, the same tick twice changes nothing', () => {
    const again = fold([tick('OPEN', { releaseBlock: 11, blockHash: `0x${'1'.repeat(64)}` })], CLOSED, 900)
    expect(again).toMatchObject({ releaseBlock: 11, earlierReleaseBlock: 10, closeBlock: null, releasedAt: 900 })
    expect(phaseOf(again)).toBe('OPEN')
    expect(fold([tick('CLOSE', { blockNumber: 16 })], CLOSED, 900)).toBe(CLOSED)
  })

  test('behavior: the release of a later epoch says that it was skipped, but not once it is closed', () => {
    const later = tick('OPEN', { epochId: 6, skippedFrom: 3, releaseBlock: 44 })
    const skipped = fold([tick('OPEN'), later])
    expect(skipped).toMatchObject({ skippedInBlock: 44, releaseBlock: null, earlierReleaseBlock: 10 })
    expect(seen(skipped)).toEqual(['SKIPPED', null])
    expect(fold([later], CLOSED)).toBe(CLOSED)
    const others = [
      tick('OPEN', { epochId: 6, skippedFrom: 4 }),
      tick('OPEN', { epochId: 6 }),
      tick('HEAD', { epochId: 0 }),
    ]
    expect(fold(others)).toEqual(unseenEpoch(EPOCH))
  })
})

test('behavior: a block that leaves the chain takes the release back, and the skip, but no epoch that is closed', () => {
  const orphan = (blockNumber: number) => tick('ORPHAN', { dataMarket: '', epochId: 0, blockNumber })
  const opened = fold([tick('OPEN')])
  expect(fold([orphan(11)], opened)).toBe(opened)
  const gone = fold([orphan(10)], opened)
  expect(seen(gone)).toEqual(['ORPHANED', null])
  expect(gone).toMatchObject({ releaseBlock: null, releasedAt: null, earlierReleaseBlock: 10 })
  expect(phaseOf(fold([tick('OPEN', { releaseBlock: 12 })], gone))).toBe('OPEN')
  const skipped = fold([tick('OPEN', { epochId: 6, skippedFrom: 3, releaseBlock: 44 })], gone)
  expect(phaseOf(fold([orphan(45)], skipped))).toBe('SKIPPED')
  expect(phaseOf(fold([orphan(44)], skipped))).toBe('ORPHANED')
  expect(fold([orphan(1)], CLOSED)).toBe(CLOSED)
})

test('behavior: a block that leaves the chain takes the refusal of its release back', () => {
  const orphan = (blockNumber: number) => tick('ORPHAN', { dataMarket: '', epochId: 0, blockNumber })
  const refusal = { refused: { dataMarket: '', epochId: EPOCH, block: 10, why: 'begin is 2^60', skippedFrom: 0 } }
  const refused = fold([refusal])
  expect(fold([orphan(11)], refused)).toBe(refused)
  const gone = fold([orphan(10)], refused)
  expect(gone).toMatchObject({ refused: '', refusedInBlock: null, earlierReleaseBlock: 10 })
  expect(phaseOf(gone)).toBe('ORPHANED')
  expect(phaseOf(fold([refusal], gone))).toBe('REFUSED')
  const skipped = fold([tick('OPEN', { epochId: 6, skippedFrom: 3, releaseBlock: 44 })], refused)
  expect(phaseOf(fold([orphan(44)], skipped))).toBe('REFUSED')
  expect(phaseOf(fold([orphan(10)], skipped))).toBe('ORPHANED')
})

describe('the outcomes', () => {
  test.each([
    ['LATE', 'STORING', ['PLANNED'], { cid: '' }, { storedAt: null, minedAt: null }],
    ['LATE', 'MINING', ['PLANNED', 'STORED', 'READY', 'SENT'], {}, { storedAt: 200, minedAt: null }],
    [
      'LATE',
      'CONFIRMING',
      ['PLANNED', 'STORED', 'SENT', 'MINED'],
      { blockHash: HASH },
      { storedAt: 200, minedAt: 400 },
    ],
    ['FAILED', 'STORING', ['PLANNED'], { cid: '' }, { storedAt: null, minedAt: null }],
    ['FAILED', 'MINING', ['PLANNED', 'STORED', 'READY', 'SENT'], {}, { storedAt: 200, minedAt: null }],
  ] as const)('behavior: %s in %s leaves known what happened before', (state, step, before, fields, times) => {
    const lost = fold([...anchors(...before), anchor(state, 0, fields), ending('FINAL')])
    expect(seen(lost)).toEqual([step, state])
    expect(timesOf(lost)).toEqual({ ...times, finalAt: null })
    expect([hasEnded(lost), endOf(lost), lostOf(lost)]).toEqual([true, state, [[0, state]]])
  })

  test('behavior: rows that are gone from a compacted topic change the times and not the step', () => {
    const left = fold([anchor('LATE', 0, { blockHash: HASH }), ending('FINAL')])
    expect(seen(left)).toEqual(['CONFIRMING', 'LATE'])
    expect(timesOf(left)).toEqual({ storedAt: null, minedAt: null, finalAt: null })
  })

  test('behavior: a lost batch holds the phase; the ending call is lost in the step that it belongs to', () => {
    const rest = [summary(2), anchor('LATE'), anchor('FINAL', 1)]
    expect(seen(fold([...rest, ending('SENT')], CLOSED))).toEqual(['MINING', 'LATE'])
    expect(seen(fold([summary(2), anchor('LATE'), anchor('PLANNED', 1)], CLOSED))).toEqual(['MINING', 'LATE'])
    expect(seen(fold([anchor('FINAL'), ending('FAILED')], CUT))).toEqual(['CONFIRMING', 'FAILED'])
    expect(seen(fold([anchor('LATE'), anchor('FAILED', 1), ending('FINAL')]))).toEqual(['MINING', 'LATE'])
  })

  test('behavior: an epoch without a batch had no quorum or no vote, and goes on to its ending call', () => {
    const none = (won: Partial<EpochSummary>) => fold([summary(0, won)], CLOSED)
    expect(seen(none({ projectsWithoutQuorum: 2 }))).toEqual(['CONFIRMING', 'NO_QUORUM'])
    expect(seen(fold([ending('FINAL')], none({})))).toEqual(['ANCHORED', 'EMPTY'])
    expect(seen(fold([finalization(''), finalization('', 1), ending('PLANNED')], CLOSED))).toEqual([
      'CONFIRMING',
      'NO_QUORUM',
    ])
    expect(seen(fold([finalization('')], CLOSED))).toEqual(['COUNTING', null])
  })
})

test('behavior: the summary counts the projects once, whichever is read first', () => {
  const parts = [finalization('bafy'), finalization('bafy', 1), finalization('')]
  const total = summary(1, { projects: 1, projectsWithoutQuorum: 1 })
  for (const records of [
    [...parts, total],
    [total, ...parts],
    [parts[0]!, total, parts[1]!, parts[2]!],
  ])
    expect(fold(records, CLOSED)).toMatchObject({
      projects: 1,
      projectsWithoutQuorum: 1,
      votes: 2,
      voters: 6,
      batches: 1,
      counted: 5,
    })
})
