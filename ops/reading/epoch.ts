/** Where an epoch stands, from its release to the attestations, read from the log. */

import { END_OF_BATCHES } from '../../schemas/anchor-keys.ts'
import type { Anchor, EpochKey, EpochTick } from '../../schemas/types.ts'
import type { Log } from '../../streams/ports.ts'
import type { ProtocolRules } from '../../topology/rules.ts'
import { isMarker, type Topics } from '../../topology/topics.ts'
import { anchorsOfEpoch, batchOf } from './anchors.ts'
import { finalizationPartition, finalizationsOf, submissionsOf, verdictsOf } from './keys.ts'
import { knownMarkets } from './known-markets.ts'
import { lookedUp } from './read.ts'
import { scan } from './scan.ts'

export interface EpochQuery {
  readonly epochId: number
  /** Lower case; when it is left out, every market that is configured or was added. */
  readonly dataMarket?: string | undefined
}

/**
 * - `UNKNOWN`: no release was seen. `SKIPPED`: the market's owner passed it over, and the contract never released it.
 * - `OPEN`: it takes submissions. `CLOSED`: its window is over, votes are being counted.
 * - `ANCHORING`: its batches are on their way to the chain. `ANCHORED`: all of them are there, and the ending call.
 * - `ATTESTED`: and the contract finalized each. `FAILED`: a batch cannot be anchored any more.
 */
export type EpochPhase = 'UNKNOWN' | 'SKIPPED' | 'OPEN' | 'CLOSED' | 'ANCHORING' | 'ANCHORED' | 'ATTESTED' | 'FAILED'

export interface EpochStatus {
  readonly dataMarket: string
  readonly epochId: number
  readonly phase: EpochPhase
  /** What happens next, in words. */
  readonly next: string
  readonly releaseBlock: number | null
  /** Block of an earlier release, which left the chain; null when there was none. */
  readonly earlierReleaseBlock: number | null
  /** Block in which the market's owner skipped the epoch; null for one that was not. */
  readonly skippedInBlock: number | null
  readonly closeBlock: number | null
  /** Source-chain blocks of the epoch. */
  readonly begin: number | null
  readonly end: number | null
  /** Acknowledged submissions, and the final verdicts on them by reason. */
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
  readonly endCall: { readonly state: string; readonly transactionHash: string } | null
}

export interface BatchStatus {
  readonly batchIndex: number
  readonly state: string
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
  const { open, close, earlier, skippedInBlock = null } = await ticksOf(log, topics, key)
  const submissions = await countSubmissions(log, topics, key)
  const reasons = await countVerdicts(log, topics, key)
  const anchors = await anchorsOfEpoch(log, topics, key)
  const batches = await batchStatuses(log, topics, anchors)
  const end = anchors.get(END_OF_BATCHES)
  const isSkipped = skippedInBlock !== null
  const phase = phaseOf({ released: open !== undefined, closed: close !== undefined, isSkipped, batches, end })
  return {
    ...key,
    phase,
    next: NEXT[phase],
    releaseBlock: open?.releaseBlock ?? close?.releaseBlock ?? null,
    earlierReleaseBlock: earlier?.releaseBlock ?? null,
    skippedInBlock,
    closeBlock: close?.blockNumber ?? null,
    begin: open?.begin ?? null,
    end: open?.end ?? null,
    submissions,
    verdicts: Object.values(reasons).reduce((sum, count) => sum + count, 0),
    reasons,
    projects: await winnersOf(log, topics, key),
    batches,
    endCall: end ? { state: end.state, transactionHash: end.transactionHash } : null,
  }
}

export const NEXT = {
  UNKNOWN:
    'The contract releases the epoch (EpochReleased); one that it released while the market was not served stays unknown.',
  SKIPPED: 'Nothing: the owner of the market skipped it, and the contract never releases it.',
  OPEN: 'The clock reaches the first block past the submission window, which closes the epoch.',
  CLOSED: 'The votes are counted and the batches are cut.',
  ANCHORING: 'The batches are stored, sent, and mined to the configured depth; then the epoch is ended on the chain.',
  ANCHORED: 'Validators attest the batches.',
  ATTESTED: 'Nothing; the contract has finalized every batch.',
  FAILED: 'Nothing by itself: see the error of the batch.',
} as const satisfies Record<EpochPhase, string>

