/** The gas of a call for which a limit was not enough. */
import type { AnchorResult } from '../../../schemas/types.ts'
import type { Rpc } from '../nodes/rpc.ts'
import { estimateGas } from './anchor-chain.ts'
import { offerOf, type PrepareInput } from './anchor-prepare.ts'

/** A limit rises by so much at once, at most, whatever a node says. */
const RISE_MAX = 8

/**
 * A READY after a transaction that ran out of gas: that limit was one node's word, so all are asked, and the largest counts.
 * Whose estimate would lead to the same again is named, and set aside.
 * @param gasMax of the transaction that ran out of gas
 */
export async function gasOfAll(
  rpc: Pick<Rpc, 'each' | 'doubt'>,
  ready: AnchorResult,
  { intent, call, signer }: PrepareInput,
  gasMax: number,
  settings: { readonly gasMargin: number },
): Promise<AnchorResult> {
  if (ready.outcome !== 'READY' || intent.gasLimit === 0) return ready
  const answers = await Promise.allSettled(rpc.each((ask) => estimateGas(ask, signer, call)))
  let wished = ready.gasLimit
  for (const [node, answer] of answers.entries()) {
    if (answer.status !== 'fulfilled' || typeof answer.value !== 'number') continue
    const offer = offerOf(answer.value, 0, settings)
    if (offer <= intent.gasLimit)
      rpc.doubt(node, `the gas of a call: ${answer.value}, and ${intent.gasLimit} was not enough`)
    wished = Math.max(wished, offer)
  }
  return { ...ready, gasLimit: Math.max(ready.gasLimit, Math.min(wished, gasMax, RISE_MAX * intent.gasLimit)) }
}
