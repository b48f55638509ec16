/** Splits a stream by verdict: what goes on, and what is settled for good. */
import type { EpochMarker, SlotEpochKey, Submission, Verdict, VerdictReason } from '../schemas/types.ts'
import type { KStream } from '../streams/builder.ts'
import type { ProcessorContext } from '../streams/processor.ts'
import type { Store, StoreBuilder } from '../streams/store.ts'
import { type Evidence, verdictOn } from './verdict.ts'

/**
 * The decision of a stage about a record in hand, or about a record that it had kept: the record goes on, it is settled, or a
 * marker goes on behind it. A record that is kept for later has no decision yet.
 */
export type Decision<K, V> =
  | { readonly kind: 'accept'; readonly key: K; readonly value: V }
  | { readonly kind: 'settle'; readonly key: SlotEpochKey; readonly verdict: Verdict }
  | { readonly kind: 'marker'; readonly marker: EpochMarker }

/**
 * A stage is a pure function of its state: submissions and markers in, decisions out, in the order in which they leave. `P` is what
 * was prepared of a submission.
 */
export interface GateStage<KIn, KOut, VOut, P = never> {
  decide(key: KIn, submission: Submission, prepared?: P): readonly Decision<KOut, VOut>[]
  onMarker(marker: EpochMarker): readonly Decision<KOut, VOut>[]
}

export type GateOutputs<K, V> = {
  readonly accepted: readonly [K, V, EpochMarker]
  readonly verdicts: readonly [SlotEpochKey, Verdict]
}
export type StageSupplier<KIn, KOut, VOut, P = never> = (
  context: ProcessorContext<GateOutputs<KOut, VOut>>,
) => GateStage<KIn, KOut, VOut, P>

export function gate<KIn, KOut, VOut, P>(
  stream: KStream<KIn, Submission, EpochMarker, P>,
  name: string,
  stage: StageSupplier<KIn, KOut, VOut, P>,
  ...stores: readonly StoreBuilder<Store>[]
) {
  return stream.process<GateOutputs<KOut, VOut>>(
    name,
    ['accepted', 'verdicts'],
    (context) => {
      const { decide, onMarker } = stage(context)
      const { accepted, verdicts } = context.outputs
      const carryOut = (decisions: readonly Decision<KOut, VOut>[]): undefined => {
        for (const decision of decisions) {
          if (decision.kind === 'accept') accepted.send(decision.key, decision.value)
          else if (decision.kind === 'settle') verdicts.send(decision.key, decision.verdict)
          else accepted.sendMarker(decision.marker)
        }
      }
      return {
        process: (key, submission, prepared) => carryOut(decide(key, submission, prepared)),
        onMarker: (marker) => carryOut(onMarker(marker)),
      }
    },
    ...stores,
  )
}

export const accept = <K, V>(key: K, value: V): Decision<K, V> => ({ kind: 'accept', key, value })
export const passOn = (marker: EpochMarker): Decision<never, never> => ({ kind: 'marker', marker })

/** The final word on a submission. @param dataMarket lower case */
export const settle = (
  dataMarket: string,
  submission: Submission,
  reason: VerdictReason,
  stage: string,
  blockNumber: number,
  evidence: Evidence,
): Decision<never, never> => ({
  kind: 'settle',
  key: { dataMarket, epochId: submission.epochId, slotId: submission.slotId },
  verdict: verdictOn(submission, submission.position!, reason, stage, blockNumber, evidence),
})
