/** Inclusion proofs from the view: its anchors spare the search through the topic. */
import type { Anchor } from '../../../schemas/types.ts'
import type { Log } from '../../../streams/ports.ts'
import type { Topics } from '../../../topology/topics.ts'
import { batchOf } from '../../reading/anchors.ts'
import { createProofs, type ProofQuery, ProofRefusal, type Proofs } from '../../reading/proof/source.ts'
import { badRequest, notFound } from '../problem.ts'
import { partsOf, prefixOf } from '../view/keys.ts'
import { bytesOf, epochParts, TABLE } from '../view/rows.ts'
import type { View } from '../view/view.ts'

const ANCHORS_MAX = 10_000

export const proofsOf = (
  chain: { readonly chainId: number; readonly protocolState: string },
  { view, log, topics }: { readonly view: View; readonly log: Log; readonly topics: Topics },
): Proofs =>
  createProofs(chain, {
    anchorsOf: (key) =>
      view.read(async (reader) => {
        const rows = await reader.range({ prefix: prefixOf(TABLE.anchors, ...epochParts(key)), limit: ANCHORS_MAX })
        return new Map(
          rows.map(([id, row]): [number, Anchor] => [
            Number(partsOf(id)[3]) - 1,
            topics.anchors.value.decode(bytesOf(row)),
          ]),
        )
      }),
    batchOf: (anchor) => batchOf(log, topics, anchor),
  })

export async function proofFor(proofs: Proofs, query: ProofQuery) {
  try {
    return await proofs.get(query)
  } catch (error) {
    if (!(error instanceof ProofRefusal)) throw error
    throw error.code === 'AMBIGUOUS' ? badRequest(`${error.message}; name one with ?project=`) : notFound(error.message)
  }
}
