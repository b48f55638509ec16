import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Submission, VerdictReason } from '../../../schemas/types.ts'
import { type Closing, finalizeProject } from '../../../topology/consensus/consensus.ts'
import { verdictsOf } from '../../../topology/settle/settle.ts'
import { tieBreaker } from '../../../topology/shared/signature.ts'
import { voteOf } from '../../../topology/shared/vote.ts'
import { hashOf, marketRules, uuid } from '../world.ts'

const HEADERS = [10, 11, 12].map((block) => hashOf(block))
const closing = (market: Partial<Closing['market']> = {}): Closing => ({
  tick: { releaseBlock: 10, blockNumber: 12, blockHash: hashOf(12) },
  headers: new Set(HEADERS),
  blockTimes: [],
  market: { ...marketRules(), ...market },
})

/** As validate hands it over; nobody looks at the signature any more. */
const vote = (n: number, fields: Partial<Submission>): Submission => ({
  submissionId: uuid(n),
  slotId: n,
  deadline: 100,
  snapshotCid: 'A',
  epochId: 1,
  projectId: 'p',
  signature: '',
  header: HEADERS[0]!,
  dataMarket: '',
  nodeVersion: null,
  receivedAt: n,
  position: { partition: 0, offset: n },
  digest: Buffer.alloc(32, n),
  fullNode: false,
  signer: '',
  headerBlock: -1,
  contested: false,
  ...fields,
})
const votesFor = (cids: string): Submission[] => [...cids].map((snapshotCid, i) => vote(i + 1, { snapshotCid }))
const finalize = (submissions: readonly Submission[], market?: Partial<Closing['market']>) =>
  finalizeProject(
    'p',
    submissions.map((submission) => voteOf(submission)),
    closing(market),
  )
const reasons = (submissions: readonly Submission[], market?: Partial<Closing['market']>) => {
  const byOffset = verdictsOf(finalize(submissions, market)).sort((a, b) => a.position.offset - b.position.offset)
  return byOffset.map(({ reason }) => reason)
}

const winners: [votes: string, winner: string, votesOfWinner: number][] = [
  ['A', 'A', 1],
  ['AAB', 'A', 2],
  ['ABB', 'B', 2],
  ['ABCBB', 'B', 3],
]
test.each(winners)('behavior: %s → %s', (cids, winner, votes) => {
  expect(finalize(votesFor(cids))).toMatchObject({ snapshotCid: winner, votes, voters: cids.length, closeBlock: 12 })
})

test('behavior: ties go to the lowest keccak256(closeBlockHash ‖ cid), which another closing block may turn', () => {
  const first = (hash: string) =>
    ['A', 'B', 'C', 'D'].toSorted((a, b) => Buffer.compare(tieBreaker(hash, a), tieBreaker(hash, b)))[0]!
  const seen = new Set<string>()
  for (let block = 12; block < 40; block++) {
    const { tick, ...rest } = closing()
    const result = finalizeProject(
      'p',
      votesFor('DCBA').map((submission) => voteOf(submission)),
      { ...rest, tick: { ...tick, blockHash: hashOf(block) } },
    )
    expect(result.snapshotCid).toBe(first(hashOf(block)))
    seen.add(result.snapshotCid)
  }
  expect(seen.size).toBeGreaterThan(1)
})

test('behavior: verdicts of the winner’s and the others’ voters', () => {
  expect(reasons(votesFor('ABBA' + 'B'))).toEqual(['OUTVOTED', 'COUNTED', 'COUNTED', 'OUTVOTED', 'COUNTED'])
  const [outvoted] = verdictsOf(finalize(votesFor('ABB'))).filter(({ reason }) => reason === 'OUTVOTED')
  expect(outvoted).toMatchObject({ expected: 'B with 2 of 3 votes', actual: 'A', stage: 'consensus', blockNumber: 12 })
})

