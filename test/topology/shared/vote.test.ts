import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createCodec } from '../../../schemas/codec.ts'
import { memoryRegistry } from '../../../schemas/registry.ts'
import type { Submission } from '../../../schemas/types.ts'
import {
  createVoteContents,
  submissionOf as submissionOfVote,
  voteOf,
  voteSerde,
} from '../../../topology/shared/vote.ts'
import { submissionOf } from '../world.ts'

const serde = (await createCodec(memoryRegistry())).serde<Submission>('votes-changelog-value')
const sent = submissionOf()
const text = fc.constantFrom('', 'a', 'b', '<é>')
const anySubmission = fc
  .record({
    slotId: fc.nat(3),
    deadline: fc.nat(2),
    snapshotCid: text,
    projectId: text,
    header: text,
    dataMarket: text,
    nodeVersion: fc.option(text),
    contested: fc.boolean(),
    signature: fc.constantFrom('', '0a', 'f1'.repeat(65), 'F1'.repeat(65), `${'f1'.repeat(64)}xy`, '\u00f1'.repeat(65)),
  })
  .map((fields): Submission => ({ ...sent, ...fields, position: { partition: 1, offset: 2 } }))
const kept = (submission: Submission) => ({ ...submission, digest: Buffer.alloc(0), signer: '', fullNode: false })

test('behavior: a vote is its submission again, and a restored one is as it was', () => {
  const contents = createVoteContents()
  const votes = voteSerde(serde)
  fc.assert(
    fc.property(anySubmission, fc.constantFrom('1', '2'), (submission, scope) => {
      const vote = voteOf(submission, contents.of(scope, submission))
      expect(submissionOfVote(vote)).toEqual(kept(submission))
      expect(Buffer.from(votes.encode(vote))).toEqual(Buffer.from(serde.encode(kept(submission))))
      expect(votes.decode(votes.encode(vote))).toEqual(vote)
    }),
    { numRuns: 500 },
  )
})

test('behavior: votes for a project that are made alike share one object, in their epoch', () => {
  const contents = createVoteContents()
  const of = (scope: string, fields: Partial<Submission>) => contents.of(scope, { ...sent, ...fields })
  const first = of('1', { slotId: 1 })
  expect(of('1', { slotId: 2, receivedAt: 7 })).toBe(first)
  for (const fields of [{ snapshotCid: 'other' }, { projectId: 'other' }, { nodeVersion: null }, { deadline: 99 }])
    expect(of('1', fields)).toMatchObject(fields)
  expect(of('1', { slotId: 3 })).toBe(first)
  expect(of('2', {})).not.toBe(first)
  contents.forget('1')
  expect(of('1', {})).not.toBe(first)
  expect(of('1', {})).toEqual(first)
})

test('behavior: many different ones are told apart', () => {
  const contents = createVoteContents()
  for (let round = 0; round < 2; round++)
    for (let n = 0; n < 20; n++)
      expect(contents.of('1', { ...sent, snapshotCid: `cid ${n}` }).snapshotCid).toBe(`cid ${n}`)
})
