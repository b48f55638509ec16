/** The messages of snapshotters, and of the adversary, in a simulated run. */
import type { SeededRandom } from '../../connectors/log/simulated/seeded-random.ts'
import { signDigest } from '../../ops/world/snapshotters/wallets.ts'
import type { Submission, SubmissionKey } from '../../schemas/types.ts'
import { digestOf, domainOf, type SignedFields } from '../../topology/shared/signature.ts'
import { BEGIN_MS } from './chain-story.ts'
import { rulesOf } from './rules.ts'

/** Snapshotters reach one of them; each appends on its own. */
export const INTAKES = 2

export interface ScriptedSubmission {
  readonly atMs: number
  readonly intake: number
  readonly key: SubmissionKey
  readonly submission: Submission
}

export type Signed = Omit<SignedFields, 'signature'>

/** The same in every run. */
const DOMAIN = domainOf(rulesOf(0).markets[0]!)

export const signed = (fields: Signed, privateKey: Uint8Array): string =>
  signDigest(digestOf(fields, DOMAIN), privateKey)

type Sent = Signed & Pick<Submission, 'submissionId' | 'signature' | 'header' | 'dataMarket'>

/** As an intake writes it. */
export const submissionWith = (sent: Sent): Submission => ({
  ...sent,
  nodeVersion: null,
  receivedAt: 0,
  position: null,
  digest: Buffer.alloc(0),
  fullNode: false,
  signer: '',
  headerBlock: -1,
  contested: false,
})

export const keyOf = ({ dataMarket, epochId, projectId }: Submission): SubmissionKey => ({
  dataMarket: dataMarket.toLowerCase(),
  epochId,
  projectId,
})

export const scripted = (submission: Submission, atMs: number, random: SeededRandom): ScriptedSubmission => ({
  atMs,
  intake: random.below(INTAKES),
  key: keyOf(submission),
  submission: { ...submission, receivedAt: BEGIN_MS + atMs },
})

export function uuidOf(random: SeededRandom): string {
  const hex = Array.from({ length: 32 }, () => random.below(16).toString(16)).join('')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
