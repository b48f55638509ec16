/** Every Kafka topic of the sequencer: its types, its partitions, how long it keeps records. */
import { whyNoIntent, whyNoKey, whyNoPayout, whyNoResult } from '../schemas/anchor-checks.ts'
import type { AvroSerde, Codec } from '../schemas/codec.ts'
import type { SubjectName } from '../schemas/subjects.ts'
import type * as T from '../schemas/types.ts'
import type { KafkaTopic, MarkerProtocol } from '../streams/kafka-topic.ts'
import type { TopicConfig } from '../streams/ports.ts'
import { UnreadableError } from '../streams/read-record.ts'

export type SubmissionEvent = T.Submission | T.EpochMarker
export type Admitted = T.Submission | T.Withdrawal
export type BatchEvent = T.Batch | T.EpochSummary

const DAY_MS = 24 * 60 * 60 * 1000

export interface TopicOptions {
  /** Put before every topic name, e.g. `powerloom-mainnet-`. */
  readonly prefix: string
  /**
   * Partitions of submissions, validated, admitted, finalizations and verdicts, each on its own. `tallies` has as many as
   * finalizations, `slot-days` as many as verdicts, the others have one.
   */
  readonly partitions: {
    readonly submissions: number
    readonly validated: number
    readonly admitted: number
    readonly finalizations: number
    readonly verdicts: number
  }
}

export type Topics = ReturnType<typeof sequencerTopics>

export function sequencerTopics(codec: Codec, options: TopicOptions) {
  const defined = definitions(codec, options)
  return {
    ...topicsOfSources(defined, options),
    ...topicsOfVotes(defined, options),
    ...topicsOfBatches(defined),
    ...topicsOfOutcomes(defined, options),
    deadLetters: { name: `${options.prefix}dead-letters`, partitions: 1, ...kept(30) } satisfies TopicConfig,
  }
}

/** Written from outside of the stages: by intakes, the clock, and every process. */
const topicsOfSources = ({ plain, marked }: Definitions, { partitions }: TopicOptions) => ({
  submissions: marked<T.SubmissionKey, T.Submission>(
    'submissions',
    { partitions: partitions.submissions, ...kept(7) },
    epochMarkers(({ dataMarket, epochId }) => ({ dataMarket, epochId, projectId: '' }), epochOfKey),
  ),
  epochTicks: plain<T.MarketKey, T.EpochTick>('epoch-ticks', { partitions: 1, ...kept(30) }),
  tickRequests: plain<T.MarketKey, T.TickRequest>('tick-requests', { partitions: 1, ...kept(1) }),
  marketRequests: ofMarkets(plain<T.MarketKey, T.MarketRequest>('market-requests', COMPACTED)),
  markets: ofMarkets(plain<T.MarketKey, T.ServedMarket>('markets', COMPACTED)),
  peerBans: plain<T.PeerBanKey, T.PeerBan>('peer-bans', COMPACTED),
  intakeReports: plain<T.IntakeKey, T.IntakeReport>('intake-reports', COMPACTED),
  processes: plain<T.ProcessKey, T.ProcessReport>('processes', COMPACTED),
  slots: plain<T.SlotKey, T.SlotOwner>('slots', COMPACTED),
})

/** The way of a vote from its check to the count. */
const topicsOfVotes = ({ marked }: Definitions, { partitions }: TopicOptions) => ({
  validated: marked<T.SlotEpochKey, T.Submission>(
    'validated',
    { partitions: partitions.validated, cleanup: 'delete' },
    epochMarkers(({ dataMarket, epochId }) => ({ dataMarket, epochId, slotId: -1 }), epochOfKey),
  ),
  admitted: marked<T.SubmissionKey, Admitted>(
    'admitted',
    { partitions: partitions.admitted, ...kept(7) },
    epochMarkers(({ dataMarket, epochId }) => ({ dataMarket, epochId, projectId: '' }), epochOfKey),
  ),
  finalizations: marked<T.EpochKey, T.ProjectFinalization>(
    'finalizations',
    { partitions: partitions.finalizations, ...kept(30) },
    epochMarkers(({ dataMarket, epochId }) => ({ dataMarket, epochId }), epochOfKey),
  ),
})

/** The way of a batch to the chain. */
const topicsOfBatches = ({ plain }: Definitions) => ({
  batches: plain<T.MarketKey, BatchEvent>('batches', { partitions: 1, ...kept(30) }),
  anchorIntents: checkedAnchors(
    plain<T.AnchorKey, T.AnchorIntent>('anchor-intents', {
      partitions: 1,
      cleanup: 'delete', // the connector purges what is no longer in force (decision 0007)
      holdsOrders: true,
    }),
    whyNoIntent,
  ),
  anchorResults: checkedAnchors(
    plain<T.AnchorKey, T.AnchorResult>('anchor-results', { partitions: 1, ...kept(30) }),
    whyNoResult,
  ),
  anchors: plain<T.AnchorKey, T.Anchor>('anchors', COMPACTED),
})