describe('one slot, one vote', () => {
  const cases: { name: string; deadlines: number[]; received: number[]; expected: VerdictReason[] }[] = [
    { name: 'the higher deadline', deadlines: [100, 101], received: [1, 2], expected: ['SUPERSEDED', 'COUNTED'] },
    {
      name: 'the higher one, though it came first',
      deadlines: [102, 101],
      received: [1, 2],
      expected: ['COUNTED', 'SUPERSEDED'],
    },
    {
      name: 'of equal ones the first to arrive',
      deadlines: [100, 100],
      received: [2, 1],
      expected: ['SUPERSEDED', 'COUNTED'],
    },
  ]
  test.each(cases)('behavior: $name stands', ({ deadlines, received, expected }) => {
    const two = deadlines.map((deadline, i) => vote(i + 1, { slotId: 5, deadline, receivedAt: received[i]! }))
    expect(reasons(two)).toEqual(expected)
    expect(finalize(two)).toMatchObject({ votes: 1, voters: 1 })
  })

  test('behavior: two CIDs of one slot are one vote and an equivocation', () => {
    const submissions = [
      vote(1, { slotId: 5, snapshotCid: 'A', deadline: 100 }),
      vote(2, { slotId: 5, snapshotCid: 'B', deadline: 101 }),
      vote(3, { slotId: 6, snapshotCid: 'A' }),
      vote(4, { slotId: 7, snapshotCid: 'A' }),
      vote(5, { slotId: 7, snapshotCid: 'A', deadline: 99 }),
    ]
    expect(finalize(submissions)).toMatchObject({ snapshotCid: 'A', votes: 2, voters: 3, equivocations: [5] })
  })
})

describe('quorum', () => {
  test('behavior: too few votes', () => {
    expect(finalize(votesFor('AAB'), { votesMin: 3 })).toMatchObject({
      snapshotCid: '',
      votes: 2,
      ballots: [],
    })
    expect(reasons(votesFor('AAB'), { votesMin: 3 })).toEqual(['NO_QUORUM', 'NO_QUORUM', 'NO_QUORUM'])
    expect(reasons(votesFor('AAAB'), { votesMin: 3 })).toEqual(['COUNTED', 'COUNTED', 'COUNTED', 'OUTVOTED'])
  })
  test('behavior: too small a share', () => {
    expect(finalize(votesFor('AAB'), { shareMin: 0.67 }).snapshotCid).toBe('')
    expect(finalize(votesFor('AAB'), { shareMin: 0.66 }).snapshotCid).toBe('A')
    const elevenOfTwenty = votesFor(`${'A'.repeat(11)}${'B'.repeat(9)}`)
    expect(finalize(elevenOfTwenty, { shareMin: 0.55 }).snapshotCid).toBe('A')
  })
  test('behavior: nothing but headers that are not on the chain, by what was known of them', () => {
    const project = finalize([
      vote(1, { header: hashOf(9), headerBlock: 9 }),
      vote(2, { header: hashOf(11, 'b'), headerBlock: 11 }),
      vote(3, { header: hashOf(99), headerBlock: -1 }),
    ])
    expect(project).toMatchObject({ snapshotCid: '', votes: 0, voters: 0 })
    const reasons = project.dropped.map(({ reason }) => reason)
    expect(reasons).toEqual(['STALE_HEADER', 'ORPHANED_HEADER', 'UNKNOWN_HEADER'])
  })
})

const anySubmissions = fc
  .array(
    fc.record({
      slotId: fc.integer({ min: 1, max: 6 }),
      deadline: fc.integer({ min: 1, max: 3 }),
      snapshotCid: fc.constantFrom('A', 'B', 'C'),
      header: fc.constantFrom(...HEADERS, hashOf(99)),
      receivedAt: fc.integer({ min: 1, max: 3 }),
    }),
    { minLength: 1, maxLength: 25 },
  )
  .map((fields) => fields.map((field, i) => vote(i + 1, field)))

test('behavior: the order of arrival changes nothing', () => {
  fc.assert(
    fc.property(
      anySubmissions.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      ([submissions, shuffled]) => {
        expect(finalize(shuffled)).toEqual(finalize(submissions))
      },
    ),
  )
})

test('behavior: every submission has one verdict, no slot votes twice', () => {
  const rules = fc.record({ votesMin: fc.integer({ min: 1, max: 4 }), shareMin: fc.constantFrom(0, 0.5, 1) })
  fc.assert(
    fc.property(anySubmissions, rules, (submissions, market) => {
      const project = finalize(submissions, market)
      const settled = verdictsOf(project).map(({ submissionId }) => submissionId)
      expect(settled.sort()).toEqual(submissions.map(({ submissionId }) => submissionId).sort())
      const slots = project.ballots.map(({ slotId }) => slotId)
      expect(slots).toEqual(slots.toSorted((a, b) => a - b))
      expect(new Set(slots).size).toBe(slots.length)
      const counted = project.ballots.filter(({ snapshotCid }) => snapshotCid === project.snapshotCid)
      if (project.snapshotCid !== '') expect(counted).toHaveLength(project.votes)
    }),
  )
})

test('behavior: as many CIDs as voters, more of them than a call has room for', () => {
  const votes = Array.from({ length: 130_000 }, (_, i) => vote(i + 1, { snapshotCid: `cid${i}` }))
  expect(finalize(votes)).toMatchObject({ votes: 1, voters: 130_000 })
})
