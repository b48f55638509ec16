import { resultOf as answerTo } from '../../../connectors/evm/anchor-effects/anchor-result.ts'
import { isPayout, payoutKey, payoutNumberOf } from '../../../schemas/anchor-keys.ts'
import { createCodec } from '../../../schemas/codec.ts'
import { memoryRegistry } from '../../../schemas/registry.ts'
import type {
  Anchor,
  AnchorIntent,
  AnchorKey,
  AnchorResult,
  Batch,
  EpochSummary,
  Payment,
  PaymentKey,
  Payout,
  PayoutAnswer,
} from '../../../schemas/types.ts'
import type { ProcessorContext } from '../../../streams/processor.ts'
import type { KeyValueStore, ScopedStore, Store, StoreBuilder } from '../../../streams/store.ts'
import { planAnchor } from '../../../topology/anchor/anchor.ts'
import type { AnchorOutputs } from '../../../topology/anchor/anchor-register.ts'
import type { AnchorRules } from '../../../topology/anchor-rules.ts'
import { anchorStores } from '../../../topology/anchor-stores.ts'
import { MARKET_DEFAULTS } from '../../../topology/rules.ts'

export const MARKET = '0x00000000000000000000000000000000000000aa'
export const SIGNER = '0x0000000000000000000000000000000000000051'

export interface SentIntent {
  readonly key: AnchorKey
  readonly intent: AnchorIntent
}

const codec = await createCodec(memoryRegistry())

const NOTHING_ELSE = { sendMarker: () => {}, sendTombstone: () => {} }

/** The anchor stage by itself, over stores that are maps. Store values pass through their serde, as on a restore. */
export function anchorStage({
  daysKept = MARKET_DEFAULTS.daysKept,
  ...rules
}: Partial<AnchorRules> & { daysKept?: number } = {}) {
  const stores = new Map<string, MapStore>()
  const intents: SentIntent[] = []
  const rows: { key: AnchorKey; row: Anchor }[] = []
  const payments: { key: PaymentKey; row: Payment }[] = []
  const tombstones: PaymentKey[] = []
  let offset = 0
  const origin = { topic: 'batches', partition: 0, offset: 0 }
  const context: ProcessorContext<AnchorOutputs> = {
    origin,
    outputs: {
      intents: { send: (key, intent) => void intents.push({ key, intent }), ...NOTHING_ELSE },
      anchors: { send: (key, row) => void rows.push({ key, row }), ...NOTHING_ELSE },
      payments: {
        ...NOTHING_ELSE,
        send: (key, row) => void payments.push({ key, row }),
        sendTombstone: (key) => void tombstones.push(key),
      },
    },
    store: <S extends Store>(builder: StoreBuilder<S>): S => {
      const store = stores.get(builder.name) ?? new MapStore(builder)
      stores.set(builder.name, store)
      return store as unknown as S
    },
    globalTable: () => {
      throw new Error('the anchor stage has no table')
    },
    owns: () => true,
    requestCommit: () => {},
  }
  const processor = planAnchor(anchorStores(codec), () => ({ daysKept }), rules)(context)
  const last = <T extends { key: AnchorKey }>(of: readonly T[], key: AnchorKey): T | undefined =>
    of.findLast(
      (one) =>
        one.key.dataMarket === key.dataMarket &&
        one.key.epochId === key.epochId &&
        one.key.batchIndex === key.batchIndex,
    )

  return {
    intents,
    rows,
    payments,
    /** Of payments. */
    tombstones,
    stores,
    batch(epochId: number, batchIndex: number, dataMarket = MARKET, part = 0): AnchorKey {
      Object.assign(origin, { offset: offset++ })
      processor.process({ dataMarket }, { ...batchOf(epochId, batchIndex), part })
      return { dataMarket, epochId, batchIndex }
    },
    summary(epochId: number, batches: number, dataMarket = MARKET): AnchorKey {
      Object.assign(origin, { offset: offset++ })
      processor.process({ dataMarket }, summaryOf(epochId, batches))
      return { dataMarket, epochId, batchIndex: -1 }
    },
    /** A payout; the slots are numbered from 1, their counts are 10. */
    payout(epochId: number, number: number, given: Partial<Payout> = {}, dataMarket = MARKET): AnchorKey {
      Object.assign(origin, { offset: offset++ })
      processor.process({ dataMarket }, payoutOf(epochId, number, given))
      return payoutKey(dataMarket, epochId, number)
    },
    payment: (key: AnchorKey): Payment | undefined =>
      payments.findLast(
        (one) =>
          one.key.dataMarket === key.dataMarket &&
          one.key.epochId === key.epochId &&
          one.key.number === payoutNumberOf(key),
      )?.row,
    result: (key: AnchorKey, result: AnchorResult) => void processor.process(key, result),
    intent: (key: AnchorKey): AnchorIntent | undefined => last(intents, key)?.intent,
    row: (key: AnchorKey): Anchor | undefined => last(rows, key)?.row,
    /** Answers the intent in force. */
    answer(key: AnchorKey, outcome: AnchorResult['outcome'], fields: Partial<AnchorResult> = {}): void {
      const { step, attempt } = last(intents, key)!.intent
      processor.process(key, resultOf({ step, attempt, outcome, ...fields }))
    },
  }
}

export type AnchorStage = ReturnType<typeof anchorStage>

export const resultOf = ({
  step,
  attempt,
  outcome,
  ...fields
}: Pick<AnchorResult, 'step' | 'attempt' | 'outcome'> & Partial<AnchorResult>): AnchorResult =>
  answerTo({ step, attempt, cid: '' }, outcome, fields)

