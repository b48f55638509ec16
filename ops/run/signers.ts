/** Recovers the signers of a batch: in this thread, or spread over worker threads. */
import { availableParallelism } from 'node:os'
import { Piscina } from 'piscina'
import type { ProtocolRules } from '../../topology/rules.ts'
import { prepareSubmissions, type Recovered, type SignedSubmission } from '../../topology/shared/signature.ts'
import { isMarker, type SubmissionEvent } from '../../topology/topics.ts'

/** Below this a batch is not worth the way to a worker; above it, it is cut into chunks of this size. */
const CHUNK = 128

export interface SignerPool {
  /** Element i belongs to value i; undefined for markers and holes. */
  recover(values: readonly (SubmissionEvent | undefined)[]): Promise<(Recovered | undefined)[]>
  close(): Promise<void>
}

/** @param workers threads beside this one, 0 for none; at most the machine's parallelism */
export function createSignerPool(rules: ProtocolRules, workers: number): SignerPool {
  const inline = prepareSubmissions(rules)
  if (workers === 0)
    return { recover: async (values) => spread(values, inline(submissionsOf(values))), close: async () => {} }
  const pool = startWorkers(rules, Math.min(workers, availableParallelism()))
  const inWorkers = async (submissions: SignedSubmission[]): Promise<Recovered[]> => {
    if (submissions.length < CHUNK) return inline(submissions)
    return (await Promise.all(chunksOf(submissions).map((chunk) => pool.run(chunk.map(signedFields))))).flat()
  }
  return {
    recover: async (values) => spread(values, await inWorkers(submissionsOf(values))),
    close: () => pool.close({ force: true }),
  }
}

function startWorkers(rules: ProtocolRules, threads: number) {
  const file = import.meta.url.endsWith('.ts') ? './signer-worker.ts' : './signer-worker.js'
  return new Piscina<SignedSubmission[], Recovered[]>({
    filename: new URL(file, import.meta.url).href,
    minThreads: threads,
    maxThreads: threads,
    workerData: rules,
  })
}

const chunksOf = (submissions: readonly SignedSubmission[]): SignedSubmission[][] =>
  Array.from({ length: Math.ceil(submissions.length / CHUNK) }, (_, i) => submissions.slice(i * CHUNK, (i + 1) * CHUNK))

const signedFields = ({
  dataMarket,
  slotId,
  deadline,
  snapshotCid,
  epochId,
  projectId,
  signature,
}: SignedSubmission): SignedSubmission => ({
  dataMarket,
  slotId,
  deadline,
  snapshotCid,
  epochId,
  projectId,
  signature,
})

const isSubmission = (value: SubmissionEvent | undefined): value is Exclude<SubmissionEvent, { tick: unknown }> =>
  value !== undefined && !isMarker(value)
const submissionsOf = (values: readonly (SubmissionEvent | undefined)[]) => values.filter(isSubmission)

function spread(
  values: readonly (SubmissionEvent | undefined)[],
  recovered: readonly Recovered[],
): (Recovered | undefined)[] {
  let next = 0
  return values.map((value) => (isSubmission(value) ? recovered[next++] : undefined))
}
