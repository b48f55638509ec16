import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { withBytes } from '../../../schemas/batch-joiner.ts'
import { writeTexts } from '../../../schemas/framed-texts.ts'
import { TextBuffer } from '../../../schemas/text-buffer.ts'
import type { Batch, EpochSummary, ProjectFinalization, Submission } from '../../../schemas/types.ts'
import { packEpoch } from '../../../topology/batch/batch.ts'
import { leavesOf, rootOf } from '../../../topology/batch/merkle.ts'
import { type MarketRules, RULES_DEFAULTS } from '../../../topology/rules.ts'
import { addCosts, costOfBatch, costOfProject } from '../../../topology/shared/batch-cost.ts'
import { frameTexts } from '../../../topology/shared/frames.ts'
import { candidatesOf, countsOf } from '../../../topology/shared/parts.ts'
import { voteOf } from '../../../topology/shared/vote.ts'
import {
  closeEpoch,
  createWorld,
  hashOf,
  headTick,
  marketRules,
  openedWorld,
  openTick,
  submissionOf,
  uuid,
} from '../world.ts'

const TICK = { epochId: 1, releaseBlock: 10, blockNumber: 15, blockHash: hashOf(15) }
let ids = 0
const submission = (projectId: string, slotId: number, snapshotCid = 'cid'): Submission => ({
  ...submissionOf({ signature: '00' }),
  submissionId: uuid(++ids),
  projectId,
  slotId,
  snapshotCid,
})
/** Slots that voted for the winner, and others. */
const project = (
  projectId: string,
  slots: readonly number[] = [1],
  outvoted: readonly number[] = [],
): ProjectFinalization => {
  const votes = [
    ...slots.map((slot) => submission(projectId, slot)),
    ...outvoted.map((slot) => submission(projectId, slot, 'other')),
  ].sort((a, b) => a.slotId - b.slotId)
  const { frames, frameNumbers, signatures } = frameTexts(votes.map((submission) => voteOf(submission)))
  return {
    projectId,
    snapshotCid: slots.length > 0 ? 'cid' : '',
    votes: slots.length,
    voters: votes.length,
    closeBlock: 15,
    ballots: votes.map(({ submissionId, slotId, snapshotCid }, offset) => ({
      position: { partition: 0, offset },
      submissionId,
      slotId,
      snapshotCid,
      frame: frameNumbers[offset]!,
    })),
    texts: Buffer.alloc(0),
    frames,
    signatures,
    leaves: leavesOf(votes.map(({ submissionId }) => submissionId)),
    dropped: [],
    equivocations: [],
    candidates: candidatesOf(countsOf(votes), 'cid'),
    part: 0,
    parts: 1,
  }
}
const pack = (projects: readonly ProjectFinalization[], changes: Partial<MarketRules> = {}) => {
  const events = [...packEpoch(projects, TICK, marketRules(changes))]
  return { batches: (events.slice(0, -1) as Batch[]).map(checkedWithBytes), summary: events.at(-1) as EpochSummary }
}
/** How large a batch is decides where it is cut, before its bytes are made. */
function checkedWithBytes(batch: Batch): Batch {
  const made = withBytes(batch)
  expect(batch.sizeBytes).toBe(made.json.length)
  return made
}
const contentOf = (batch: Batch) =>
  JSON.parse(Buffer.from(batch.json).toString()) as {
    submissionIDs: string[]
    submissions: string[]
    roothash: string
    pids: string[]
    cids: string[]
  }

