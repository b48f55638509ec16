import { beforeEach, describe, expect, test } from 'vitest'
import { textOf } from '../../../ops/base/output.ts'
import { epochCommand, runEpoch, runWhy, whyCommand } from '../../../ops/look/command.ts'
import { epochQuery, epochSchema, whyQuery, whySchema } from '../../../ops/look/query.ts'
import { renderEpochs, renderWhy } from '../../../ops/look/render.ts'
import { epochStatus } from '../../../ops/reading/epoch.ts'
import { why } from '../../../ops/reading/why.ts'
import type { Anchor, Submission, VerdictReason } from '../../../schemas/types.ts'
import { newFolder } from '../../folder.ts'
import {
  anchorOf,
  batchOf,
  createFixture,
  type Fixture,
  finalizationOf,
  HASH,
  MARKET,
  markerOf,
  OTHER_MARKET,
  RULES,
  submissionOf,
  tickOf,
  verdictOf,
} from './fixture.ts'

let fixture: Fixture
beforeEach(async () => {
  fixture = await createFixture()
})

async function submit(fields: Partial<Submission>, reason?: VerdictReason, dataMarket = MARKET) {
  const { topics, put } = fixture
  const submission = submissionOf(fields)
  const { epochId, projectId, slotId } = submission
  const position = await put(topics.submissions, { dataMarket, epochId, projectId }, submission)
  if (reason) await put(topics.verdicts, { dataMarket, epochId, slotId }, verdictOf(submission, position, reason))
  return position
}
const tick = (fields: Parameters<typeof tickOf>[0]) =>
  fixture.put(fixture.topics.epochTicks, { dataMarket: fields.dataMarket ?? MARKET }, tickOf(fields))

/** Epoch 3, closed, one project won and anchored. */
async function anchoredEpoch(fields: { attested?: boolean } = {}) {
  const { topics, put } = fixture
  await tick({ kind: 'OPEN' })
  const position = await submit({}, 'COUNTED')
  await submit({ slotId: 8, submissionId: 'x', snapshotCid: 'bafother' }, 'OUTVOTED')
  await put(
    topics.submissions,
    { dataMarket: MARKET, epochId: 3, projectId: '' },
    markerOf(tickOf({ kind: 'CLOSE', blockNumber: 16 })),
  )
  await tick({ kind: 'CLOSE', blockNumber: 16 })
  const finalization = finalizationOf({ voters: 2 })
  await put(topics.finalizations, { dataMarket: MARKET, epochId: 3 }, finalization)
  const { offset } = await put(topics.batches, { dataMarket: MARKET }, batchOf({}))
  const key = { dataMarket: MARKET, epochId: 3 }
  await put(topics.anchors, { ...key, batchIndex: 0 }, anchorOf({ state: 'PLANNED', batchOffset: offset }))
  await put(
    topics.anchors,
    { ...key, batchIndex: 0 },
    anchorOf({ batchOffset: offset, attested: fields.attested ?? false }),
  )
  await put(topics.anchors, { ...key, batchIndex: -1 }, anchorOf({ batchOffset: -1, cid: '' }))
  return position
}

