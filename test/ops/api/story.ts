/** A log in which epochs run their course, written by hand, and the API on it. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import { computeCid } from '../../../connectors/ipfs/cid.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import type { ApiSource } from '../../../ops/api/asked.ts'
import { answerProblems, onFrameworkError } from '../../../ops/api/http.ts'
import { mountApi } from '../../../ops/api/mount.ts'
import { followIntakeReports } from '../../../ops/api/queries/peers.ts'
import { followProcesses } from '../../../ops/api/queries/processes.ts'
import { proofsOf } from '../../../ops/api/queries/proofs.ts'
import { type ApiSources, createApiSources } from '../../../ops/api/sources.ts'
import { prefixOf } from '../../../ops/api/view/keys.ts'
import { TABLE } from '../../../ops/api/view/rows.ts'
import { openView, type View, type ViewOptions } from '../../../ops/api/view/view.ts'
import { VIEW_TOPICS } from '../../../ops/api/view/writer.ts'
import { createHealth } from '../../../ops/base/health.ts'
import { partitionsOf } from '../../../ops/reading/scan.ts'
import { createStageWatch } from '../../../ops/watch/stage-watch.ts'
import type { Submission, VerdictReason } from '../../../schemas/types.ts'
import type { ProtocolRules } from '../../../topology/rules.ts'
import { candidatesOf, countsOf, finalizationParts } from '../../../topology/shared/parts.ts'
import { piecesOf } from '../../pieces.ts'
import {
  anchorOf,
  batchOf,
  createFixture,
  type Fixture,
  HASH,
  MARKET,
  RULES,
  submissionOf,
  tickOf,
  verdictOf,
} from '../look/fixture.ts'

export const ONE_MARKET: ProtocolRules = { ...RULES, markets: [RULES.markets[0]!] }
export const TOKEN = 'let me in'

export const uuid = (epochId: number, slotId: number): string =>
  `00000000-0000-4000-8000-${String(epochId).padStart(6, '0')}${String(slotId).padStart(6, '0')}`

/** The file of an epoch's batch: it holds a slot that nobody asks for, since its signature proves nothing. */
export const contentOf = (epochId: number): Buffer => {
  const request = {
    slotId: '999',
    deadline: '1',
    snapshotCid: 'bafkreione',
    epochId: String(epochId),
    projectId: 'project-a',
  }
  const submission = JSON.stringify({ request, signature: '00'.repeat(65), header: HASH, dataMarket: MARKET }, null, 2)
  const trees = { roothash: HASH, pids: ['project-a'], cids: ['bafkreione'] }
  return Buffer.from(JSON.stringify({ submissionIDs: [uuid(epochId, 999)], submissions: [submission], ...trees }))
}
export const cidOf = (epochId: number): Promise<string> => computeCid(contentOf(epochId))

/** Of each its own, as signatures are. */
const signatureFor = (fields: Partial<Submission>): string =>
  createHash('sha256').update(JSON.stringify(fields)).digest('hex').padEnd(130, '0')

export interface Story {
  readonly fixture: Fixture
  submit(fields: Partial<Submission>, reason?: VerdictReason, stage?: string): Promise<void>
  /** @param skippedFrom see EpochTick @param block of the release, by default one of its own */
  open(epochId: number, skippedFrom?: number, block?: number): Promise<void>
  close(epochId: number): Promise<void>
  /** Votes are counted, a batch is cut, and goes as far as `state`. */
  batch(epochId: number, slots: number): Promise<void>
  anchor(epochId: number, state?: 'PLANNED' | 'STORED' | 'SENT' | 'MINED' | 'FINAL' | 'LATE'): Promise<void>
  end(epochId: number): Promise<void>
  /** All of it; every third slot is outvoted. */
  epoch(epochId: number, slots: number): Promise<void>
}

/** So little that a finalization and a batch are several records. */
const SMALL_RECORD_BYTES = 340