describe('order', () => {
  test('behavior: projects by the bytes of their ids, submissions by slot, the outvoted among them', () => {
    // U+FF5E sorts above U+1F600 as UTF-16, below it as UTF-8
    const { batches } = pack([
      project('b'),
      project('\u{1f600}'),
      project('a', [9, 30], [10]),
      project('～'),
      project('B'),
    ])
    const { pids, submissions } = contentOf(batches[0]!)
    expect(pids).toEqual(['B', 'a', 'b', '～', '\u{1f600}'])
    expect(submissions.slice(1, 4).map((text) => JSON.parse(text).request.slotId)).toEqual(['9', '10', '30'])
    expect(submissions.slice(1, 4).map((text) => JSON.parse(text).request.snapshotCid)).toEqual(['cid', 'other', 'cid'])
  })

  test('behavior: projects without a winner are not in a batch, but in the summary', () => {
    const { batches, summary } = pack([project('a'), project('b', []), project('c', [1, 2], [3])])
    expect(batches[0]).toMatchObject({ projectIds: ['a', 'c'], submissions: 4 })
    expect(summary).toEqual({
      summaryOf: 1,
      releaseBlock: 10,
      closeBlock: 15,
      closeBlockHash: hashOf(15),
      batches: 1,
      projects: 2,
      projectsWithoutQuorum: 1,
      submissions: 3,
    })
  })

  test('behavior: a finalization of before there were frames and leaves gives the same batch', () => {
    const projects = [project('a', [1, 22], [3]), project('b', [7])]
    const older = projects.map((one): ProjectFinalization => {
      const out = new TextBuffer(0)
      const slotIds = one.ballots.map(({ slotId }) => slotId)
      writeTexts(out, { ...one, slotIds, frameNumbers: one.ballots.map(({ frame }) => frame) })
      const ballots = one.ballots.map((ballot) => ({ ...ballot, frame: -1 }))
      return { ...one, ballots, frames: [], signatures: Buffer.alloc(0), leaves: Buffer.alloc(0), texts: out.take() }
    })
    expect(pack(older)).toEqual(pack(projects))
  })

  test('behavior: an epoch of nothing has a summary', () => {
    expect(pack([])).toMatchObject({ batches: [], summary: { batches: 0, projects: 0, submissions: 0 } })
  })
})

