/**
 * The anchor stage: a finite state machine per batch, and one per epoch for the call that ends it. It decides, the
 * connector acts: every intent is in the log before its effect, every effect answers through the log.
 */
import type {
  Anchor,
  AnchorIntent,
  AnchorKey,
  AnchorProgress,
  AnchorResult,
  Batch,
  EpochSummary,
  MarketKey,
} from '../schemas/types.ts'
import type { ProcessorContext, ProcessorSupplier } from '../streams/processor.ts'
import { createNonceQueue } from './anchor-queue.ts'
import { ANCHOR_RULES_DEFAULTS, type AnchorRules } from './anchor-rules.ts'
import type { AnchorStores } from './anchor-stores.ts'
import { applyResult, intend } from './anchor-transitions.ts'
import { type BatchEvent, epochScope, isEpochSummary } from './topics.ts'

export type AnchorOutputs = {
  readonly intents: readonly [AnchorKey, AnchorIntent]
  readonly anchors: readonly [AnchorKey, Anchor]
}

/** The index under which the call stands that ends an epoch's batches. */
export const END_OF_BATCHES = -1

/**
 * Takes `batches` and `anchor-results`, one partition each. One task with one signer: it alone assigns nonces.
 *
 * The ending call is planned when every batch of the epoch is FINAL, or LATE or FAILED for good. Those two do not hold it
 * back: validators attest only after it, and one bad batch must not cost the epoch its good ones. A batch that is mined does:
 * a reorg may take it out again, and then it could need a nonce behind that of the ending call (decision 0007).
 */
export const planAnchor =
  (
    stores: AnchorStores,
    options: Partial<AnchorRules> = {},
  ): ProcessorSupplier<MarketKey | AnchorKey, BatchEvent | AnchorResult, AnchorOutputs> =>
  (context) => {
    const anchor = createAnchor(context, stores, { ...ANCHOR_RULES_DEFAULTS, ...options })
    return {
      process(key, value) {
        if ('outcome' in value) anchor.answer(key as AnchorKey, value)
        else if (isEpochSummary(value)) anchor.endEpoch(key.dataMarket, value)
        else if (value.part > 0)
          return undefined // of a batch that was planned with its first
        else anchor.plan(key.dataMarket, value, context.origin.offset)
        context.requestCommit() // a batch takes five turns through the log: none waits for the next interval
        return undefined
      },
    }
  }

function createAnchor(context: ProcessorContext<AnchorOutputs>, stores: AnchorStores, rules: AnchorRules) {
  const { intents, anchors } = context.outputs
  const progress = context.store(stores.progress)
  const queue = createNonceQueue(context, stores, rules)

  const read = ({ dataMarket, epochId, batchIndex }: AnchorKey): AnchorProgress | undefined =>
    progress.get(epochScope(dataMarket, epochId), `${batchIndex}`)

  /** Stores what is next, and sends what is new about it. */
  const advance = (before: AnchorProgress | undefined, after: AnchorProgress): void => {
    const { key } = after
    progress.put(epochScope(key.dataMarket, key.epochId), `${key.batchIndex}`, after)
    if (after.attempt !== (before?.attempt ?? 0)) intents.send(key, intentOf(after))
    const row = rowOf(after)
    if (!before || JSON.stringify(row) !== JSON.stringify(rowOf(before))) anchors.send(key, row)
    if (after.phase === 'QUEUED' && before?.phase !== 'QUEUED') queue.append(key)
    queue.track(after)
  }

  const plan = (dataMarket: string, batch: Batch, offset: number): void => {
    const { epochId, batchIndex } = batch
    const key = { dataMarket, epochId, batchIndex }
    if (read(key)) return
    advance(undefined, { ...intend(newProgress(key, batch), 'STORE'), phase: 'STORING', batchOffset: offset })
  }

  const endEpoch = (dataMarket: string, { summaryOf, batches }: EpochSummary): void => {
    const key = { dataMarket, epochId: summaryOf, batchIndex: END_OF_BATCHES }
    if (!read(key)) advance(undefined, { ...newProgress(key), phase: 'WAITING', batches })
    endWhenDone(key)
    stopWatching(dataMarket, summaryOf - rules.watchEpochs)
  }

  const answer = (key: AnchorKey, result: AnchorResult): void => {
    const before = read(key)
    if (!before) return // of an epoch that is done and dropped
    const after = applyResult(before, result, rules)
    if (after === before) return
    advance(before, after)
    endWhenDone(key)
    assignNonces()
    dropWhenDone(key)
  }

  const endWhenDone = ({ dataMarket, epochId }: AnchorKey): void => {
    const ending = read({ dataMarket, epochId, batchIndex: END_OF_BATCHES })
    if (ending?.phase === 'WAITING' && batchesEnded(ending))
      advance(ending, { ...intend(ending, 'PREPARE'), phase: 'PREPARING' })
  }

  const batchesEnded = ({ key, batches }: AnchorProgress): boolean => {
    for (let batchIndex = 0; batchIndex < batches; batchIndex++) {
      const batch = read({ ...key, batchIndex })
      if (!batch || !ENDED.includes(batch.phase)) return false
    }
    return true
  }

  const assignNonces = (): void => {
    for (;;) {
      const next = queue.takeNext(read)
      if (!next) return
      advance(next, { ...intend(next, 'SIGN'), phase: 'SIGNING', nonce: queue.assignNonce(next) })
    }
  }

  /** Attestations that have not come by then are not waited for. */
  const stopWatching = (dataMarket: string, epochMax: number): void => {
    for (const scope of [...progress.scopes()]) {
      const entries = [...progress.entries(scope)].map(([, value]) => value)
      const { key } = entries[0] ?? {}
      if (!key || key.dataMarket !== dataMarket || key.epochId > epochMax) continue
      for (const entry of entries)
        if (entry.phase === 'FINAL' && entry.step === 'WATCH') advance(entry, intend(entry, 'DONE'))
      dropWhenDone(key)
    }
  }

  const dropWhenDone = ({ dataMarket, epochId }: AnchorKey): void => {
    const scope = epochScope(dataMarket, epochId)
    const ending = read({ dataMarket, epochId, batchIndex: END_OF_BATCHES })
    if (!ending || progress.sizeOf(scope) !== ending.batches + 1) return
    for (const [, { phase, step }] of progress.entries(scope)) if (step !== 'DONE' || !ENDED.includes(phase)) return
    progress.dropScope(scope)
  }

  return { plan, endEpoch, answer }
}