interface Progress {
  readonly released: boolean
  readonly closed: boolean
  readonly isSkipped: boolean
  readonly batches: readonly Pick<BatchStatus, 'state' | 'attested'>[]
  readonly end: Pick<Anchor, 'state'> | undefined
}

export function phaseOf({ released, closed, isSkipped, batches, end }: Progress): EpochPhase {
  if (batches.some(({ state }) => state === 'FAILED' || state === 'LATE')) return 'FAILED'
  const anchored = end?.state === 'FINAL' && batches.every(({ state }) => state === 'FINAL')
  if (anchored) return batches.length > 0 && batches.every(({ attested }) => attested) ? 'ATTESTED' : 'ANCHORED'
  if (batches.length > 0 || end) return 'ANCHORING'
  if (closed) return 'CLOSED'
  if (released) return 'OPEN'
  return isSkipped ? 'SKIPPED' : 'UNKNOWN'
}

interface Ticks {
  readonly open?: EpochTick
  readonly close?: EpochTick
  /** The release before, which left the chain. */
  readonly earlier?: EpochTick | undefined
  readonly skippedInBlock?: number
}

/** The newest release and close; a reorganisation may release an epoch again, which takes an earlier close back. */
async function ticksOf(log: Log, { epochTicks }: Topics, { dataMarket, epochId }: EpochKey): Promise<Ticks> {
  const ofMarket = Buffer.from(epochTicks.key.encode({ dataMarket }))
  let found: Ticks = {}
  for await (const records of scan(log, { topic: epochTicks.name, partition: 0 }))
    for (const record of records) {
      if (record.key === null || record.value === null || !ofMarket.equals(record.key)) continue
      const tick = lookedUp(epochTicks, 0, record)?.value
      if (!tick) continue
      const { kind, skippedFrom } = tick
      const earlier = found.open ?? found.earlier
      if (kind === 'OPEN' && skippedFrom > 0 && skippedFrom <= epochId && epochId < tick.epochId)
        found = { skippedInBlock: tick.releaseBlock, earlier }
      if (tick.epochId !== epochId) continue
      if (kind === 'OPEN') found = isSame(found.open, tick) ? found : { open: tick, earlier }
      else if (kind === 'CLOSE') found = { ...found, close: tick }
    }
  return found
}

const isSame = (one: EpochTick | undefined, other: EpochTick): boolean =>
  one?.blockHash === other.blockHash && one.releaseBlock === other.releaseBlock

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

async function winnersOf(log: Log, topics: Topics, key: EpochKey): Promise<EpochStatus['projects']> {
  const { name } = topics.finalizations
  const partition = finalizationPartition(topics, key)
  const matches = finalizationsOf(topics, key)
  const projects: EpochStatus['projects'][number][] = []
  for await (const records of scan(log, { topic: name, partition }))
    for (const record of records) {
      if (!matches(record.key) || record.value === null) continue
      const event = lookedUp(topics.finalizations, partition, record)?.value
      if (!event || isMarker(event) || event.part > 0) continue
      const { projectId, snapshotCid, votes, voters } = event
      projects.push({ projectId, snapshotCid, votes, voters })
    }
  return projects.sort((a, b) => (a.projectId < b.projectId ? -1 : 1))
}

async function batchStatuses(
  log: Log,
  topics: Topics,
  anchors: ReadonlyMap<number, Anchor>,
): Promise<readonly BatchStatus[]> {
  const statuses: BatchStatus[] = []
  for (const [batchIndex, anchor] of [...anchors].sort(([a], [b]) => a - b)) {
    if (batchIndex === END_OF_BATCHES) continue
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
