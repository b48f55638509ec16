/**
 * What is so of an epoch, and what every outlet calls it: `sequencer epoch`, `/v1`, the metrics, the log of events,
 * `sequencer status`, `markets list`, `dev --epochs` and the console, all on one log. Each row of a course is what is written next, and the words that are expected then.
 */
import { afterEach, expect, test, vi } from 'vitest'
import { systemClock } from '../../connectors/system-clock.ts'
import { currentPhase, phasesOf } from '../../ops/api/console/app/phases.ts'
import { standingOf } from '../../ops/api/console/app/words.ts'
import { textOf } from '../../ops/base/output.ts'
import { runEpoch } from '../../ops/look/command.ts'
import { renderEpochs } from '../../ops/look/render.ts'
import {
  EPOCH_OUTCOMES,
  type EpochOutcome,
  type EpochPhase,
  isLost,
  PHASES_UNDER_WAY,
} from '../../ops/reading/epoch-phases.ts'
import { marketStatuses } from '../../ops/reading/market-status.ts'
import { followProgress } from '../../ops/reading/progress.ts'
import { readEpochs } from '../../ops/reading/read-status.ts'
import { percentilesOf } from '../../ops/reading/status.ts'
import { logEpochs } from '../../ops/watch/logging/events.ts'
import type { EventLog } from '../../ops/watch/logging/log.ts'
import { createMetrics, type Metrics } from '../../ops/watch/metrics/create.ts'
import { epochMetrics } from '../../ops/watch/metrics/epochs.ts'
import { countEpochs } from '../../ops/world/dev/count.ts'
import { END_OF_BATCHES } from '../../schemas/anchor-keys.ts'
import type { Anchor, AnchorState } from '../../schemas/types.ts'
import { newFolder } from '../folder.ts'
import { ONE_MARKET, type RunningApi, startApi } from './api/story.ts'
import { anchorOf, batchOf, createFixture, type Fixture, HASH, MARKET, tickOf } from './look/fixture.ts'

const EPOCH = 3
/** Until what was written is in the metrics, on a machine that is busy. */
const METRICS_MS_MAX = 20_000
const KEY = { dataMarket: MARKET, epochId: EPOCH }

type Write = (fixture: Fixture) => Promise<unknown>
const tick =
  (kind: 'OPEN' | 'CLOSE', fields: Partial<Parameters<typeof tickOf>[0]> = {}): Write =>
  ({ topics, put }) =>
    put(topics.epochTicks, { dataMarket: MARKET }, tickOf({ kind, epochId: EPOCH, ...fields }))
const closed = tick('CLOSE', { blockNumber: 16 })
const finalized =
  (snapshotCid: string): Write =>
  ({ topics, put }) => {
    const none = Buffer.alloc(0)
    const lists = { ballots: [], frames: [], dropped: [], equivocations: [], candidates: [] }
    const counts = { votes: 1, voters: 2, closeBlock: 16, part: 0, parts: 1 }
    const rest = { ...counts, ...lists, texts: none, signatures: none, leaves: none }
    return put(topics.finalizations, KEY, { projectId: `p${snapshotCid}`, snapshotCid, ...rest })
  }
const summed =
  (batches: number, projectsWithoutQuorum = 0): Write =>
  async ({ topics, put }) => {
    for (let batchIndex = 0; batchIndex < batches; batchIndex++)
      await put(topics.batches, { dataMarket: MARKET }, batchOf({ epochId: EPOCH, batchIndex, batchCount: batches }))
    const blocks = { releaseBlock: 10, closeBlock: 16, closeBlockHash: HASH }
    const totals = { batches, projects: batches, projectsWithoutQuorum, submissions: batches * 3 }
    await put(topics.batches, { dataMarket: MARKET }, { summaryOf: EPOCH, ...blocks, ...totals })
  }
/** As the stage anchor writes it: a CID from STORED on, a block from MINED on. */
const anchored =
  (state: AnchorState, fields: Partial<Anchor> = {}, batchIndex = 0): Write =>
  ({ topics, put }) => {
    const cid = state === 'PLANNED' || batchIndex === END_OF_BATCHES ? '' : `bafybatch${batchIndex}`
    const blockHash = state === 'MINED' || state === 'FINAL' ? HASH : ''
    return put(topics.anchors, { ...KEY, batchIndex }, anchorOf({ state, cid, blockHash, ...fields }))
  }
