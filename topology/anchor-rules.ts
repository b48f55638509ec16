import { doubling } from '../streams/back-off.ts'

/** How batches go to the chain. All of it decides outputs, so it is the same wherever the stage runs. */
export interface AnchorRules {
  /** Nonces assigned and not yet mined, at most. */
  readonly noncesInFlightMax: number
  /** Failures of one batch that are tried again, apart from stores, E04 and taken nonces; then it is FAILED. */
  readonly retriesMax: number
  /** Wait before the first such retry; doubles with each, up to the maximum. */
  readonly retryDelayMs: number
  readonly retryDelayMsMax: number
  /** Wait before trying again when the signer is no sequencer of the market (E04); for ever, since the operator may add it. */
  readonly notSequencerDelayMs: number
  /** By how much both fees of a replacement exceed the last; nodes ask for 10 at least. */
  readonly feeBumpPercent: number
  /** No transaction is signed for more than this, wei, decimal. */
  readonly maxFeePerGasMax: string
  /** Attestations of a batch are followed until the ending of an epoch of its market that is so much later is final. */
  readonly watchEpochs: number
  /** Nonces of a signer whose transactions are kept after they are final, to be sent again when the chain goes back. */
  readonly noncesKept: number
  /** Attestations kept in a row of `anchors`. */
  readonly attestationsMax: number
}

export const ANCHOR_RULES_DEFAULTS: AnchorRules = {
  noncesInFlightMax: 4,
  retriesMax: 5,
  retryDelayMs: 2_000,
  retryDelayMsMax: 60_000,
  notSequencerDelayMs: 30_000,
  feeBumpPercent: 13,
  maxFeePerGasMax: '500000000000',
  watchEpochs: 64,
  noncesKept: 1_024,
  attestationsMax: 128,
}

/** The wait before what has failed so often, from 1 on, is tried again. */
export const retryDelayOf = ({ retryDelayMs, retryDelayMsMax }: AnchorRules, failures: number): number =>
  doubling({ firstMs: retryDelayMs, mostMs: retryDelayMsMax })(failures)
