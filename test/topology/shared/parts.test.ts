/** What grows with the number of votes travels in parts: each of a bounded size, and together the same as one piece. */
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Entry } from '../../../ops/check/audit/entry.ts'
import { tallyProject } from '../../../ops/check/audit/tally.ts'
import { createKeccak256 } from '../../../ops/check/verify/keccak.ts'
import { createBatchJoiner, withBytes } from '../../../schemas/batch-joiner.ts'
import { createCodec } from '../../../schemas/codec.ts'
import { memoryRegistry } from '../../../schemas/registry.ts'
import type { Batch, EpochMarker, ProjectFinalization, Submission } from '../../../schemas/types.ts'
import { packEpoch } from '../../../topology/batch/batch.ts'
import { leavesOf } from '../../../topology/batch/merkle.ts'
import { finalizeProject } from '../../../topology/consensus/consensus.ts'
import { TEXT_BYTES_MAX } from '../../../topology/rules.ts'
import { verdictsOf } from '../../../topology/settle/settle.ts'
import { batchParts, CANDIDATES_MAX, finalizationParts, RECORD_BYTES_MAX } from '../../../topology/shared/parts.ts'
import { voteOf } from '../../../topology/shared/vote.ts'
import { sequencerTopics } from '../../../topology/topics.ts'
import { piecesOf } from '../../pieces.ts'
import {
  closeEpoch,
  closeTick,
  createWorld,
  hashOf,
  MARKET,
  marketRules,
  openedWorld,
  rulesOf,
  submissionOf,
  uuid,
} from '../world.ts'

const one = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
const topics = sequencerTopics(await createCodec(memoryRegistry()), { prefix: '', partitions: one })
const TICK = { epochId: 1, releaseBlock: 10, blockNumber: 12, blockHash: hashOf(12) }
const HEADERS = [10, 11, 12].map((block) => hashOf(block))