const ending = (state: AnchorState): Write => anchored(state, { batchOffset: -1 }, END_OF_BATCHES)
const all =
  (...writes: readonly Write[]): Write =>
  async (fixture) => {
    for (const write of writes) await write(fixture)
  }

interface Row {
  readonly so: string
  readonly write: Write
  /** Of the batch 0, once it is cut. */
  readonly batch?: AnchorState
  readonly phase: EpochPhase
  readonly outcome?: EpochOutcome
  /** Its tag in the console. */
  readonly tag: string
  /** Phases of the track that are done, and what the next one is. */
  readonly track: readonly [done: number, next?: 'now' | 'failed']
  /** Moments that are known in /v1. */
  readonly times?: readonly string[]
  /** Votes for winners, as a share of all votes. */
  readonly support?: number | null
  /** Nothing more is done about it, so that it is in no gauge. */
  readonly isOver?: boolean
}

const opened: Row = { so: 'window open', write: tick('OPEN'), phase: 'OPEN', tag: 'Window open', track: [0, 'now'] }
const over: Row = {
  so: 'window over, no batch yet',
  write: closed,
  phase: 'COUNTING',
  tag: 'Counting',
  track: [1, 'now'],
}
const cut: Row = {
  so: 'batch cut',
  write: all(finalized('bafy'), summed(1), anchored('PLANNED'), ending('PLANNED')),
  batch: 'PLANNED',
  phase: 'STORING',
  tag: 'Storing',
  track: [2, 'now'],
  times: [],
}
const under = (so: string, state: AnchorState, more: Omit<Row, 'so' | 'write' | 'batch'>): Row => ({
  so,
  write: anchored(state),
  batch: state,
  ...more,
})
const MINING = { phase: 'MINING', tag: 'Mining', track: [3, 'now'], times: ['storedAt'] } as const
const CONFIRMING = {
  phase: 'CONFIRMING',
  tag: 'Confirming',
  track: [4, 'now'],
  times: ['storedAt', 'minedAt'],
} as const
const stored = under('on IPFS', 'STORED', MINING)
const ready = under('dry run done', 'READY', MINING)
const sent = under('sent', 'SENT', MINING)
const mined = under('in a block', 'MINED', CONFIRMING)
const deep = under('deep enough', 'FINAL', CONFIRMING)
const ALL = ['storedAt', 'minedAt', 'finalAt']
const ended: Row = {
  so: 'and the ending call',
  write: ending('FINAL'),
  batch: 'FINAL',
  phase: 'ANCHORED',
  tag: 'Anchored',
  track: [5],
  times: ALL,
  isOver: true,
}
const attested: Row = {
  ...ended,
  so: 'and enough attestations',
  write: anchored('FINAL', { attested: true }),
  phase: 'ATTESTED',
  tag: 'Attested',
}

