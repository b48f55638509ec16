/** The messages of each simulated slot for one epoch: a pure function of the seed and the epoch. */
import { createHash, randomUUID } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create } from 'multiformats/hashes/digest'
import { KINDS, type Kind, WRONG_KINDS } from './kinds.ts'
import { type Fields, garbage, message, type PlannedMessage } from './message.ts'
import { highSTwin, type SlotWallet } from './wallets.ts'

/** An epoch of one market as the chain shows it. */
export interface ReleasedEpoch {
  readonly dataMarket: string
  readonly epochId: number
  readonly releaseBlock: number
  /** Hash of the block before the release. */
  readonly staleHeader: string
}

/** The newest block at the time of signing. */
export interface Head {
  readonly number: number
  readonly hash: string
}

export interface PlanOptions {
  readonly seed: number
  readonly wallets: readonly SlotWallet[]
  readonly projects: number
  /** Share of the slots that send something wrong, 0 to 1. */
  readonly badShare: number
  /** Share of the honest slots that report another CID. */
  readonly minorityShare: number
  readonly chainId: number
  readonly protocolState: string
  /** So many epochs back, the submission window is over for certain. */
  readonly lateByEpochs: number
  /** Blocks that the signed deadline lies behind the head. */
  readonly deadlineBlocks: number
}

export interface Assignment {
  readonly wallet: SlotWallet
  readonly kind: Kind
}

const TOO_FAR_EPOCHS = 1_000
const UNKNOWN_SLOT = 900_000
const OVERSIZE_BYTES = 80 * 1024

/** The kind of submission that each slot sends in this epoch. Wrong kinds take turns, so that a few epochs show them all. */
export function assignKinds(
  { seed, wallets, badShare, minorityShare, lateByEpochs }: PlanOptions,
  { dataMarket, epochId }: ReleasedEpoch,
): Assignment[] {
  let turn = draw(seed, dataMarket, epochId, 'turn')
  return wallets.map((wallet) => {
    const share = draw(seed, dataMarket, epochId, wallet.slotId) / 2 ** 32
    if (share >= badShare) return { wallet, kind: share < badShare + minorityShare ? 'minority' : 'good' }
    const kind = WRONG_KINDS[turn++ % WRONG_KINDS.length]!
    return { wallet, kind: kind === 'late' && epochId <= lateByEpochs ? 'good' : kind }
  })
}

/** The messages of one slot, signed as of `head`, in the order in which they are to go down one stream. */
export const messagesOf = (
  options: PlanOptions,
  epoch: ReleasedEpoch,
  assignment: Assignment,
  head: Head,
): PlannedMessage[] => MESSAGES[assignment.kind](materialOf(options, epoch, assignment, head))

/** All that the messages of a slot in an epoch are made of. */
function materialOf(options: PlanOptions, epoch: ReleasedEpoch, { wallet, kind }: Assignment, head: Head) {
  const { seed, projects } = options
  const project = (n: number) =>
    projectName((draw(seed, epoch.dataMarket, epoch.epochId, `project ${wallet.slotId}`) + n) % projects)
  const snapshotOf = (projectId: string) => ({
    projectId,
    snapshotCid: cidOf(`${seed} ${epoch.dataMarket} ${epoch.epochId} ${projectId}`),
  })
  const honest: Fields = {
    ...snapshotOf(project(0)),
    slotId: wallet.slotId,
    deadline: head.number + options.deadlineBlocks,
    epochId: epoch.epochId,
    header: head.hash,
    dataMarket: epoch.dataMarket,
  }
  const other = { ...honest, ...snapshotOf(project(1)) }
  const strange = cidOf(`${seed} ${epoch.epochId} ${wallet.slotId} strange`)
  const make = (fields: Fields, change?: (signature: string) => string) =>
    message(options, wallet, kind, fields, change)
  return { options, epoch, wallet, project, honest, other, strange, make }
}

const MESSAGES: { readonly [K in Kind]: (material: ReturnType<typeof materialOf>) => PlannedMessage[] } = {
  good: ({ honest, other, make, wallet, options }) =>
    options.projects > 1 && wallet.slotId % 2 === 0 ? [make(honest), make(other)] : [make(honest)],
  minority: ({ honest, strange, make }) => [make({ ...honest, snapshotCid: strange })],
  'bad-signature': ({ honest, make }) => [make(honest, (signature) => `${signature.slice(0, 128)}1f`)],
  'high-s': ({ honest, make }) => [make(honest, highSTwin)],
  'foreign-slot': ({ honest, make, wallet }) => [
    make({ ...honest, slotId: wallet.slotId === 1 ? 2 : wallet.slotId - 1 }),
  ],
  'unknown-slot': ({ honest, make, wallet }) => [make({ ...honest, slotId: UNKNOWN_SLOT + wallet.slotId })],
  late: ({ honest, make, epoch, options }) => [make({ ...honest, epochId: epoch.epochId - options.lateByEpochs })],
  'too-far': ({ honest, make, epoch }) => [make({ ...honest, epochId: epoch.epochId + TOO_FAR_EPOCHS })],
  replayed: ({ honest, make }) => {
    const first = make(honest)
    const submissionId = randomUUID()
    return [
      first,
      { ...first, submissionId, bytes: Buffer.concat([Buffer.from(submissionId), first.bytes.subarray(36)]) },
    ]
  },
  duplicate: ({ honest, make }) => {
    const first = make(honest)
    return [first, first]
  },
  'over-quota': ({ honest, strange, make, project }) =>
    [0, 1, 2].map((n) => make({ ...honest, snapshotCid: strange, projectId: `${project(0)}:${n}` })),
  'two-cids': ({ honest, strange, make }) => [
    make({ ...honest, snapshotCid: strange }),
    make({ ...honest, deadline: honest.deadline + 1 }),
  ],
  'stale-header': ({ honest, make, epoch }) => [make({ ...honest, header: epoch.staleHeader })],
  'unknown-header': ({ honest, strange, make }) => [
    make({ ...honest, header: `0x${createHash('sha256').update(strange).digest('hex')}` }),
  ],
  'deadline-passed': ({ honest, make, epoch }) => [make({ ...honest, deadline: epoch.releaseBlock - 1 })],
  'unknown-market': ({ honest, make }) => [make({ ...honest, dataMarket: `0x${'9'.repeat(40)}` })],
  simulation: ({ honest, make }) => [make({ ...honest, epochId: 0 })],
  'malformed-json': ({ honest, make }) => [garbage(make(honest), Buffer.from('{"request":{"slotId":"seven"}}'))],
  'malformed-bytes': ({ honest, strange, make }) => [
    { ...make(honest), bytes: createHash('sha512').update(strange).digest(), ownStream: true },
  ],
  oversize: ({ honest, make }) => [
    {
      ...garbage(make(honest), Buffer.from(`{"request":{"projectId":"${'x'.repeat(OVERSIZE_BYTES)}"}}`)),
      ownStream: true,
    },
  ],
}

/** The expectation about a message, for a caller that knows how it was made. */
export const expectedOf = ({ kind }: PlannedMessage) => KINDS[kind]

const projectName = (n: number): string => `pairContract_trade_volume:0x${n.toString(16).padStart(40, '0')}:SIMULATED`

/** CIDv1, raw, of the SHA-256 of a text. */
const cidOf = (text: string): string =>
  CID.createV1(raw.code, create(0x12, createHash('sha256').update(text).digest())).toString()

/** A number from 0 to 2^32−1 that depends on all arguments. */
const draw = (...of: readonly (string | number)[]): number =>
  createHash('sha256').update(of.join('/')).digest().readUInt32BE()
