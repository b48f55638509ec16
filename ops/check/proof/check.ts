/** The findings of `sequencer proof verify`: by the file, against the contract that the caller names, and on the chain. */
import { EXIT } from '../../base/cli-error.ts'
import type { Lines } from '../../base/output.ts'
import { printable } from '../../base/printable.ts'
import { type Proof, ProofFault } from '../../reading/proof/format.ts'
import type { Pin } from '../../settings/pin.ts'
import { checkOnChain } from './chain.ts'
import { createProofVerifier, type Shown } from './verify.ts'

export interface ProofQuestion {
  /** The contract that the proof should be about; undefined when the caller names none. */
  readonly pin?: Pin | undefined
  /** Lower case. */
  readonly dataMarket?: string | undefined
  /** A node of the chain. */
  readonly rpc?: string | undefined
}

/** `CONTRACT`: whether it is about the right contract. `CHAIN`: whether that keeps the batch. */
export interface UncheckedPart {
  readonly code: 'CONTRACT' | 'CHAIN'
  readonly message: string
}

export type About = Pick<Proof, 'chainId' | 'protocolState' | 'dataMarket' | 'epochId' | 'slotId' | 'projectId'>

export interface ProofResult {
  /** The proof holds: nothing speaks against it, and nothing was left unchecked. */
  readonly ok: boolean
  /** Why it does not hold; null when nothing speaks against it. */
  readonly reason: string | null
  /** The subject that the file claims; null when it cannot be read. */
  readonly about: About | null
  /** The source that named chain and contract; null when only the file did. */
  readonly pinnedBy: string | null
  /** The facts that file and node show, in words. */
  readonly shown: readonly string[]
  readonly notShown: readonly string[]
  readonly unchecked: readonly UncheckedPart[]
}

/** Throws CliError when the node cannot be asked. */
export async function checkProof(bytes: Uint8Array, { pin, dataMarket, rpc }: ProofQuestion): Promise<ProofResult> {
  const verify = await createProofVerifier()
  const pinnedBy = pin?.by ?? null
  let about: About | null = null
  try {
    const { proof, shown, notShown } = verify(bytes, (parsed) => {
      about = aboutOf(parsed)
      checkPin(about, pin, dataMarket)
    })
    const onChain = rpc === undefined ? [] : await checkOnChain(proof, rpc)
    const unchecked = [...(pin ? [] : [NO_PIN]), ...(rpc === undefined ? [NO_NODE] : [])]
    const left = notShown.filter(({ nodeShows }) => rpc === undefined || !nodeShows).map(({ text }) => text)
    const words = { shown: [...shown, ...onChain], notShown: left } satisfies Partial<Record<keyof Shown, unknown>>
    return { ok: unchecked.length === 0, reason: null, about, pinnedBy, ...words, unchecked }
  } catch (error) {
    if (!(error instanceof ProofFault)) throw error
    return { ok: false, reason: error.message, about, pinnedBy, shown: [], notShown: [], unchecked: [] }
  }
}

const NO_PIN: UncheckedPart = {
  code: 'CONTRACT',
  message: 'whether that is the right one (--chain-id with --protocol-state, --deployment, or --config)',
}
const NO_NODE: UncheckedPart = { code: 'CHAIN', message: 'whether the contract keeps the batch (--rpc)' }

const aboutOf = ({ chainId, protocolState, dataMarket, epochId, slotId, projectId }: Proof): About => ({
  chainId,
  protocolState,
  dataMarket,
  epochId,
  slotId,
  projectId,
})

function checkPin(about: About, pin: Pin | undefined, dataMarket: string | undefined): void {
  if (pin && (pin.chainId !== about.chainId || pin.protocolState !== about.protocolState))
    throw new ProofFault(
      `the file is about ${placeOf(about)}, not about ${placeOf(pin)}, which ${printable(pin.by)} names`,
    )
  if (dataMarket !== undefined && dataMarket !== about.dataMarket)
    throw new ProofFault(`the file is about the data market ${about.dataMarket}, not about ${dataMarket}`)
}

const placeOf = ({ chainId, protocolState }: Pick<About, 'chainId' | 'protocolState'>): string =>
  `the contract ${protocolState} on chain ${chainId}`

export const exitCodeOf = ({ ok, reason }: ProofResult): number =>
  ok ? EXIT.ok : reason === null ? EXIT.unchecked : EXIT.failed

export function renderResult(result: ProofResult): Lines {
  const { reason, about, shown, notShown } = result
  return [
    ...(about ? aboutLines(about, namedBy(result)) : []),
    ...shown.map((text) => `shown       ${text}`),
    ...notShown.map((text) => `not shown   ${text}`),
    reason === null ? conclusion(result, about!) : `The proof does NOT hold: ${reason}.`,
  ]
}

function namedBy({ reason, pinnedBy }: ProofResult): string {
  if (reason !== null) return 'as the file says'
  return pinnedBy === null ? 'named by the file alone' : `named by the file, and by ${printable(pinnedBy)}`
}

const aboutLines = (about: About, named: string): Lines => [
  `chain       ${about.chainId}, ${named}`,
  `contract    ${about.protocolState}`,
  `market      ${about.dataMarket}`,
  `epoch       ${about.epochId}`,
  `slot        ${about.slotId}`,
  `project     ${printable(about.projectId)}`,
]

/** Never "holds" for a contract that nobody but the file names. */
function conclusion({ ok, pinnedBy, unchecked }: ProofResult, about: About): string {
  if (ok) return `The proof holds for ${placeOf(about)}.`
  const left = unchecked.map(({ message }) => message).join(', and ')
  return pinnedBy === null
    ? `The file is in order for a contract that the file itself names. Unchecked: ${left}.`
    : `The proof holds as far as a file can show, for ${placeOf(about)}. Unchecked: ${left}.`
}
