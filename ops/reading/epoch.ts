/** The progress of an epoch, from its release to the attestations, read from the log. */

import { END_OF_BATCHES, isBatch } from '../../schemas/anchor-keys.ts'
import type { Anchor, AnchorState, EpochKey, EpochTick } from '../../schemas/types.ts'
import type { Log } from '../../streams/ports.ts'
import { readRecords } from '../../streams/read-record.ts'
import type { ProtocolRules } from '../../topology/rules.ts'
import { isEpochSummary, isMarker, type Topics } from '../../topology/topics.ts'
import { batchOf, readAnchors } from './anchors.ts'
import type { EpochOutcome, EpochPhase } from './epoch-phases.ts'
import {
  type EpochProgress,
  mayChange,
  outcomeOf,
  type ProgressRecord,
  phaseOf,
  unseenEpoch,
  withRecord,
} from './epoch-progress.ts'
import { finalizationPartition, finalizationsOf, submissionsOf, verdictsOf } from './keys.ts'
import { knownMarkets } from './known-markets.ts'
import { lookedUp, silently } from './read.ts'
import { scan } from './scan.ts'

export interface EpochQuery {
  readonly epochId: number
  /** Lower case; when it is left out, every market that is configured or was added. */
  readonly dataMarket?: string | undefined
}

export interface EpochStatus {
  readonly dataMarket: string
  readonly epochId: number
  readonly phase: EpochPhase
  /** null: nothing went wrong so far. */
  readonly outcome: EpochOutcome | null
  /** The next step, in words. */
  readonly next: string
  readonly releaseBlock: number | null
  /** Block of an earlier release, which left the chain; null when there was none. */
  readonly earlierReleaseBlock: number | null
  /** Block in which the market's owner skipped the epoch; null for one that was not. */
  readonly skippedInBlock: number | null
  /** Why its release opened no epoch, in words; empty for one that has none such. */
  readonly refused: string
  readonly closeBlock: number | null
  /** Source-chain blocks of the epoch. */
  readonly begin: number | null
  readonly end: number | null
  /** Acknowledged submissions, and the verdicts on them by reason. */
  readonly submissions: number
  readonly verdicts: number
  readonly reasons: Readonly<Record<string, number>>
  readonly projects: readonly {
    readonly projectId: string
    readonly snapshotCid: string
    readonly votes: number
    readonly voters: number
  }[]
  readonly batches: readonly BatchStatus[]
  readonly endCall: { readonly state: AnchorState; readonly transactionHash: string } | null
}

export interface BatchStatus {
  readonly batchIndex: number
  readonly state: AnchorState
  readonly cid: string
  readonly projects: number
  readonly submissions: number
  readonly transactionHash: string
  readonly blockNumber: number
  readonly attestations: number
  readonly attested: boolean
  readonly error: string
}

/** Resolves with one status per market that the query may mean. */
export async function epochStatus(
  log: Log,
  topics: Topics,
  rules: ProtocolRules,
  query: EpochQuery,
): Promise<readonly EpochStatus[]> {
  const markets = query.dataMarket === undefined ? await knownMarkets(log, topics, rules) : [query.dataMarket]
  return Promise.all(markets.map((dataMarket) => statusOf(log, topics, { dataMarket, epochId: query.epochId })))
}

async function statusOf(log: Log, topics: Topics, key: EpochKey): Promise<EpochStatus> {
  const submissions = await countSubmissions(log, topics, key)
  const reasons = await countVerdicts(log, topics, key)
  const { progress, projects, anchors } = await progressOf(log, topics, key)
  const { releaseBlock, earlierReleaseBlock, skippedInBlock, refused, closeBlock, begin, end } = progress
  const [phase, outcome] = [phaseOf(progress), outcomeOf(progress)]
  const ending = anchors.get(END_OF_BATCHES)
  return {
    ...key,
    phase,
    outcome,
    next: nextOf(phase, outcome),
    releaseBlock,
    earlierReleaseBlock,
    skippedInBlock,
    refused,
    closeBlock,
    begin,
    end,
    submissions,
    verdicts: Object.values(reasons).reduce((sum, count) => sum + count, 0),
    reasons,
    projects,
    batches: await batchStatuses(log, topics, anchors),
    endCall: ending ? { state: ending.state, transactionHash: ending.transactionHash } : null,
  }
}

/** The next step, in words. */
export const nextOf = (phase: EpochPhase, outcome: EpochOutcome | null): string =>
  outcome === null ? NEXT[phase] : phase === 'ANCHORED' ? NOTHING_ANCHORED : AFTER[outcome]

const NEXT = {
  UNKNOWN:
    'The contract releases the epoch (EpochReleased); one that it released while the market was not served stays unknown.',
  SKIPPED: 'Nothing: the owner of the market skipped it, and the contract never releases it.',
  ORPHANED:
    'The contract releases the epoch again, now that its release has left the chain, or the owner of the market skips it.',
  REFUSED:
    'Nothing: no vote for it counts. The owner of the market has to set the number right; later releases open epochs again.',
  OPEN: 'The clock reaches the first block past the submission window, which closes the epoch.',
  COUNTING: 'The votes are counted and the batches are cut.',
  STORING: 'Each batch is stored on IPFS.',
  MINING: 'Each batch gets a transaction, and a block takes it.',
  CONFIRMING:
    'Enough blocks come on top of the batches; then the call follows that ends the epoch, and blocks on top of it.',
  ANCHORED: 'Validators attest the batches.',
  ATTESTED: 'Nothing: enough validators have attested every batch.',
} as const satisfies Record<EpochPhase, string>

