/** Finds what a proof is made of in the log. The same for the API and the command line; batches are kept ready, within a bound. */

import { isBatch } from '../../../schemas/anchor-keys.ts'
import type { Anchor, Batch, EpochKey } from '../../../schemas/types.ts'
import type { Log } from '../../../streams/ports.ts'
import type { Topics } from '../../../topology/topics.ts'
import { anchorsOfEpoch, batchOf, submissionIdsIn } from '../anchors.ts'
import { type Entry, type ProofContext, type ProvableBatch, provableBatch } from './build.ts'
import type { Proof } from './format.ts'

/** Bytes of batches that are kept ready for the next question; about three times as much memory. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024

export interface ProofQuery extends EpochKey {
  readonly slotId: number
  /** May be left out when the slot has one submission in the epoch's batches. */
  readonly projectId?: string | undefined
}

/**
 * - `NOT_IN_A_BATCH`: nothing of the slot is in a batch of the epoch; `why` says what became of it.
 * - `NOT_ANCHORED`: it is in a batch that is not anchored for good, or never will be.
 * - `AMBIGUOUS`: the slot has several; the project must be named.
 */
export type ProofRefusalCode = 'NOT_IN_A_BATCH' | 'NOT_ANCHORED' | 'AMBIGUOUS'

export class ProofRefusal extends Error {
  readonly code: ProofRefusalCode
  constructor(code: ProofRefusalCode, message: string) {
    super(message)
    this.name = 'ProofRefusal'
    this.code = code
  }
}

/** The known facts of anchors and batches, from the log or from a view of it. */
export interface ProofPorts {
  /** The newest row of each batch of an epoch, by batch index. */
  anchorsOf(key: EpochKey): Promise<ReadonlyMap<number, Anchor>>
  /** The batch that a row names; undefined when it is no longer in the log. */
  batchOf(anchor: Anchor): Promise<Batch | undefined>
}

export const proofPorts = (log: Log, topics: Topics): ProofPorts => ({
  anchorsOf: (key) => anchorsOfEpoch(log, topics, key),
  batchOf: (anchor) => batchOf(log, topics, anchor),
})

export interface Proofs {
  /** Throws ProofRefusal when there is none to give. */
  get(query: ProofQuery): Promise<Proof>
}

export function createProofs(chain: Omit<ProofContext, 'dataMarket'>, ports: ProofPorts): Proofs {
  const kept = createKeep()
  return {
    async get(query) {
      const anchors = await ports.anchorsOf(query)
      const found: Found[] = []
      for (const anchor of batchRows(anchors)) {
        if (anchor.state !== 'FINAL') continue
        const id = `${query.dataMarket}/${query.epochId}/${anchor.cid}/${anchor.transactionHash}`
        const batch = await kept.get(id, () => readyBatch(chain, ports, query, anchors, anchor))
        for (const entry of batch.entriesOf(query.slotId)) found.push({ batch, entry, anchor })
      }
      const { batch, entry, anchor } = choose(found, query, anchors)
      expectTransaction(anchor)
      return batch.prove(entry)
    },
  }
}

function expectTransaction({ cid, transactionHash }: Anchor): void {
  if (transactionHash === '')
    throw new ProofRefusal('NOT_ANCHORED', `${cid} was found on the chain, but not which transaction anchored it`)
}

interface Found {
  readonly batch: ProvableBatch
  readonly entry: Entry
  readonly anchor: Anchor
}

/** In the order of their index. */
const batchRows = (anchors: ReadonlyMap<number, Anchor>): readonly Anchor[] =>
  [...anchors]
    .filter(([batchIndex]) => isBatch({ batchIndex }))
    .sort(([a], [b]) => a - b)
    .map(([, anchor]) => anchor)

function choose(
  found: readonly Found[],
  { slotId, epochId, projectId }: ProofQuery,
  anchors: ReadonlyMap<number, Anchor>,
): Found {
  const projectOf = ({ entry }: Found) => entry.submission.request.projectId
  const matching = found.filter((one) => projectId === undefined || projectOf(one) === projectId)
  if (matching.length > 1)
    throw new ProofRefusal(
      'AMBIGUOUS',
      `slot ${slotId} counts in ${matching.length} projects: ${matching.map(projectOf).join(', ')}`,
    )
  if (matching[0]) return matching[0]
  const what = `slot ${slotId}${projectId === undefined ? '' : ` with project ${projectId}`}`
  const waiting = batchRows(anchors).filter(({ state }) => state !== 'FINAL')
  if (waiting.length > 0 || anchors.size === 0)
    throw new ProofRefusal(
      'NOT_ANCHORED',
      `epoch ${epochId} has no anchored batch with ${what}; ${
        anchors.size === 0
          ? 'none of its batches is known'
          : `not anchored yet: ${waiting.map(({ state }) => state).join(', ')}`
      }`,
    )
  throw new ProofRefusal('NOT_IN_A_BATCH', `no batch of epoch ${epochId} has a submission of ${what}`)
}

async function readyBatch(
  chain: Omit<ProofContext, 'dataMarket'>,
  { batchOf }: ProofPorts,
  { dataMarket, epochId }: EpochKey,
  anchors: ReadonlyMap<number, Anchor>,
  anchor: Anchor,
): Promise<ProvableBatch> {
  const read = async (row: Anchor): Promise<Batch> => {
    const batch = await batchOf(row)
    if (batch) return batch
    throw new ProofRefusal('NOT_IN_A_BATCH', `a batch of epoch ${epochId} is no longer in the log: ${row.cid}`)
  }
  const batch = await read(anchor)
  let earlier: readonly string[] = []
  for (const [batchIndex, row] of [...anchors].sort(([a], [b]) => a - b)) {
    if (batch.leavesBefore === 0 || !isBatch({ batchIndex }) || batchIndex >= batch.batchIndex) continue
    earlier = earlier.concat(submissionIdsIn(await read(row)))
  }
  return provableBatch({ ...chain, dataMarket }, batch, anchor, earlier)
}

/** The newest asked for, each made once however many ask for it at a time. */
function createKeep() {
  const kept = new Map<string, { readonly batch: Promise<ProvableBatch>; bytes: number }>()
  const drop = (): void => {
    let bytes = [...kept.values()].reduce((sum, one) => sum + one.bytes, 0)
    for (const [id, one] of kept) {
      if (bytes <= KEPT_BYTES_MAX || kept.size === 1) return
      kept.delete(id)
      bytes -= one.bytes
    }
  }
  return {
    get(id: string, make: () => Promise<ProvableBatch>): Promise<ProvableBatch> {
      const before = kept.get(id)
      const entry = before ?? { batch: make(), bytes: 0 }
      kept.delete(id)
      kept.set(id, entry)
      if (!before)
        entry.batch.then(
          (batch) => {
            entry.bytes = batch.bytes
            drop()
          },
          () => kept.delete(id),
        )
      return entry.batch
    },
  }
}