export const READY: Partial<AnchorResult> = {
  signer: SIGNER,
  nonce: 7,
  gasLimit: 500_000,
  maxFeePerGas: '2000',
  maxPriorityFeePerGas: '100',
}

export const BLOCK = { transactionHash: '0xt', blockNumber: 50, blockHash: '0xb' }

export const LEFT_OUT = { slotId: 3, counted: 10, onChain: 12, reason: 'HIGHER_ON_CHAIN' } as const
/** Two of the three slots of a payout are sent. */
export const ANSWER: PayoutAnswer = {
  slots: Buffer.of(0b011),
  eligibleNodes: 2,
  quota: 9,
  contractQuota: 9,
  numberFound: false,
  present: 0,
  paidBefore: [],
  paid: 0,
  leftOut: [LEFT_OUT],
}
export const READY_TO_PAY = { ...READY, payout: ANSWER }

export type Outcome = AnchorResult['outcome']
const FIELDS: Partial<Record<Outcome, Partial<AnchorResult>>> = {
  STORED: { cid: 'bafy' },
  READY,
  SIGNED: { rawTransaction: '0xraw', transactionHash: '0xt' },
  MINED: BLOCK,
  FINAL: BLOCK,
}

/** What a well world says with its answer. */
export const fieldsOf = (key: AnchorKey, outcome: Outcome): Partial<AnchorResult> | undefined =>
  outcome === 'READY' && isPayout(key) ? READY_TO_PAY : FIELDS[outcome]

/** The answers that take a fresh batch to a phase. */
export const WAY = {
  STORING: [],
  PREPARING: ['STORED'],
  SIGNING: ['STORED', 'READY'],
  SENDING: ['STORED', 'READY', 'SIGNED'],
  MINED: ['STORED', 'READY', 'SIGNED', 'MINED'],
  FINAL: ['STORED', 'READY', 'SIGNED', 'MINED', 'FINAL'],
} as const satisfies Record<string, readonly Outcome[]>
export type Phase = keyof typeof WAY

/** Takes what is fresh to a phase; only batches are stored. */
export function advanceTo(stage: AnchorStage, key: AnchorKey, phase: Phase): void {
  for (const outcome of WAY[phase])
    if (outcome !== 'STORED' || key.batchIndex >= 0) stage.answer(key, outcome, fieldsOf(key, outcome))
}

export const payoutOf = (epochId: number, number: number, given: Partial<Payout> = {}): Payout => ({
  payoutOf: 1,
  epochId,
  number,
  purpose: 'CLOSING',
  part: 0,
  parts: 1,
  slotIds: [1, 2, 3],
  submissions: [10, 10, 10],
  closeBlock: 100,
  firstBlock: 10,
  quota: 9,
  ...given,
})

const batchOf = (epochId: number, batchIndex: number): Batch => ({
  epochId,
  batchIndex,
  batchCount: 0,
  json: new Uint8Array(),
  roothash: `0xroot${epochId}.${batchIndex}`,
  finalizedCidsRootHash: `0xcids${epochId}.${batchIndex}`,
  projectIds: [],
  snapshotCids: [],
  submissions: 0,
  leavesBefore: 0,
  gasEstimate: 0,
  part: 0,
  parts: 1,
  sizeBytes: 0,
  texts: [],
})

const summaryOf = (epochId: number, batches: number): EpochSummary => ({
  summaryOf: epochId,
  releaseBlock: 0,
  closeBlock: 0,
  closeBlockHash: '',
  batches,
  projects: 0,
  projectsWithoutQuorum: 0,
  submissions: 0,
})

/** Both kinds of store over one map; values are kept as bytes. */
class MapStore implements KeyValueStore<unknown> {
  readonly name: string
  private readonly builder: StoreBuilder<Store>
  private readonly values = new Map<string, Uint8Array>()
  private readonly scoped = new Map<string, Map<string, Uint8Array>>()

  constructor(builder: StoreBuilder<Store>) {
    this.name = builder.name
    this.builder = builder
    if (builder.kind === 'scoped') Object.assign(this, this.scopedStore())
  }

  get(key: string): unknown {
    return this.decode(this.values.get(key))
  }
  put(key: string, value: unknown): void {
    this.values.set(key, this.builder.value.encode(value))
  }
  delete(key: string): void {
    this.values.delete(key)
  }
  *entries(): IterableIterator<[string, unknown]> {
    for (const [key, bytes] of this.values) yield [key, this.decode(bytes)]
  }
  get size(): number {
    return this.builder.kind === 'scoped' ? this.scoped.size : this.values.size
  }

  private decode(bytes: Uint8Array | undefined): unknown {
    return bytes && this.builder.value.decode(bytes)
  }

  private scopedStore(): Omit<ScopedStore<unknown>, 'name'> {
    const { scoped, builder } = this
    const decode = (bytes: Uint8Array | undefined) => this.decode(bytes)
    return {
      get: (scope, key) => decode(scoped.get(scope)?.get(key)),
      put: (scope, key, value) => {
        const keys = scoped.get(scope) ?? new Map<string, Uint8Array>()
        scoped.set(scope, keys.set(key, builder.value.encode(value)))
      },
      delete: (scope, key) => void scoped.get(scope)?.delete(key),
      *entries(scope) {
        for (const [key, bytes] of scoped.get(scope) ?? []) yield [key, decode(bytes)]
      },
      sizeOf: (scope) => scoped.get(scope)?.size ?? 0,
      scopes: () => scoped.keys(),
      dropScope: (scope) => void scoped.delete(scope),
    }
  }
}