const AFTER = {
  LATE: 'The contract keeps nothing of the batch that came too late. Other batches, and the call that ends the epoch, go on.',
  FAILED:
    'The failed batch stays off the chain: see its error. Other batches, and the call that ends the epoch, go on.',
  NO_QUORUM: 'There is no batch; the call that ends the epoch is made.',
  EMPTY: 'There is no batch; the call that ends the epoch is made.',
} as const satisfies Record<EpochOutcome, string>

const NOTHING_ANCHORED = 'Nothing: the epoch has ended without a batch.'

interface Read {
  readonly progress: EpochProgress
  readonly projects: EpochStatus['projects']
  /** The newest row of each batch, by index. */
  readonly anchors: ReadonlyMap<number, Anchor>
}

async function progressOf(log: Log, topics: Topics, key: EpochKey): Promise<Read> {
  let progress = unseenEpoch(key.epochId)
  const projects: EpochStatus['projects'][number][] = []
  const take = (record: ProgressRecord): void => {
    progress = withRecord(progress, record)
  }
  for await (const record of ticksAbout(log, topics, key)) take(record)
  for await (const record of finalizationsIn(log, topics, key)) {
    const { projectId, snapshotCid, votes, voters } = record.finalization
    projects.push({ projectId, snapshotCid, votes, voters })
    take(record)
  }
  const { rows: anchors, takenTo } = await readAnchors(log, topics, key)
  // The ending row tells the same as the summary, which need not be looked for then.
  const summary = anchors.has(END_OF_BATCHES) ? undefined : await summaryOf(log, topics, key, takenTo)
  if (summary) take(summary)
  for (const [batchIndex, anchor] of anchors) take({ batchIndex, anchor, at: 0 })
  return { progress, projects: projects.sort((a, b) => (a.projectId < b.projectId ? -1 : 1)), anchors }
}

/** Read of the ticks of all markets: later epochs tell of a skip, HEADs of refusals, and ORPHANs are of every market. */
async function* ticksAbout(log: Log, { epochTicks }: Topics, key: EpochKey): AsyncGenerator<ProgressRecord> {
  const refusedIn = ({ refused }: EpochTick) =>
    refused.filter(({ dataMarket, epochId }) => dataMarket === key.dataMarket && epochId === key.epochId)
  const wanted = (tick: EpochTick | null) => tick !== null && (mayChange(tick, key) || refusedIn(tick).length > 0)
  for await (const records of scan(log, { topic: epochTicks.name, partition: 0 }))
    for (const { value: tick, timestamp: at } of readRecords(epochTicks, 0, records, silently, { wanted })) {
      if (mayChange(tick!, key)) yield { tick: tick!, at }
      for (const refused of refusedIn(tick!)) yield { refused, at }
    }
}

/** The first part of each. */
async function* finalizationsIn(log: Log, topics: Topics, key: EpochKey) {
  const { name } = topics.finalizations
  const partition = finalizationPartition(topics, key)
  const matches = finalizationsOf(topics, key)
  for await (const records of scan(log, { topic: name, partition }))
    for (const record of records) {
      if (!matches(record.key) || record.value === null) continue
      const event = lookedUp(topics.finalizations, partition, record)?.value
      if (event && !isMarker(event) && event.part === 0) yield { finalization: event, at: record.timestamp }
    }
}

/** @param from offset of `batches`; what lies before it is none of the epoch's summary */
async function summaryOf(log: Log, { batches }: Topics, { dataMarket, epochId }: EpochKey, from: number) {
  const ofMarket = Buffer.from(batches.key.encode({ dataMarket }))
  for await (const records of scan(log, { topic: batches.name, partition: 0 }, { from }))
    for (const record of records) {
      if (record.key === null || !ofMarket.equals(record.key)) continue
      const event = lookedUp(batches, 0, record)?.value
      if (event && isEpochSummary(event) && event.summaryOf === epochId) return { summary: event, at: record.timestamp }
    }
  return undefined
}

async function countSubmissions(log: Log, topics: Topics, key: EpochKey): Promise<number> {
  const { name, partitions } = topics.submissions
  const matches = submissionsOf(topics, key)
  let count = 0
  for (let partition = 0; partition < partitions; partition++)
    for await (const records of scan(log, { topic: name, partition }))
      for (const record of records) {
        if (!matches(record.key) || record.value === null) continue
        const event = lookedUp(topics.submissions, partition, record)?.value
        if (event && !isMarker(event)) count++
      }
  return count
}

async function countVerdicts(log: Log, topics: Topics, key: EpochKey): Promise<Record<string, number>> {
  const { name, partitions } = topics.verdicts
  const matches = verdictsOf(topics, key)
  const reasons: Record<string, number> = {}
  for (let partition = 0; partition < partitions; partition++)
    for await (const records of scan(log, { topic: name, partition }))
      for (const record of records) {
        if (!matches(record.key) || record.value === null) continue
        const verdict = lookedUp(topics.verdicts, partition, record)?.value
        if (verdict) reasons[verdict.reason] = (reasons[verdict.reason] ?? 0) + 1
      }
  return reasons
}

async function batchStatuses(
  log: Log,
  topics: Topics,
  anchors: ReadonlyMap<number, Anchor>,
): Promise<readonly BatchStatus[]> {
  const statuses: BatchStatus[] = []
  for (const [batchIndex, anchor] of [...anchors].sort(([a], [b]) => a - b)) {
    if (!isBatch({ batchIndex })) continue
    const batch = await batchOf(log, topics, anchor)
    const { state, cid, transactionHash, blockNumber, attestations, attested, error } = anchor
    const sizes = { projects: batch?.projectIds.length ?? 0, submissions: batch?.submissions ?? 0 }
    statuses.push({
      batchIndex,
      state,
      cid,
      ...sizes,
      transactionHash,
      blockNumber,
      attestations: attestations.length,
      attested,
      error,
    })
  }
  return statuses
}
