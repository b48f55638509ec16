/** Every Kafka topic of the sequencer: its types, its partitions, how long it keeps records. */
import type { Codec } from '../schemas/codec.ts'
import type * as T from '../schemas/types.ts'
import type { KafkaTopic, MarkerProtocol } from '../streams/kafka-topic.ts'
import type { TopicConfig } from '../streams/ports.ts'

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

export function sequencerTopics(codec: Codec, { prefix, partitions }: TopicOptions) {
  return {
    submissions: marked<T.SubmissionKey, T.Submission>({
      name: `${prefix}submissions`,
      key: codec.serde<T.SubmissionKey>('submissions-key'),
      value: codec.serde<SubmissionEvent>('submissions-value'),
      partitions: partitions.submissions,
      cleanup: 'delete',
      retentionMs: 7 * DAY_MS,
      markers: epochMarkers(({ dataMarket, epochId }) => ({ dataMarket, epochId, projectId: '' }), epochOfKey),
    }),
    epochTicks: topic({
      name: `${prefix}epoch-ticks`,
      key: codec.serde<T.MarketKey>('epoch-ticks-key'),
      value: codec.serde<T.EpochTick>('epoch-ticks-value'),
      partitions: 1,
      cleanup: 'delete',
      retentionMs: 30 * DAY_MS,
    }),
    tickRequests: topic({
      name: `${prefix}tick-requests`,
      key: codec.serde<T.MarketKey>('tick-requests-key'),
      value: codec.serde<T.TickRequest>('tick-requests-value'),
      partitions: 1,
      cleanup: 'delete',
      retentionMs: DAY_MS,
    }),
    marketRequests: topic({
      name: `${prefix}market-requests`,
      key: codec.serde<T.MarketKey>('market-requests-key'),
      value: codec.serde<T.MarketRequest>('market-requests-value'),
      partitions: 1,
      cleanup: 'compact',
    }),
    markets: topic({
      name: `${prefix}markets`,
      key: codec.serde<T.MarketKey>('markets-key'),
      value: codec.serde<T.ServedMarket>('markets-value'),
      partitions: 1,
      cleanup: 'compact',
    }),
    peerBans: topic({
      name: `${prefix}peer-bans`,
      key: codec.serde<T.PeerBanKey>('peer-bans-key'),
      value: codec.serde<T.PeerBan>('peer-bans-value'),
      partitions: 1,
      cleanup: 'compact',
    }),
    intakeReports: topic({
      name: `${prefix}intake-reports`,
      key: codec.serde<T.IntakeKey>('intake-reports-key'),
      value: codec.serde<T.IntakeReport>('intake-reports-value'),
      partitions: 1,
      cleanup: 'compact',
    }),
    processes: topic({
      name: `${prefix}processes`,
      key: codec.serde<T.ProcessKey>('processes-key'),
      value: codec.serde<T.ProcessReport>('processes-value'),
      partitions: 1,
      cleanup: 'compact',
    }),
    slots: topic({
      name: `${prefix}slots`,
      key: codec.serde<T.SlotKey>('slots-key'),
      value: codec.serde<T.SlotOwner>('slots-value'),
      partitions: 1,
      cleanup: 'compact',
    }),
    validated: marked<T.SlotEpochKey, T.Submission>({
      name: `${prefix}validated`,
      key: codec.serde<T.SlotEpochKey>('validated-key'),
      value: codec.serde<SubmissionEvent>('validated-value'),
      partitions: partitions.validated,
      cleanup: 'delete',
      markers: epochMarkers(({ dataMarket, epochId }) => ({ dataMarket, epochId, slotId: -1 }), epochOfKey),
    }),
    admitted: marked<T.SubmissionKey, Admitted>({
      name: `${prefix}admitted`,
      key: codec.serde<T.SubmissionKey>('admitted-key'),
      value: codec.serde<Admitted | T.EpochMarker>('admitted-value'),
      partitions: partitions.admitted,
      cleanup: 'delete',
      retentionMs: 7 * DAY_MS,
      markers: epochMarkers(({ dataMarket, epochId }) => ({ dataMarket, epochId, projectId: '' }), epochOfKey),
    }),
    finalizations: marked<T.EpochKey, T.ProjectFinalization>({
      name: `${prefix}finalizations`,
      key: codec.serde<T.EpochKey>('finalizations-key'),
      value: codec.serde<T.ProjectFinalization | T.EpochMarker>('finalizations-value'),
      partitions: partitions.finalizations,
      cleanup: 'delete',
      retentionMs: 30 * DAY_MS,
      markers: epochMarkers(({ dataMarket, epochId }) => ({ dataMarket, epochId }), epochOfKey),
    }),
    batches: topic({
      name: `${prefix}batches`,
      key: codec.serde<T.MarketKey>('batches-key'),
      value: codec.serde<BatchEvent>('batches-value'),
      partitions: 1,
      cleanup: 'delete',
      retentionMs: 30 * DAY_MS,
    }),
    anchorIntents: topic({
      name: `${prefix}anchor-intents`,
      key: codec.serde<T.AnchorKey>('anchor-intents-key'),
      value: codec.serde<T.AnchorIntent>('anchor-intents-value'),
      partitions: 1,
      cleanup: 'delete', // the connector purges what is no longer in force (decision 0007)
      holdsOrders: true,
    }),
    anchorResults: topic({
      name: `${prefix}anchor-results`,
      key: codec.serde<T.AnchorKey>('anchor-results-key'),
      value: codec.serde<T.AnchorResult>('anchor-results-value'),
      partitions: 1,
      cleanup: 'delete',
      retentionMs: 30 * DAY_MS,
    }),
    anchors: topic({
      name: `${prefix}anchors`,
      key: codec.serde<T.AnchorKey>('anchors-key'),
      value: codec.serde<T.Anchor>('anchors-value'),
      partitions: 1,
      cleanup: 'compact',
    }),
    verdicts: topic({
      name: `${prefix}verdicts`,
      key: codec.serde<T.SlotEpochKey>('verdicts-key'),
      value: codec.serde<T.Verdict>('verdicts-value'),
      partitions: partitions.verdicts,
      cleanup: 'delete',
      retentionMs: 30 * DAY_MS,
    }),
    tallies: marked<T.MarketKey, T.EpochTally>({
      name: `${prefix}tallies`,
      key: codec.serde<T.MarketKey>('tallies-key'),
      value: codec.serde<T.EpochTally | T.EpochMarker>('tallies-value'),
      partitions: partitions.finalizations,
      cleanup: 'delete',
      retentionMs: 7 * DAY_MS,
      markers: epochMarkers(
        ({ dataMarket }) => ({ dataMarket }),
        (_, { talliedEpoch }) => talliedEpoch,
      ),
    }),
    slotDays: topic({
      name: `${prefix}slot-days`,
      key: codec.serde<T.SlotDayKey>('slot-days-key'),
      value: codec.serde<T.SlotDay>('slot-days-value'),
      partitions: partitions.verdicts,
      cleanup: 'compact',
    }),
    days: topic({
      name: `${prefix}days`,
      key: codec.serde<T.DayKey>('days-key'),
      value: codec.serde<T.Day>('days-value'),
      partitions: 1,
      cleanup: 'compact',
    }),
    payouts: topic({
      name: `${prefix}payouts`,
      key: codec.serde<T.MarketKey>('payouts-key'),
      value: codec.serde<T.Payout>('payouts-value'),
      partitions: 1,
      cleanup: 'delete',
      retentionMs: 30 * DAY_MS,
    }),
    payments: topic({
      name: `${prefix}payments`,
      key: codec.serde<T.PaymentKey>('payments-key'),
      value: codec.serde<T.Payment>('payments-value'),
      partitions: 1,
      cleanup: 'compact',
    }),
    deadLetters: {
      name: `${prefix}dead-letters`,
      partitions: 1,
      cleanup: 'delete',
      retentionMs: 30 * DAY_MS,
    } satisfies TopicConfig,
  }
}

const topic = <K, V>(definition: KafkaTopic<K, V>): KafkaTopic<K, V> => definition
/** A topic in which the ticks of the clock lie among the data. */
const marked = <K extends T.MarketKey, V extends object>(
  definition: KafkaTopic<K, V, T.EpochMarker>,
): KafkaTopic<K, V, T.EpochMarker> => definition

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
