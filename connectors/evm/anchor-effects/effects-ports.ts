/** The parts that the effects work with. */
import type { Rpc } from '../nodes/rpc.ts'
import type { Answers } from './anchor-answers.ts'
import type { BatchReader } from './anchor-batches.ts'
import type { AnchorPorts } from './anchor-options.ts'
import type { PayoutReader } from './anchor-payouts.ts'
import type { Signer } from './anchor-signer.ts'
import type { HeadWatch } from './head-watch.ts'

export interface EffectsPorts extends AnchorPorts {
  readonly rpc: Rpc
  readonly heads: HeadWatch
  readonly answers: Answers
  /** The first is for what is planned now, the others for what was begun under them. */
  readonly signers: readonly Signer[]
  readonly batches: BatchReader
  readonly payouts: PayoutReader
  readonly signal: AbortSignal
  /** Something that must not happen, or the role is lost: everything of this session ends. */
  readonly fail: (error: unknown) => void
}
