import { id } from 'ethers'
import { isNone } from '../../../schemas/none.ts'
import type { AnchorIntent, AnchorKey, AnchorResult } from '../../../schemas/types.ts'
import type { Ask } from '../nodes/ask.ts'
import type { Rpc } from '../nodes/rpc.ts'
import { addressIn } from '../nodes/rpc-values.ts'
import { attestedRoot, cidIn, type Head, type Log, logsOf, topicOf, word } from './anchor-chain.ts'
import { textOf } from './anchor-intents.ts'
import type { AnchorSettings } from './anchor-options.ts'
import { resultOf } from './anchor-result.ts'
import type { HeadWatch } from './head-watch.ts'

const ATTESTED = topicOf('SnapshotBatchAttestationSubmitted')
const FINALIZED = topicOf('SnapshotBatchFinalized')
const DIVERGED = topicOf('TriggerBatchResubmission')
/** For a batch whose block is not known. */
const LOOKBACK_BLOCKS = 10_000
const HEAD_WAIT_MS = 60_000

/** Each block is looked at again so many blocks later: a node may have had the block, but not yet its logs. */
const SECOND_LOOK_BLOCKS = 32
/** The second look is taken at so many blocks together. */
const SECOND_LOOK_STRIDE = 16
/** Events of one batch that are remembered as told: several for each of the most validators. A repeated event changes nothing. */
const TOLD_MAX = 1_024

interface Watched {
  readonly key: AnchorKey
  readonly intent: AnchorIntent
  /** First block not looked at yet, or not for the second time; below 0 while it is not known where to begin. */
  readonly cursors: Record<Look, number>
  readonly told: Set<string>
  /** Whether each validator so far attested our root; null where that could not be read. */
  readonly votes: Map<string, boolean | null>
}

type Look = 'first' | 'second'

export interface AttestationWatch {
  add(key: AnchorKey, intent: AnchorIntent): void
  remove(key: AnchorKey): void
  /** Follows until the signal: one request for all batches, whenever there is a new block at the depth. */
  follow(): Promise<void>
}

export interface WatchPorts {
  readonly rpc: Pick<Rpc, 'read'>
  readonly heads: HeadWatch
  readonly persist: <T>(action: () => Promise<T>) => Promise<T>
  readonly answer: (key: AnchorKey, result: AnchorResult) => Promise<void>
  readonly signal: AbortSignal
}

/**
 * Attestations of batches that are final, at the depth, so that none is taken back. Which root a validator attested is not
 * in its event; it is read from its transaction. The contract itself says when a batch is finalized, or diverged. Every range
 * is looked through twice, since no answer says that it is complete.
 */
export function createAttestationWatch(settings: AnchorSettings, ports: WatchPorts): AttestationWatch {
  const { rpc, heads, persist, signal } = ports
  const watched = new Map<string, Watched>()

  /** Blocks that were looked through up to a head that is not there are looked through anew: nobody knows what lay behind it. */
  const beginAnewBeyond = (look: Look, target: number): void => {
    for (const { intent, cursors } of watched.values())
      if (cursors[look] > target + 1 + SECOND_LOOK_BLOCKS) cursors[look] = intent.blockNumber
  }

  /** Looks through the next range of blocks for the batches that are furthest behind; false when nothing is left to look at. */
  const step = async (look: Look): Promise<boolean> => {
    const target = targetOf(heads.head, settings, look)
    if (target === undefined || signal.aborted) return false
    beginAnewBeyond(look, target)
    const due = look === 'first' ? 0 : SECOND_LOOK_STRIDE - 1
    for (const { cursors } of watched.values())
      if (isNone(cursors[look])) cursors[look] = Math.max(0, target - LOOKBACK_BLOCKS)
    const behind = [...watched.values()].filter(({ cursors }) => cursors[look] + due <= target)
    if (behind.length === 0) return false
    const fromBlock = behind.reduce((min, { cursors }) => Math.min(min, cursors[look]), target)
    const toBlock = Math.min(target, fromBlock + settings.logRangeBlocks - 1)
    const news = await rpc.read((ask) => newsOf(ask, behind, look, { fromBlock, toBlock }, settings))
    await Promise.all(news.map(({ one, result }) => result && ports.answer(one.key, result)))
    for (const { one, event, result } of news) {
      if (!result) settings.observer?.notFinalized?.(one.key)
      if (one.told.size < TOLD_MAX) one.told.add(event)
    }
    for (const { cursors } of behind) cursors[look] = Math.max(cursors[look], toBlock + 1)
    return true
  }

  return {
    add(key, intent) {
      const { blockNumber } = intent
      watched.set(textOf(key), {
        key,
        intent,
        cursors: { first: blockNumber, second: blockNumber },
        told: new Set(),
        votes: new Map(),
      })
    },
    remove: (key) => void watched.delete(textOf(key)),
    async follow() {
      let head = heads.head
      while (!signal.aborted) {
        while (await persist(() => step('first')));
        while (await persist(() => step('second')));
        head = await heads.changed(head, watched.size > 0 ? settings.pollMs : HEAD_WAIT_MS, signal)
      }
    },
  }
}