describe('why', () => {
  test('default: a counted submission with its rule, place, batch and transaction', async () => {
    const position = await anchoredEpoch()
    const { items } = await why(fixture.log, fixture.topics, { slotId: 7, epochId: 3, dataMarket: MARKET })
    expect(items).toEqual([
      expect.objectContaining({
        status: 'DECIDED',
        slotId: 7,
        epochId: 3,
        position,
        receivedAt: '2026-01-01T00:00:00.000Z',
        verdict: expect.objectContaining({
          reason: 'COUNTED',
          accepted: true,
          rule: 'the rule',
          expected: 'this',
          actual: 'that',
          blockNumber: 20,
        }),
        batch: { batchIndex: 0, cid: 'bafybatch', state: 'FINAL', transactionHash: '0xtx' },
      }),
    ])
  })

  test('behavior: a refused one says what it means', async () => {
    await submit({ slotId: 9 }, 'BAD_SIGNATURE')
    const { items } = await why(fixture.log, fixture.topics, { slotId: 9 })
    expect(items[0]).toMatchObject({
      batch: null,
      verdict: { accepted: false, help: expect.stringContaining('EIP-712') },
    })
    expect(textOf(renderWhy({ items, truncated: false }))).toContain('BAD_SIGNATURE by validate')
  })

  test('behavior: an acknowledged submission without a verdict is pending', async () => {
    await submit({ slotId: 9, submissionId: 'p' })
    await submit({ slotId: 9, submissionId: 'q', projectId: 'other' }, 'DUPLICATE')
    const { items } = await why(fixture.log, fixture.topics, { slotId: 9 })
    expect(items.map(({ submissionId, status }) => [submissionId, status]).sort()).toEqual([
      ['p', 'PENDING'],
      ['q', 'DECIDED'],
    ])
    expect(textOf(renderWhy({ items, truncated: false }))).toContain('none yet')
  })

  test('behavior: each field narrows', async () => {
    for (const epochId of [3, 4])
      for (const projectId of ['a', 'b'])
        for (const [market, submissionId] of [
          [MARKET, 'ID-1'],
          [OTHER_MARKET, 'id-2'],
        ] as const)
          await submit({ epochId, projectId, submissionId }, epochId === 3 ? 'COUNTED' : undefined, market)
    const count = async (query: Parameters<typeof why>[2]) =>
      (await why(fixture.log, fixture.topics, query)).items.length
    expect(await count({ slotId: 7 })).toBe(8)
    expect(await count({ slotId: 7, epochId: 3 })).toBe(4)
    expect(await count({ slotId: 7, epochId: 3, dataMarket: MARKET })).toBe(2)
    expect(await count({ slotId: 7, epochId: 4, dataMarket: MARKET, projectId: 'a' })).toBe(1)
    expect(await count({ submissionId: 'id-1' })).toBe(4)
    expect(await count({ slotId: 8 })).toBe(0)
  })

  test('behavior: what is as it should be is told once, and of what is secret nothing', async () => {
    await submit({}, 'COUNTED')
    const [item] = (await why(fixture.log, fixture.topics, { slotId: 7 })).items
    const said = (expected: string | null, actual: string | null) =>
      textOf(renderWhy({ items: [{ ...item!, verdict: { ...item!.verdict!, expected, actual } }], truncated: false }))
    expect(said('this', 'that')).toMatch(/ {2}expected +this\n {2}actual +that\n/)
    expect(said('this', 'this')).toMatch(/ {2}found +this, as expected\n {2}means/)
    expect(said(null, null)).toMatch(/ {2}expected +\(secret.*\n {2}actual +\(secret/)
  })

  test('behavior: nothing found is said so', () => {
    const text = textOf(renderWhy({ items: [], truncated: false }))
    expect(text).toContain('Nothing was received')
    expect(text).toContain('`sequencer dead-letters list --topic intake` has it')
  })
})

describe('epoch', () => {
  const status = async () =>
    (await epochStatus(fixture.log, fixture.topics, RULES, { epochId: 3, dataMarket: MARKET }))[0]!

  test('default: an anchored epoch', async () => {
    await anchoredEpoch()
    expect(await status()).toEqual({
      dataMarket: MARKET,
      epochId: 3,
      phase: 'ANCHORED',
      outcome: null,
      next: 'Validators attest the batches.',
      releaseBlock: 10,
      earlierReleaseBlock: null,
      skippedInBlock: null,
      refused: '',
      closeBlock: 16,
      begin: 100,
      end: 109,
      submissions: 2,
      verdicts: 2,
      reasons: { COUNTED: 1, OUTVOTED: 1 },
      projects: [{ projectId: 'project-a', snapshotCid: 'bafkreione', votes: 1, voters: 2 }],
      batches: [
        {
          batchIndex: 0,
          state: 'FINAL',
          cid: 'bafybatch',
          projects: 1,
          submissions: 1,
          transactionHash: '0xtx',
          blockNumber: 30,
          attestations: 0,
          attested: false,
          error: '',
        },
      ],
      endCall: { state: 'FINAL', transactionHash: '0xtx' },
    })
    expect(textOf(renderEpochs([await status()]))).toContain('project-a -> bafkreione (1 of 2)')
  })

  test('behavior: the phases in order', async () => {
    const { topics, put } = fixture
    const key = { dataMarket: MARKET, epochId: 3 }
    expect((await status()).phase).toBe('UNKNOWN')
    await tick({ kind: 'HEAD', dataMarket: '', epochId: 0 })
    await tick({ kind: 'OPEN', dataMarket: OTHER_MARKET })
    expect((await status()).phase).toBe('UNKNOWN')
    await tick({ kind: 'OPEN' })
    expect((await status()).phase).toBe('OPEN')
    await tick({ kind: 'CLOSE', blockNumber: 16 })
    expect((await status()).phase).toBe('COUNTING')
    const batch = (index: number, fields: Partial<Anchor>) =>
      put(topics.anchors, { ...key, batchIndex: index }, anchorOf(fields))
    await batch(0, { state: 'PLANNED', cid: '' })
    expect((await status()).phase).toBe('STORING')
    await batch(0, {})
    await batch(-1, {})
    expect((await status()).phase).toBe('ANCHORED')
    await batch(0, { attested: true })
    expect((await status()).phase).toBe('ATTESTED')
    await batch(0, { state: 'LATE', error: 'too late', blockHash: '' })
    expect(await status()).toMatchObject({ phase: 'MINING', outcome: 'LATE', batches: [{ error: 'too late' }] })
    expect(textOf(renderEpochs([await status()]))).toMatch(/: MINING, LATE\n/)
  })

  test('behavior: batches that the stage anchor has not taken are found behind those that it has', async () => {
    const { topics, put } = fixture
    const cut = async (epochId: number) => {
      const { offset } = await put(topics.batches, { dataMarket: MARKET }, batchOf({ epochId }))
      const blocks = { releaseBlock: 10, closeBlock: 16, closeBlockHash: HASH }
      const totals = { batches: 1, projects: 1, projectsWithoutQuorum: 0, submissions: 1 }
      await put(topics.batches, { dataMarket: MARKET }, { summaryOf: epochId, ...blocks, ...totals })
      return offset
    }
    const before = await cut(2)
    await put(topics.anchors, { dataMarket: MARKET, epochId: 2, batchIndex: 0 }, anchorOf({ batchOffset: before }))
    await tick({ kind: 'OPEN' })
    await tick({ kind: 'CLOSE', blockNumber: 16 })
    expect((await status()).phase).toBe('COUNTING')
    await cut(3)
    expect(await status()).toMatchObject({ phase: 'STORING', batches: [] })
  })

  test('behavior: a release after a reorganisation takes an earlier close back', async () => {
    await tick({ kind: 'OPEN' })
    await tick({ kind: 'CLOSE', blockNumber: 16 })
    await tick({ kind: 'OPEN', releaseBlock: 11, blockHash: HASH })
    expect(await status()).toMatchObject({ phase: 'OPEN', releaseBlock: 11, closeBlock: null, earlierReleaseBlock: 10 })
    const text = textOf(renderEpochs([await status()]))
    expect(text).toContain('in block 11')
    expect(text).toContain('before that in block 10, which left the chain')
  })

  test('behavior: one that the market’s owner skipped says in which block, until it is released after all', async () => {
    await tick({ kind: 'OPEN', epochId: 6, skippedFrom: 3, releaseBlock: 44, blockNumber: 44 })
    const ask = async (epochId: number) =>
      textOf(renderEpochs(await epochStatus(fixture.log, fixture.topics, RULES, { epochId, dataMarket: MARKET })))
    for (const epochId of [3, 5]) {
      const text = await ask(epochId)
      expect(text).toContain(': SKIPPED')
      expect(text).toContain('never: skipped by the market’s owner at block 44')
      expect(text).toContain('closed       never')
    }
    expect(await ask(2)).toContain('not seen')
    await tick({ kind: 'OPEN', epochId: 5, releaseBlock: 50, blockNumber: 50, blockHash: `0x${'5'.repeat(64)}` })
    expect(await ask(5)).toContain(': OPEN')
  })

  test('behavior: without a market, one status per market', async () => {
    expect(await epochStatus(fixture.log, fixture.topics, RULES, { epochId: 3 })).toHaveLength(2)
  })
})

describe('queries', () => {
  test('args: addresses and ids in any letter case', () => {
    const dataMarket = MARKET.toUpperCase().replace('0X', '0x')
    expect(epochQuery(epochSchema.parse({ id: '3', dataMarket }))).toEqual({ epochId: 3, dataMarket: MARKET })
    expect(whyQuery(whySchema.parse({ submissionId: 'A-1' }))).toEqual({ submissionId: 'a-1' })
  })
})

describe('commands', () => {
  const open = async () => ({ ...fixture, rules: RULES, appId: 'test', close: async () => {} })

  test('default: the directory is read when no process runs on it', async () => {
    await submit({}, 'DUPLICATE')
    expect((await runWhy(open, { dataDir: newFolder(), slot: 7 })).found.items).toHaveLength(1)
    expect(await runEpoch(open, { dataDir: newFolder(), id: 3, dataMarket: MARKET })).toMatchObject({
      found: [{ submissions: 1 }],
      unread: undefined,
    })
  })

  test('default: each option has a description', () => {
    for (const command of [whyCommand(open), epochCommand(open)])
      for (const option of command.options) expect(option.description).not.toBe('')
  })
})