const lost = (outcome: 'LATE' | 'FAILED', at: Row, fields: Partial<Anchor> = {}): readonly Row[] => {
  const { phase, times, track } = at
  const row = { batch: outcome, phase, outcome, tag: outcome === 'LATE' ? 'Late' : 'Failed', ...(times && { times }) }
  const failed = { ...row, track: [track[0], 'failed'] } as const
  return [
    { so: `${outcome} while ${at.so}`, write: anchored(outcome, { error: 'E25', ...fields }), ...failed },
    { so: 'and the ending call', write: ending('FINAL'), ...failed, isOver: true },
  ]
}
const empty = (outcome: 'NO_QUORUM' | 'EMPTY', write: Write): readonly Row[] => {
  const row = { outcome, tag: outcome === 'EMPTY' ? 'Empty' : 'No quorum' }
  return [
    { so: 'no batch cut', write, ...row, phase: 'CONFIRMING', track: [4, 'now'], times: [] },
    { so: 'and the ending call planned', write: ending('PLANNED'), ...row, phase: 'CONFIRMING', track: [4, 'now'] },
    { so: 'and made', write: ending('FINAL'), ...row, phase: 'ANCHORED', track: [5], times: ['finalAt'], isOver: true },
  ]
}
const WHY = 'snapshotSubmissionWindow cannot be read'
const refused: Row = {
  so: 'its release opened none',
  write: ({ topics, put }) =>
    put(
      topics.epochTicks,
      { dataMarket: '' },
      tickOf({ kind: 'HEAD', dataMarket: '', epochId: 0, refused: [{ ...KEY, block: 9, why: WHY, skippedFrom: 0 }] }),
    ),
  phase: 'REFUSED',
  tag: 'Refused',
  track: [0],
}
/** Blocks leave the chain, from that of the release on. */
const orphan: Write = ({ topics, put }) =>
  put(topics.epochTicks, { dataMarket: '' }, tickOf({ kind: 'ORPHAN', dataMarket: '', epochId: 0, blockNumber: 9 }))
const gone: Row = {
  so: 'the block of its release left the chain',
  write: orphan,
  phase: 'ORPHANED',
  tag: 'Release left the chain',
  track: [0],
}
const skipped: Row = {
  so: 'the release left the chain, and the next one tells of a skip',
  write: tick('OPEN', { epochId: 6, skippedFrom: 2, releaseBlock: 44, blockNumber: 44 }),
  phase: 'SKIPPED',
  tag: 'Skipped by the owner',
  track: [0],
}
const COURSES: Readonly<Record<string, readonly Row[]>> = {
  'to the chain, and attested': [opened, over, cut, stored, ready, sent, mined, deep, ended, attested],
  'late on its way to IPFS': [opened, over, cut, ...lost('LATE', cut, { cid: '' })],
  'late when it was sent': [opened, over, cut, stored, ready, sent, ...lost('LATE', sent)],
  'late in its block': [opened, over, cut, stored, ready, sent, mined, ...lost('LATE', mined, { blockHash: HASH })],
  'failed on its way to IPFS': [opened, over, cut, ...lost('FAILED', cut, { cid: '' })],
  'failed when it was sent': [opened, over, cut, stored, ready, sent, ...lost('FAILED', sent)],
  'its ending call failed': [
    ...[opened, over, cut, stored, sent, mined, deep],
    {
      ...deep,
      so: 'the ending call failed',
      write: ending('FAILED'),
      outcome: 'FAILED',
      tag: 'Failed',
      track: [4, 'failed'],
      isOver: true,
    },
  ],
  'of which a project is finalized before the others': [
    opened,
    over,
    { ...over, so: 'the first project has its winner', write: finalized('bafy'), support: null },
    { ...cut, so: 'all have, and the batch is cut', write: all(summed(1), anchored('PLANNED')), support: 1 / 2 },
  ],
  'without a quorum': [opened, over, ...empty('NO_QUORUM', all(finalized(''), summed(0, 1)))],
  'without a vote': [opened, over, ...empty('EMPTY', summed(0))],
  'one batch of two is cut': [
    opened,
    over,
    {
      ...cut,
      so: 'the first of two is sent',
      write: all(summed(2), anchored('PLANNED'), anchored('SENT')),
      batch: 'SENT',
    },
    { ...sent, so: 'and the second', write: all(anchored('PLANNED', {}, 1), anchored('SENT', {}, 1)) },
  ],
  'its block leaves the chain': [
    ...[opened, over, cut, stored, sent, mined, deep, ended],
    { ...sent, so: 'block gone', write: anchored('REORGED', { reorgs: 1 }), batch: 'REORGED' },
    { ...sent, so: 'sent again', write: anchored('SENT', { reorgs: 1 }) },
  ],
  'refused, then released again': [refused, opened, over],
  'refused in a block that leaves the chain': [refused, gone, refused, gone, opened, over],
  'its release leaves the chain': [opened, gone, opened, over],
  'its release leaves the chain, and the owner skips it': [opened, gone, skipped, gone],
  'closed, when its release leaves the chain': [opened, over, { ...over, so: 'block gone', write: orphan }],
  'skipped by the owner': [opened, skipped],
}