export async function createStory(fixture?: Fixture, dataMarket = MARKET): Promise<Story> {
  const made = fixture ?? (await createFixture())
  const { topics, put } = made
  const offsets = new Map<number, number>()
  const hash = (block: number): string => `0x${block.toString(16).padStart(64, '0')}`
  const blockOf = (epochId: number): number => epochId * 10
  const won = (slotId: number): boolean => slotId % 3 !== 0

  const story: Story = {
    fixture: made,
    async submit(fields, reason, stage = 'consensus') {
      const submission = submissionOf({ signature: signatureFor(fields), ...fields })
      const { epochId, projectId, slotId } = submission
      const position = await put(topics.submissions, { dataMarket, epochId, projectId }, submission)
      if (!reason) return
      const verdict = { ...verdictOf(submission, position, reason), stage, expected: 'bafkreione with 2 of 3 votes' }
      await put(topics.verdicts, { dataMarket, epochId, slotId }, verdict)
    },
    async open(epochId, skippedFrom = 0, block = blockOf(epochId)) {
      const tick = { dataMarket, epochId, blockNumber: block, blockHash: hash(block), releaseBlock: block }
      await put(topics.epochTicks, { dataMarket: '' }, tickOf({ ...tick, kind: 'HEAD', dataMarket: '', epochId: 0 }))
      await put(topics.epochTicks, { dataMarket }, tickOf({ ...tick, kind: 'OPEN', skippedFrom }))
    },
    async close(epochId) {
      const block = blockOf(epochId) + 5
      const tick = { dataMarket, epochId, blockNumber: block, blockHash: hash(block), releaseBlock: blockOf(epochId) }
      await put(topics.epochTicks, { dataMarket }, tickOf({ ...tick, kind: 'CLOSE' }))
    },
    async batch(epochId, slots) {
      const ballots = Array.from({ length: slots }, (_, i) => ({
        position: { partition: 0, offset: i },
        submissionId: uuid(epochId, i + 1),
        slotId: i + 1,
        snapshotCid: won(i + 1) ? 'bafkreione' : 'bafkreiother',
        frame: 0,
      }))
      const votes = ballots.filter(({ snapshotCid }) => snapshotCid === 'bafkreione').length
      const finalization = { projectId: 'project-a', snapshotCid: 'bafkreione', votes, voters: slots, closeBlock: 16 }
      const none = Buffer.alloc(0)
      const texts = {
        texts: none,
        frames: [{ middle: 'm', end: 'e' }],
        signatures: Buffer.alloc(slots * 65),
        leaves: none,
      }
      const rest = { ballots, ...texts, dropped: [], equivocations: [] }
      const parts = { candidates: candidatesOf(countsOf(ballots), 'bafkreione'), part: 0, parts: 1 }
      for (const part of finalizationParts({ ...finalization, ...rest, ...parts }, SMALL_RECORD_BYTES))
        await put(topics.finalizations, { dataMarket, epochId }, part)
      const batch = batchOf({ epochId, submissions: slots, json: contentOf(epochId) })
      const records = [...piecesOf(batch, SMALL_RECORD_BYTES)]
      const positions = []
      for (const record of records) positions.push(await put(topics.batches, { dataMarket }, record))
      offsets.set(epochId, positions[0]!.offset)
      const summary = { summaryOf: epochId, releaseBlock: 10, closeBlock: 16, closeBlockHash: HASH, batches: 1 }
      await put(
        topics.batches,
        { dataMarket },
        { ...summary, projects: 1, projectsWithoutQuorum: 0, submissions: slots },
      )
    },
    async anchor(epochId, state = 'FINAL') {
      const cid = state === 'PLANNED' ? '' : await cidOf(epochId)
      const anchor = anchorOf({
        state,
        batchOffset: offsets.get(epochId) ?? -1,
        cid,
        nonce: epochId,
        transactionHash: `0x${epochId}`,
      })
      await put(topics.anchors, { dataMarket, epochId, batchIndex: 0 }, anchor)
    },
    async end(epochId) {
      await put(topics.anchors, { dataMarket, epochId, batchIndex: -1 }, anchorOf({ batchOffset: -1, cid: '' }))
    },
    async epoch(epochId, slots) {
      await story.open(epochId)
      for (let slotId = 1; slotId <= slots; slotId++)
        await story.submit(
          {
            epochId,
            slotId,
            submissionId: uuid(epochId, slotId),
            snapshotCid: won(slotId) ? 'bafkreione' : 'bafkreiother',
          },
          won(slotId) ? 'COUNTED' : 'OUTVOTED',
        )
      await story.close(epochId)
      await story.batch(epochId, slots)
      for (const state of ['PLANNED', 'STORED', 'SENT', 'MINED', 'FINAL'] as const) await story.anchor(epochId, state)
      await story.end(epochId)
    },
  }
  return story
}