describe('cut', () => {
  const projects = Array.from({ length: 7 }, (_, i) => project(`p${i}`, [1, 2, 3]))
  const sizes = (changes: Partial<MarketRules>, of = projects) =>
    pack(of, changes).batches.map(({ projectIds }) => projectIds.length)
  const costOf = (count: number) => costOfBatch(Array(count).fill(costOfProject(2, 3)).reduce(addCosts))
  const bytesOf = (count: number) => pack(projects.slice(0, count)).batches[0]!.json.length

  test('behavior: by projects', () => {
    expect(sizes({ batchProjectsMax: 3 })).toEqual([3, 3, 1])
    expect(sizes({ batchProjectsMax: 7 })).toEqual([7])
  })
  test('behavior: by bytes, exactly', () => {
    expect(sizes({ batchBytesMax: bytesOf(2) })).toEqual([2, 2, 2, 1])
    expect(sizes({ batchBytesMax: bytesOf(2) - 1 })).toEqual([1, 1, 1, 1, 1, 1, 1])
  })
  test('behavior: by gas', () => {
    expect(sizes({ batchGasMax: costOf(2).gas })).toEqual([2, 2, 2, 1])
    expect(sizes({ batchGasMax: costOf(3).gas - 1 })).toEqual([2, 2, 2, 1])
  })
  test('behavior: by calldata, exactly', () => {
    expect(sizes({ batchCalldataMax: costOf(3).calldata })).toEqual([3, 3, 1])
    expect(sizes({ batchCalldataMax: costOf(3).calldata - 1 })).toEqual([2, 2, 2, 1])
  })
  test('behavior: whichever comes first', () => {
    expect(sizes({ batchProjectsMax: 3, batchGasMax: costOf(2).gas })).toEqual([2, 2, 2, 1])
  })
  test('behavior: a project above the bytes is a batch of its own', () => {
    const huge = project(
      'p3',
      Array.from({ length: 50 }, (_, slot) => slot + 1),
    )
    const mixed = projects.map((one) => (one.projectId === 'p3' ? huge : one))
    expect(sizes({ batchBytesMax: bytesOf(3) }, mixed)).toEqual([3, 1, 3])
  })
  test('behavior: a project that fits no transaction is in no batch, and the others are as without it', () => {
    const long = [project('p3'.padEnd(4_096, '\u0800')), { ...project('p5x'), snapshotCid: 'c'.repeat(6_000) }]
    const bounds = { batchGasMax: 3_000_000, batchCalldataMax: 6_000 }
    const { batches, summary } = pack([...projects.slice(0, 3), ...long, ...projects.slice(3)], bounds)
    expect(batches).toEqual(pack(projects, bounds).batches)
    expect(summary).toMatchObject({ projects: 7, projectsWithoutQuorum: 2 })
    expect(pack(projects, { batchGasMax: 1 }).batches).toEqual([])
  })
  test('behavior: no batch exceeds its bytes, whatever the ids', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(
        fc.uniqueArray(text, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 500, max: 6_000 }),
        (names, batchBytesMax) => {
          const { batches } = pack(
            names.map((name) => project(name, [1, 2])),
            { batchBytesMax },
          )
          for (const { json, projectIds } of batches)
            expect(json.length <= batchBytesMax || projectIds.length === 1).toBe(true)
          expect(batches.flatMap(({ projectIds }) => projectIds).sort()).toEqual(names.sort())
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe('roots', () => {
  const projects = Array.from({ length: 5 }, (_, i) => project(`p${i}`, [1, 2]))
  const idsOf = (batches: readonly Batch[]) => batches.flatMap((batch) => contentOf(batch).submissionIDs)

  test('behavior: chained, each batch continues the tree of the one before', () => {
    const { batches } = pack(projects, { batchProjectsMax: 2 })
    batches.forEach((batch, i) => {
      expect(batch.roothash).toBe(rootOf(idsOf(batches.slice(0, i + 1))))
      expect(batch.leavesBefore).toBe(4 * i)
    })
  })
  test('behavior: fresh, each batch has its own', () => {
    const { batches } = pack(projects, { batchProjectsMax: 2, tree: 'fresh' })
    for (const batch of batches) {
      expect(batch.roothash).toBe(rootOf(idsOf([batch])))
      expect(batch.leavesBefore).toBe(0)
    }
  })
  test('behavior: the CIDs have a fresh tree per batch, and the bytes name what the record says', () => {
    for (const batch of pack(projects, { batchProjectsMax: 2 }).batches) {
      const { cids, pids, roothash, submissionIDs, submissions } = contentOf(batch)
      expect(batch.finalizedCidsRootHash).toBe(rootOf(cids))
      expect(batch).toMatchObject({ roothash, projectIds: pids, snapshotCids: cids, batchCount: 3 })
      expect([submissionIDs.length, submissions.length]).toEqual([batch.submissions, batch.submissions])
      expect(batch.gasEstimate).toBe(costOfBatch(pids.map(() => costOfProject(2, 3)).reduce(addCosts)).gas)
    }
  })
})

describe('in the topology', () => {
  test('behavior: an epoch without a submission has a summary, once, with any partitions', () => {
    const world = openedWorld({ partitions: 3 })
    closeEpoch(world)
    expect(world.batches()).toEqual([])
    expect(world.summaries()).toMatchObject([{ summaryOf: 1, batches: 0 }])
  })

  test('behavior: batches come before the summary, in order, and nothing of the epoch stays', () => {
    const world = createWorld({ rules: { ...createRules({ batchProjectsMax: 1 }) }, partitions: 3 })
    world.tick(headTick(10), openTick(1, 10), headTick(11))
    for (const slotId of [1, 2, 3]) world.submit(submissionOf({ slotId, projectId: `p${slotId}` }))
    closeEpoch(world)
    const events = world.driver
      .read(world.topics.batches)
      .map(({ value }) => ('summaryOf' in value ? 'summary' : value.batchIndex))
    expect(events).toEqual([0, 1, 2, 'summary'])
    for (const partition of [0, 1, 2]) {
      expect([...world.driver.store(world.stores.votes, partition).scopes()]).toEqual([])
      expect([...world.driver.store(world.stores.projects, partition).scopes()]).toEqual([])
    }
  })
})

const createRules = (changes: Partial<MarketRules>) => ({
  ...RULES_DEFAULTS,
  markets: [marketRules(changes)],
  parkedMax: 10,
  waitingMax: 100,
  headsKept: 100,
})