let api: RunningApi
const endings: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

test.each(Object.entries(COURSES))('default: every outlet says the same of an epoch %s', async (_, rows) => {
  const fixture = await createFixture()
  api = await startApi(fixture)
  endings.push(() => api.close())
  const metrics = createMetrics({ version: '0', roles: ['api'], markets: [MARKET] })
  const ends = followedEnds()
  const listeners = [epochMetrics(metrics, { now: Date.now }), ...ends.listeners]
  const ports = { log: fixture.log, clock: systemClock }
  const following = followProgress({ topics: fixture.topics, listeners, onUnreadable: () => {} }, ports)
  endings.push(() => following.close())
  await following.started
  for (const row of rows) {
    await row.write(fixture)
    const expected = { phase: row.phase, outcome: row.outcome ?? null, ...(row.batch && { batch: row.batch }) }
    expect(await toldByCommand(fixture), `the command, ${row.so}`).toMatchObject(expected)
    expect(await toldByApi(row), `/v1, ${row.so}`).toMatchObject(expected)
    expect(await shownByConsole(), `the console, ${row.so}`).toEqual({ tag: row.tag, ...trackOf(row) })
    expect(await isUnfinished(fixture), `markets list, ${row.so}`).toBe(isUnderWay(row))
    expect(await toldByStatus(fixture), `sequencer status, ${row.so}`).toEqual([row.phase, row.outcome ?? null])
    const { agreement } = await reportOf(fixture)
    expect((await summaryOf()).agreement, `the support, ${row.so}`).toBe(agreement)
    if (row.support !== undefined) expect(agreement, `the support, ${row.so}`).toBe(row.support)
    expect(await isMeasured(fixture), `the times of sequencer status, ${row.so}`).toBe(endOf(row) === ANCHORED)
    await expectMetrics(metrics, row)
    await ends.expectEnd(row)
  }
})

/** Something is still to be done. */
const isUnderWay = ({ isOver = false, phase }: Row): boolean => !isOver && PHASES_UNDER_WAY.some((one) => one === phase)

const ANCHORED = 'epoch-anchored'
/** What the log of events calls the end of the epoch; undefined while it has none. */
const endOf = ({ isOver, outcome }: Row): string | undefined =>
  !isOver ? undefined : outcome === undefined ? ANCHORED : isLost(outcome) ? 'epoch-missed' : 'epoch-without-batch'

/** The end of the epoch in the log of events, and whether it is one of `dev --epochs`: told once, and not taken back. */
function followedEnds() {
  const told: string[] = []
  const note = ({ event, outcome }: { event: string; outcome?: string }): void => {
    if (/^epoch-(anchored|missed|without-batch)$/.test(event)) told.push(event)
    if (event === 'epoch-without-batch') expect(EPOCH_OUTCOMES).toContain(outcome)
  }
  const counter = countEpochs(1, { say: () => {} })
  let isCounted = false
  void counter.enough.then(() => {
    isCounted = true
  })
  let expected: string | undefined
  return {
    listeners: [logEpochs({ info: note, warn: note, error: note } as unknown as EventLog), counter.listener],
    async expectEnd(row: Row): Promise<void> {
      expected ??= endOf(row)
      await vi.waitFor(() => expect(told, `the log, ${row.so}`).toEqual(expected ? [expected] : []), METRICS_MS_MAX)
      expect(isCounted, `dev --epochs, ${row.so}`).toBe(expected === ANCHORED)
    },
  }
}

const reportOf = async ({ log, topics }: Fixture) =>
  (await readEpochs({ log, topics }, 10)).find(({ epochId }) => epochId === EPOCH)!
async function toldByStatus(fixture: Fixture) {
  const { phase, outcome } = await reportOf(fixture)
  return [phase, outcome]
}
/** Its time from the release to the end is among those of `sequencer status`. */
const isMeasured = async (fixture: Fixture): Promise<boolean> => percentilesOf([await reportOf(fixture)]) !== null