export interface RunningApi {
  readonly server: FastifyInstance
  readonly view: View
  readonly admin: ApiSources
  readonly directory: string
  /** Resolves when everything that was put is reflected. */
  caughtUp(): Promise<void>
  get(url: string, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  /** With `keep` the directory stays for the next. */
  close(keep?: boolean): Promise<void>
}

export async function startApi(
  { log, topics }: Fixture,
  {
    rules = ONE_MARKET,
    directory = mkdtempSync(join(tmpdir(), 'api-view-')),
    beside = () => {},
    stages = createStageWatch(systemClock.now),
    held = { all: [] },
    ...options
  }: Partial<ViewOptions> & {
    rules?: ProtocolRules
    beside?: (server: FastifyInstance) => void
  } & Partial<Pick<ApiSource, 'stages' | 'held'>> = {},
): Promise<RunningApi> {
  const errors: Error[] = []
  const identity = 'test'
  const view = await openView({
    identity,
    keepMs: 1e12,
    submissionsMax: 1e9,
    log,
    topics,
    clock: systemClock,
    onUnreadable: () => {},
    ...options,
    directory,
  })
  const admin = createApiSources()
  const health = createHealth(['api'], systemClock.now)
  health.set('api', true)
  const proofs = proofsOf(rules.markets[0]!, { view, log, topics })
  const following = { log, clock: systemClock, tell: () => {} }
  const reports = followIntakeReports(following, topics)
  const processes = followProcesses(following, topics)
  admin.open({
    view,
    log,
    topics,
    rules,
    health,
    instanceId: 'this',
    stages,
    held,
    proofs,
    reports,
    processes,
  })
  const server = Fastify({ frameworkErrors: onFrameworkError, forceCloseConnections: true })
  answerProblems(server, (error) => errors.push(error))
  mountApi(server, admin, TOKEN)
  beside(server)
  await server.ready()
  return {
    server,
    view,
    admin,
    directory,
    get: (url, headers = {}) => server.inject({ url, headers }),
    async caughtUp() {
      const ends = await endsOf({ log, topics })
      while ((await view.read(async ({ position }) => sumOf(position))) < ends) await systemClock.sleep(5)
    },
    async close(keep = false) {
      await server.close()
      admin.close()
      await Promise.all([reports.close(), processes.close()])
      await view.close()
      if (!keep) rmSync(directory, { recursive: true })
      if (errors.length > 0) throw new AggregateError(errors, `the server failed: ${errors[0]!.stack}`)
    },
  }
}

const sumOf = (position: string): number => Number(position.split('.')[0])

async function endsOf({ log, topics }: Pick<Fixture, 'log' | 'topics'>): Promise<number> {
  const partitions = VIEW_TOPICS.flatMap((name) => partitionsOf(topics[name]))
  return (await log.bounds(partitions)).reduce((sum, { stable }) => sum + stable, 0)
}

/** Every row of the view. */
export const rowsOf = ({ view }: RunningApi): Promise<(readonly [string, Buffer])[]> =>
  view.read(async (reader) => {
    const tables = Object.values(TABLE).map((table) => reader.range({ prefix: prefixOf(table), limit: 1_000_000 }))
    return (await Promise.all(tables)).flat()
  })