/** The newest block to look at, by the newest head: one that a node invented is not kept to. */
function targetOf(
  head: Head | undefined,
  { confirmations }: Pick<AnchorSettings, 'confirmations'>,
  look: Look,
): number | undefined {
  const target = head && head.number - confirmations - (look === 'first' ? 0 : SECOND_LOOK_BLOCKS)
  return target === undefined || target < 0 ? undefined : target
}

interface News {
  readonly one: Watched
  readonly event: string
  /** Undefined when the completion was forced without a decision of validators. */
  readonly result: AnchorResult | undefined
}

async function newsOf(
  ask: Ask,
  watched: readonly Watched[],
  look: Look,
  range: { readonly fromBlock: number; readonly toBlock: number },
  settings: AnchorSettings,
): Promise<News[]> {
  const news: News[] = []
  const markets = [...new Set(watched.map(({ key }) => key.dataMarket))]
  for (const address of new Set(markets.map((market) => settings.protocolStateOf(market).toLowerCase()))) {
    const topics = [[ATTESTED, FINALIZED, DIVERGED], markets.map(word)]
    const logs = await logsOf(ask, { address, topics, ...range })
    for (const log of logs)
      for (const one of watched) {
        if (log.blockNumber < one.cursors[look] || !concerns(log, one)) continue
        const event = `${log.transactionHash} ${log.topics.join(' ')}`
        if (one.told.has(event)) continue
        const meaning = await meaningOf(ask, log, logs, one)
        if (meaning === 'NOTHING' || (meaning === 'FORCED' && look === 'first')) continue // its votes may be missing yet
        news.push({ one, event, result: meaning === 'FORCED' ? undefined : meaning })
      }
  }
  return news
}

function concerns(log: Log, { key, intent }: Watched): boolean {
  const [event, market, epoch, cidHash] = log.topics
  if (market !== word(key.dataMarket) || epoch !== word(key.epochId)) return false
  return event === ATTESTED ? cidIn(log) === intent.cid : cidHash === id(intent.cid)
}

type Meaning = AnchorResult | 'FORCED' | 'NOTHING'

async function meaningOf(ask: Ask, log: Log, logs: readonly Log[], one: Watched): Promise<Meaning> {
  const { intent } = one
  const [event, , , validator] = log.topics
  const together = (other: string): boolean =>
    logs.some((near) => near.topics[0] === other && near.transactionHash === log.transactionHash && concerns(near, one))
  // Finalized by an attestation it is told with that one; without one, the owner forced it.
  if (event === FINALIZED) return together(ATTESTED) ? 'NOTHING' : resultOf(intent, 'ATTESTED')
  if (event === DIVERGED) return together(ATTESTED) || votedAgainst(one) ? resultOf(intent, 'DIVERGED') : 'FORCED'
  const root = await attestedRoot(ask, log.transactionHash, intent.cid)
  const attestation = {
    validator: addressIn(validator, 'the validator of an attestation'),
    matches: root === undefined ? null : root === intent.finalizedCidsRootHash,
    blockNumber: log.blockNumber,
    finalized: together(FINALIZED),
  }
  one.votes.set(attestation.validator, attestation.matches)
  return resultOf(intent, 'ATTESTED', { attestation })
}

/**
 * The contract asks for a resubmission when an attestation makes another root lead, and also when the owner forces the completion
 * while there are too few attestations or as many of each. Only the first says something against the batch.
 */
function votedAgainst({ votes }: Watched): boolean {
  const forUs = [...votes.values()].filter((matches) => matches === true).length
  return votes.size - forUs > forUs
}
