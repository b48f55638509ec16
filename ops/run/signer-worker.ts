/** A worker thread of the signer pool: recovers one chunk under the rules that the pool was made with. */
import { workerData } from 'node:worker_threads'
import type { ProtocolRules } from '../../topology/rules.ts'
import { prepareSubmissions, type Recovered, type SignedSubmission } from '../../topology/shared/signature.ts'

// piscina wraps the pool's workerData as [its own, ours]
const rules = (Array.isArray(workerData) ? workerData.at(-1) : workerData) as ProtocolRules
const recover = prepareSubmissions(rules)

// biome-ignore lint/style/noDefaultExport: piscina calls a worker file's default export
export default (submissions: SignedSubmission[]): Recovered[] => recover(submissions)