const ENDED: readonly AnchorProgress['phase'][] = ['FINAL', 'LATE', 'FAILED']

const newProgress = (key: AnchorKey, batch?: Batch): AnchorProgress => ({
  key,
  phase: 'WAITING',
  step: 'DONE',
  call: batch ? 'SUBMIT' : 'END',
  attempt: 0,
  delayMs: 0,
  retries: 0,
  batchOffset: -1,
  batches: 0,
  cid: '',
  roothash: batch?.roothash ?? '',
  finalizedCidsRootHash: batch?.finalizedCidsRootHash ?? '',
  signer: '',
  chainNonce: -1,
  nonce: -1,
  quote: { gasLimit: 0, maxFeePerGas: '0', maxPriorityFeePerGas: '0' },
  rawTransactions: [],
  transactionHash: '',
  blockNumber: -1,
  blockHash: '',
  error: '',
  attestations: [],
  attested: false,
  diverged: false,
})

function intentOf(at: AnchorProgress): AnchorIntent {
  const { step, attempt, call, delayMs, batchOffset, cid, finalizedCidsRootHash, signer, nonce, blockNumber } = at
  const { rawTransactions, quote } = at
  const head = { step, attempt, call, delayMs, batchOffset, cid, finalizedCidsRootHash, signer, nonce, blockNumber }
  return { ...head, ...quote, rawTransactions: step === 'DONE' ? [] : rawTransactions }
}

function rowOf(at: AnchorProgress): Anchor {
  const { batchOffset, cid, roothash, finalizedCidsRootHash, nonce, attempt, transactionHash } = at
  const { blockNumber, blockHash, error, attestations, attested, diverged } = at
  const identity = { batchOffset, cid, roothash, finalizedCidsRootHash, nonce, attempts: attempt }
  const state = stateOf(at)
  return { state, ...identity, transactionHash, blockNumber, blockHash, error, attestations, attested, diverged }
}

function stateOf({ phase, cid, rawTransactions }: AnchorProgress): Anchor['state'] {
  switch (phase) {
    case 'WAITING':
    case 'STORING':
    case 'PREPARING':
      return cid === '' ? 'PLANNED' : 'STORED'
    case 'QUEUED':
      return 'READY'
    case 'SIGNING':
    case 'SENDING':
      return rawTransactions.length === 0 ? 'READY' : 'SENT'
    default:
      return phase
  }
}