/** The verdict on each submission, and its part in the day. */
const topicsOfOutcomes = ({ plain, marked }: Definitions, { partitions }: TopicOptions) => ({
  verdicts: plain<T.SlotEpochKey, T.Verdict>('verdicts', { partitions: partitions.verdicts, ...kept(30) }),
  tallies: marked<T.MarketKey, T.EpochTally>(
    'tallies',
    { partitions: partitions.finalizations, ...kept(7) },
    epochMarkers(
      ({ dataMarket }) => ({ dataMarket }),
      (_, { talliedEpoch }) => talliedEpoch,
    ),
  ),
  slotDays: plain<T.SlotDayKey, T.SlotDay>('slot-days', { partitions: partitions.verdicts, cleanup: 'compact' }),
  days: plain<T.DayKey, T.Day>('days', COMPACTED),
  payouts: checked(plain<T.MarketKey, T.Payout>('payouts', { partitions: 1, ...kept(30) }), whyNoPayout),
  payments: plain<T.PaymentKey, T.Payment>('payments', COMPACTED),
})

const COMPACTED = { partitions: 1, cleanup: 'compact' } as const
const kept = (days: number) => ({ cleanup: 'delete', retentionMs: days * DAY_MS }) as const

/** A topic of which a record with senseless content is none. */
const checked = <K, V>(topic: KafkaTopic<K, V>, whyNot: (value: V) => string | undefined): KafkaTopic<K, V> => ({
  ...topic,
  value: checkedSerde(topic.value, whyNot),
})

/** A topic whose keys name data markets, in lower case. */
const ofMarkets = <V>(topic: KafkaTopic<T.MarketKey, V>): KafkaTopic<T.MarketKey, V> => ({
  ...topic,
  key: checkedSerde(topic.key, ({ dataMarket }) =>
    ADDRESS.test(dataMarket) ? undefined : 'its key is no address of a data market in lower case',
  ),
})

const ADDRESS = /^0x[0-9a-f]{40}$/

const checkedAnchors = <V>(topic: KafkaTopic<T.AnchorKey, V>, whyNot: (value: V) => string | undefined) =>
  checked({ ...topic, key: checkedSerde(topic.key, whyNoKey) }, whyNot)

const checkedSerde = <V>({ encode, decode }: AvroSerde<V>, whyNot: (value: V) => string | undefined): AvroSerde<V> => ({
  encode,
  decode(bytes) {
    const value = decode(bytes)
    const why = whyNot(value)
    if (why !== undefined) throw new UnreadableError('undecodable', why)
    return value
  },
})

type Definitions = ReturnType<typeof definitions>
/** A topic that has subjects for its keys and values. */
type Name = { [S in SubjectName]: S extends `${infer N}-key` ? N : never }[SubjectName]
type Shape = Pick<KafkaTopic<never, never>, 'partitions' | 'cleanup' | 'retentionMs' | 'holdsOrders'>

const definitions = (codec: Codec, { prefix }: TopicOptions) => ({
  plain: <K, V>(name: Name, shape: Shape): KafkaTopic<K, V> => ({
    name: `${prefix}${name}`,
    key: codec.serde<K>(`${name}-key`),
    value: codec.serde<V>(`${name}-value`),
    ...shape,
  }),
  /** A topic in which the ticks of the clock lie among the data. */
  marked: <K extends T.MarketKey, V extends object>(
    name: Name,
    shape: Shape,
    markers: MarkerProtocol<K, V, T.EpochMarker>,
  ): KafkaTopic<K, V, T.EpochMarker> => ({
    name: `${prefix}${name}`,
    key: codec.serde<K>(`${name}-key`),
    value: codec.serde<V | T.EpochMarker>(`${name}-value`),
    ...shape,
    markers,
  }),
})

export const isMarker = (value: object): value is T.EpochMarker => 'tick' in value
export const isWithdrawal = (value: object): value is T.Withdrawal => 'withdrawnDigest' in value
export const isEpochSummary = (value: BatchEvent): value is T.EpochSummary => 'summaryOf' in value

/** Scope of everything that belongs to one epoch of one market; the key of scoped stores and of marker counts. */
export const epochScope = (dataMarket: string, epochId: number): string => `${dataMarket}/${epochId}`

const epochOfKey = ({ epochId }: T.EpochKey): number => epochId

/** How the engine handles our markers: a CLOSE ends the scope of its epoch, the other kinds end none. */
const epochMarkers = <K extends T.MarketKey, V extends object>(
  keyOf: (tick: T.EpochTick) => K,
  epochOf: (key: K, value: V) => number,
): MarkerProtocol<K, V, T.EpochMarker> => ({
  isMarker,
  idOf: ({ tick: { kind, dataMarket, epochId, blockNumber, blockHash } }) =>
    `${kind}/${dataMarket}/${epochId}/${blockNumber}/${blockHash}`,
  scopeOf: ({ tick: { kind, dataMarket, epochId } }) =>
    kind === 'CLOSE' ? epochScope(dataMarket, epochId) : undefined,
  scopeOfData: (key, value) => epochScope(key.dataMarket, epochOf(key, value)),
  keyOf: ({ tick }) => keyOf(tick),
  stampOf: (marker) => marker,
  withStamp: (marker, { from, of, count, checksum }) => ({ ...marker, from, of, count, checksum }),
})
