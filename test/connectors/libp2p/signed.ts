/** Slots with keys, messages that their owners sign, and a guide that knows them. */
import type { Guide } from '../../../connectors/libp2p/admission.ts'
import { signDigest, slotWallet } from '../../../ops/world/snapshotters/wallets.ts'
import { digestOf, domainOf, recoverSigner } from '../../../topology/shared/signature.ts'

export const MARKET = `0x${'ab'.repeat(20)}`
const domain = domainOf({ chainId: 1, protocolState: `0x${'11'.repeat(20)}` })
const wallets = Array.from({ length: 20 }, (_, at) => slotWallet(7, at + 1))
export const OPEN_EPOCH = 7
const FARTHEST_EPOCH = 1_000

/** Lower-case address of who owns a slot. */
export const ownerOf = (slotId: number): string => wallets[slotId - 1]!.address.toLowerCase()

/** Slots 1 to 20 have owners; epoch 7 is open, and of those after it an owner may await two. */
export const guide = (change: Partial<Guide> = {}): Guide => ({
  ownersOf: (slotId) => (wallets[slotId - 1] ? [ownerOf(slotId)] : undefined),
  stateOf: (_, epochId) =>
    epochId === OPEN_EPOCH ? 'open' : epochId > OPEN_EPOCH && epochId <= FARTHEST_EPOCH ? 'awaited' : 'over',
  awaitedMax: () => 2,
  votesMax: () => 8,
  stamp: (now) => now,
  recover: async (submissions) => submissions.map((one) => recoverSigner(one, domain)),
  ...change,
})

const OF_SOMETHING_ELSE = signDigest(Buffer.alloc(32, 1), wallets[0]!.privateKey)

let made = 0
export interface Wanted {
  readonly slotId?: number
  readonly epochId?: number
  readonly projectId?: string
  /** With a signature of something else, so the owner of no slot has signed it. */
  readonly bad?: boolean
  readonly id?: string
  /** Number of the slot whose owner signs; the slot's own by default. */
  readonly by?: number
}

export function signed({ slotId = 1, epochId = OPEN_EPOCH, projectId, bad = false, id, by = slotId }: Wanted = {}) {
  const serial = (++made).toString(16).padStart(8, '0')
  const request = { slotId, deadline: 900, snapshotCid: 'bafy', epochId, projectId: projectId ?? `project ${serial}` }
  const wallet = wallets[Math.min(by, wallets.length) - 1]!
  const signature = bad ? OF_SOMETHING_ELSE : signDigest(digestOf(request, domain), wallet.privateKey)
  const json = JSON.stringify({ request, signature, header: `0x${'1'.repeat(64)}`, dataMarket: MARKET })
  const submissionId = id ?? `${serial}-2222-4222-8333-000000000000`
  return { id: submissionId, bytes: Buffer.from(submissionId + json) }
}

export const many = (count: number, wanted?: Wanted) => Array.from({ length: count }, () => signed(wanted))
export const bytesOf = (messages: readonly { readonly bytes: Buffer }[]) =>
  Buffer.concat(messages.map((one) => one.bytes))