const vote = (n: number, fields: Partial<Submission>): Submission => ({
  submissionId: uuid(n),
  slotId: n,
  deadline: 100,
  snapshotCid: 'A',
  epochId: 1,
  projectId: 'p',
  signature: 'ab'.repeat(65),
  header: HEADERS[0]!,
  dataMarket: MARKET,
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

const anyText = fc.oneof(
  fc.constantFrom('A', 'B'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
  fc.string({ unit: fc.constantFrom('\u0001', '\u0800', '"', '<'), minLength: 1, maxLength: 200 }),
)
const anyVotes = fc
  .array(
    fc.record({
      slotId: fc.integer({ min: 0, max: 30 }),
      deadline: fc.integer({ min: 0, max: 3 }),
      snapshotCid: anyText,
      header: fc.constantFrom(...HEADERS, hashOf(99)),
      nodeVersion: fc.option(anyText),
      signature: fc.constantFrom('ab'.repeat(65), 'AB'.repeat(65), 'cd'),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((all) => all.map((fields, i) => vote(i + 1, fields)))
const anyProjects = fc.uniqueArray(fc.tuple(anyText, anyVotes), { minLength: 1, maxLength: 4, selector: ([id]) => id })
const anyQuorum = fc.record({ votesMin: fc.integer({ min: 1, max: 4 }), shareMin: fc.constantFrom(0, 0.6) })

const finalize = (projectId: string, votes: readonly Submission[], market: { votesMin: number; shareMin: number }) =>
  finalizeProject(
    projectId,
    votes.map((submission) => voteOf({ ...submission, projectId })),
    { tick: TICK, headers: new Set(HEADERS), blockTimes: [], market: marketRules(market) },
  )
const entriesIn = ({ ballots, dropped, equivocations }: ProjectFinalization): number =>
  ballots.length + dropped.length + equivocations.length
const asJson = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => (inner instanceof Uint8Array ? Buffer.from(inner).toString() : inner))

test('behavior: parts of any size give the verdicts, the batches and the summary of one piece', () => {
  fc.assert(
    fc.property(
      anyProjects,
      anyQuorum,
      fc.integer({ min: 200, max: 20_000 }),
      fc.infiniteStream(fc.integer({ min: 0, max: 1_000 })),
      (projects, quorum, bytesMax, order) => {
        const whole = projects.map(([id, votes]) => finalize(id, votes, quorum))
        const parts = whole.flatMap((project) => [...finalizationParts(project, bytesMax)])
        const read = parts.map((part) => {
          const bytes = topics.finalizations.value.encode(part)
          expect(bytes.length <= bytesMax || entriesIn(part) <= 1).toBe(true)
          const again = topics.finalizations.value.decode(bytes) as ProjectFinalization
          expect(again.leaves).toEqual(leavesOf(again.ballots.map(({ submissionId }) => submissionId)))
          return again
        })
        const byPlace = (all: readonly ProjectFinalization[]) =>
          all.flatMap(verdictsOf).sort((a, b) => a.position.offset - b.position.offset)
        for (const [i, project] of whole.entries())
          expect(byPlace(read.filter(({ projectId }) => projectId === projects[i]![0]))).toEqual(byPlace([project]))

        const shuffled = read.map((part) => ({ part, rank: order.next().value })).sort((a, b) => a.rank - b.rank)
        const market = marketRules({ batchProjectsMax: 2 })
        const packed = (all: readonly ProjectFinalization[]) =>
          [...packEpoch(all, TICK, market)].map((event) => ('texts' in event ? withBytes(event) : event))
        expect(asJson(packed(shuffled.map(({ part }) => part)))).toBe(asJson(packed(whole)))
      },
    ),
    { numRuns: 150 },
  )
})

test('behavior: the records of batches, of today and of before, however mixed, are the batches again', () => {
  fc.assert(
    fc.property(
      anyProjects,
      fc.integer({ min: 400, max: 20_000 }),
      fc.boolean(),
      fc.infiniteStream(fc.integer({ min: 0, max: 1_000 })),
      (projects, bytesMax, inPieces, choices) => {
        const finalized = projects.flatMap(([id, votes]) => [
          ...finalizationParts(finalize(id, votes, { votesMin: 1, shareMin: 0 }), bytesMax),
        ])
        const events = [...packEpoch(finalized, TICK, marketRules({ batchProjectsMax: 1 }))].slice(0, -1) as Batch[]
        const recordsOf = (batch: Batch) =>
          inPieces ? [...piecesOf(withBytes(batch), bytesMax)] : [...batchParts(batch, bytesMax)]
        const lines = events.map(recordsOf)
        for (const [i, line] of lines.entries())
          for (const part of line) {
            const { projectIds, snapshotCids } = events[i]!
            const lists = Buffer.byteLength([...projectIds, ...snapshotCids].join('')) + 400
            const isOneText = part.texts.length === 1 && part.texts[0]!.slotIds.length === 1
            const most = isOneText ? Number.POSITIVE_INFINITY : inPieces ? bytesMax + lists : Math.max(bytesMax, lists)
            expect(topics.batches.value.encode(part).length).toBeLessThanOrEqual(most)
          }
        const joiner = createBatchJoiner()
        const joined: Batch[] = []
        while (lines.some((line) => line.length > 0)) {
          const left = lines.filter((line) => line.length > 0)
          const part = left[choices.next().value % left.length]!.shift()!
          const read = topics.batches.value.decode(topics.batches.value.encode(part)) as Batch
          const batch = joiner.take(MARKET, read)
          if (batch) joined.push(batch)
        }
        expect(asJson(joined.sort((a, b) => a.batchIndex - b.batchIndex).map(withBytes))).toBe(
          asJson(events.map(withBytes)),
        )
      },
    ),
    { numRuns: 60 },
  )
})

test('behavior: 520 votes of texts that nothing bounds are records of a bounded size', () => {
  const text = (length: number) => '\u0001'.repeat(length)
  const votes = Array.from({ length: 520 }, (_, i) =>
    vote(i + 1, { snapshotCid: text(512), nodeVersion: `${text(253)}${i}` }),
  )
  const project = finalize(text(4_096), votes, { votesMin: 1, shareMin: 0 })
  expect(topics.finalizations.value.encode(project).length).toBeGreaterThan(16 * 1024 * 1024)
  for (const part of finalizationParts(project))
    expect(topics.finalizations.value.encode(part).length).toBeLessThanOrEqual(RECORD_BYTES_MAX)
})

test('behavior: as many CIDs as slots, more than a call has room for', { timeout: 120_000 }, async () => {
  const SLOTS = 150_000
  const votes = Array.from({ length: SLOTS }, (_, i) => vote(i + 1, { snapshotCid: `cid ${i}` }))
  const project = finalize('p', votes, { votesMin: 1, shareMin: 0 })
  const parts = [...finalizationParts(project)]
  expect(parts.reduce((sum, { ballots }) => sum + ballots.length, 0)).toBe(SLOTS)

  const entries = votes.map((submission) => ({ submission }) as unknown as Entry)
  const close = { ...closeTick(1, 10, 12), blockHash: TICK.blockHash }
  const ports = { rules: marketRules(), keccak: await createKeccak256(), timeOf: () => undefined, decide: () => {} }
  expect(tallyProject('p', entries, close, ports)).toMatchObject({ snapshotCid: project.snapshotCid, counted: 1 })
})

describe('candidates', () => {
  const candidates = (cids: readonly string[], votesMin = 1) => {
    const votes = cids.map((snapshotCid, i) => vote(i + 1, { snapshotCid }))
    return finalize('p', votes, { votesMin, shareMin: 0 })
  }
  test('default: the winner, then the others by their votes', () => {
    const { snapshotCid, candidates: all } = candidates(['b', 'c', 'c', 'a', 'a', 'd'])
    expect(all[0]).toEqual({ snapshotCid, votes: 2 })
    expect(all.map(({ votes }) => votes)).toEqual([2, 2, 1, 1])
  })
  test('behavior: a bounded number of them, the winner always, also without a quorum', () => {
    const many = Array.from({ length: 100 }, (_, i) => `cid ${i}`)
    const { snapshotCid, candidates: all } = candidates(many)
    expect(all).toHaveLength(CANDIDATES_MAX)
    expect(all[0]!.snapshotCid).toBe(snapshotCid)
    expect(candidates(many, 2).candidates).toEqual(all)
  })
})

test('behavior: a project with the longest texts does not stop the sequencer', { timeout: 120_000 }, () => {
  const SLOTS = 1_900
  const { projectId: id, snapshotCid: cid, nodeVersion } = TEXT_BYTES_MAX
  const widest = { projectIdBytesMax: id, snapshotCidBytesMax: cid, nodeVersionBytesMax: nodeVersion }
  const world = openedWorld({ slots: SLOTS, rules: rulesOf(widest) })
  const text = (length: number) => '<'.repeat(length) // six bytes each in a batch
  const texts = { projectId: text(id), snapshotCid: text(cid) }
  const versionOf = (i: number) => `${text(nodeVersion - 5)}${String(i).padStart(5, '0')}`
  const sent = Array.from({ length: SLOTS }, (_, i) =>
    submissionOf({ ...texts, slotId: i + 1, nodeVersion: versionOf(i) }),
  )
  for (const submission of sent)
    world.driver.append(world.topics.submissions, { dataMarket: MARKET, epochId: 1, projectId: 'p' }, submission)
  world.driver.run()
  closeEpoch(world)

  const sizes = ['finalizations', 'batches', 'test-projects-changelog'].map((topic) =>
    world.driver.readRaw(topic).map(({ value }) => value?.length ?? 0),
  )
  for (const of of sizes) {
    expect(of.length).toBeGreaterThan(10)
    expect(Math.max(...of)).toBeLessThanOrEqual(RECORD_BYTES_MAX)
  }
  const reasons = new Set(world.verdicts().map(({ reason }) => reason))
  expect([world.verdicts().length, [...reasons]]).toEqual([SLOTS, ['COUNTED']])

  const [batch] = world.batches()
  expect(batch!.json.length).toBeGreaterThan(16 * 1024 * 1024)
  const content = JSON.parse(Buffer.from(batch!.json).toString()) as { submissionIDs: string[]; submissions: string[] }
  expect(content.submissionIDs).toEqual(sent.map(({ submissionId }) => submissionId))
  expect(JSON.parse(content.submissions.at(-1)!)).toMatchObject({
    request: { slotId: `${SLOTS}`, projectId: texts.projectId, snapshotCid: texts.snapshotCid },
  })
})

test('behavior: a restart after each part changes nothing, whatever projects are called', () => {
  const projects = ['p', '1/p', '0/p', '1/1/p'].map((id, n) =>
    finalize(
      id,
      [1, 2, 3].map((slotId) => vote(10 * n + slotId, { slotId })),
      { votesMin: 1, shareMin: 0 },
    ),
  )
  const run = (records: readonly ProjectFinalization[], restarts: boolean) => {
    const world = createWorld()
    const { finalizations } = world.topics
    const put = (value: ProjectFinalization | EpochMarker) => {
      world.driver.pipe(finalizations, { dataMarket: MARKET, epochId: 1 }, value)
      if (restarts) world.driver.restart('batch', 0)
    }
    for (const record of records) put(record)
    const checksum = records.reduce((sum, one) => (sum ^ crc32(finalizations.value.encode(one))) >>> 0, 0)
    put({ tick: closeTick(1, 10, 15), from: 0, of: 1, count: records.length, checksum, blockTimes: [] })
    return asJson([world.batches(), world.summaries()])
  }
  const parts = projects.flatMap((project) => [...finalizationParts(project, 600)])
  expect(parts.length).toBeGreaterThan(8)
  expect(run(parts, true)).toBe(run(projects, false))
})
