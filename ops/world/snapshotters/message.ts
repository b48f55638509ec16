/** A signed message of a simulated slot, as a snapshotter writes it. */
import { randomUUID } from 'node:crypto'
import { digestOf, domainOf } from '../../../topology/shared/signature.ts'
import type { Kind } from './kinds.ts'
import { type SlotWallet, signDigest } from './wallets.ts'

/** A message ready to be sent; `bytes` is one frame of the wire form (or what is to pass for one). */
export interface PlannedMessage {
  readonly submissionId: string
  readonly slotId: number
  readonly epochId: number
  readonly projectId: string
  readonly dataMarket: string
  readonly kind: Kind
  readonly bytes: Uint8Array
  /** The bytes end the stream they are sent on. */
  readonly ownStream: boolean
}

/** The signed fields, and the header and the market beside them. */
export interface Fields {
  readonly slotId: number
  readonly deadline: number
  readonly snapshotCid: string
  readonly epochId: number
  readonly projectId: string
  readonly header: string
  readonly dataMarket: string
}

/** A signed message. */
export function message(
  domain: { readonly chainId: number; readonly protocolState: string },
  wallet: SlotWallet,
  kind: Kind,
  fields: Fields,
  change = (signature: string) => signature,
): PlannedMessage {
  const submissionId = randomUUID()
  const signature = change(signDigest(digestOf(fields, domainOf(domain)), wallet.privateKey))
  const { slotId, deadline, snapshotCid, epochId, projectId, header, dataMarket } = fields
  // key order and absent zero values as Go's encoding/json writes them
  const request = { slotId, deadline, snapshotCid, ...(epochId !== 0 && { epochId }), projectId }
  const json = JSON.stringify({ request, signature, header, dataMarket, nodeVersion: 'v1.0.0-simulated' })
  return {
    submissionId,
    slotId,
    epochId,
    projectId,
    dataMarket,
    kind,
    bytes: Buffer.from(submissionId + json),
    ownStream: false,
  }
}

/** The id of a message before a body that is none. */
export const garbage = (message: PlannedMessage, body: Uint8Array): PlannedMessage => ({
  ...message,
  bytes: Buffer.concat([Buffer.from(message.submissionId), body]),
})