/** The market that is removed has the epoch among those that are `still finishing`. */
async function isUnfinished({ log, topics }: Fixture): Promise<boolean> {
  const [status] = await marketStatuses({ log, topics, rules: ONE_MARKET, appId: 'test' })
  return status!.unfinished.includes(EPOCH)
}

/** What `sequencer epoch` prints and gives as JSON, read from the log. */
async function toldByCommand({ log, topics }: Fixture) {
  const open = async () => ({ log, topics, rules: ONE_MARKET, appId: 'test', close: async () => {} })
  const { found: statuses } = await runEpoch(open, { dataDir: newFolder(), id: EPOCH, dataMarket: MARKET })
  const [{ phase, outcome, batches }] = statuses as [(typeof statuses)[number]]
  const text = textOf(renderEpochs(statuses))
  expect(text.split('\n')[0]).toBe(`epoch ${EPOCH} of ${MARKET}: ${outcome === null ? phase : `${phase}, ${outcome}`}`)
  for (const { batchIndex, state } of batches) expect(text).toMatch(new RegExp(`batch ${batchIndex} +${state}`))
  return { phase, outcome, batch: batches[0]?.state }
}

async function toldByApi({ times, batch }: Row) {
  await api.caughtUp()
  const ask = async (path: string) => (await api.get(path)).json()
  const one = await ask(`/v1/epochs/${EPOCH}`)
  const { phase, outcome } = one
  const summary = await summaryOf()
  expect(summary).toMatchObject({ phase, outcome })
  if (times) expect(ALL.filter((moment) => summary[moment] !== null)).toEqual(times)
  if (batch) {
    expect((await ask(`/v1/anchors`)).items).toContainEqual(expect.objectContaining({ batchIndex: 0, state: batch }))
    expect((await ask(`/v1/batches`)).items).toContainEqual(expect.objectContaining({ batchIndex: 0, state: batch }))
  }
  return { phase, outcome, batch: one.batches[0]?.state }
}

const summaryOf = async () =>
  (await api.get('/v1/epochs')).json().items.find(({ epochId }: { epochId: number }) => epochId === EPOCH)

async function shownByConsole() {
  const summary = await summaryOf()
  const track = phasesOf(summary, Date.now(), {})
  return {
    tag: standingOf(summary).name,
    done: track.filter(({ state }) => state === 'done').length,
    next: currentPhase(track)?.state,
    at: currentPhase(track)?.phase,
  }
}
const trackOf = ({ track: [done, next], phase }: Row) => ({ done, next, at: next && phase })

/** The gauges have the epoch in its phase and in no other; each state of a batch and what went wrong are counted, once. */
async function expectMetrics(metrics: Metrics, row: Row): Promise<void> {
  const { so, phase, outcome, batch, isOver = false } = row
  const value = async (series: string) => {
    const line = (await metrics.text()).split('\n').find((one) => one.startsWith(`${series} `))
    return line === undefined ? undefined : Number(line.split(' ')[1])
  }
  const market = `market="${MARKET}"`
  const missed = (one: EpochOutcome) => value(`seq_epoch_missed_total{${market},outcome="${one}"}`)
  const isTold = outcome !== undefined && (isOver || outcome === 'LATE' || outcome === 'FAILED')
  await vi.waitFor(async () => {
    const there: EpochPhase[] = []
    for (const one of PHASES_UNDER_WAY)
      if ((await value(`seq_epoch_oldest{${market},phase="${one}"}`)) === EPOCH) there.push(one)
    expect(there, `the metrics, ${so}`).toEqual(isUnderWay(row) ? [phase] : [])
    if (batch) expect(await value(`seq_batch_total{${market},state="${batch}"}`)).toBeGreaterThan(0)
    for (const one of EPOCH_OUTCOMES) expect(await missed(one), so).toBe(isTold && one === outcome ? 1 : 0)
    if (phase === 'ANCHORED') expect(await value(`seq_epochs_anchored_total{${market}}`)).toBe(outcome ? 0 : 1)
    if (phase === 'ATTESTED') expect(await value(`seq_batches_attested_total{${market}}`)).toBe(1)
  }, METRICS_MS_MAX)
}
