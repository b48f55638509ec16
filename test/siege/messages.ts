/** Messages as a collector writes them, with any field as the adversary likes. */
import { createHash, randomUUID } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create } from 'multiformats/hashes/digest'
import type { Fields as SentFields } from '../../ops/world/snapshotters/message.ts'
import { type SlotWallet, signDigest } from '../../ops/world/snapshotters/wallets.ts'
import { digestOf } from '../../topology/shared/signature.ts'
import type { World } from './world.ts'

/** What goes down a connection in one write. */
export interface Shot {
  readonly bytes: Uint8Array
  readonly messages: number
  /** Set for what is honest: the line of the ledger for each message. */
  readonly honest?: readonly HonestLine[]
}

/** As the simulated snapshotters keep it. */
export interface HonestLine {
  readonly submissionId: string
  readonly slotId: number
  readonly epochId: number
  readonly dataMarket: string
  readonly kind: string
}

export interface Fields extends SentFields {
  readonly nodeVersion: string
}

const DEADLINE_BLOCKS = 100

/** A submission that nothing is wrong with, for the newest epoch of the first market. */
export function fieldsOf(world: World, { slotId }: Pick<SlotWallet, 'slotId'>, changes: Partial<Fields> = {}): Fields {
  const { head, epochs } = world.at()
  const dataMarket = changes.dataMarket ?? world.place.markets[0]!
  const epochId = epochs.get(dataMarket)!
  return {
    slotId,
    deadline: head.number + DEADLINE_BLOCKS,
    snapshotCid: cidOf(`${dataMarket} ${epochId}`),
    epochId,
    projectId: 'siege:0',
    header: head.hash,
    dataMarket,
    nodeVersion: 'v1.0.0-siege',
    ...changes,
  }
}

export const sign = (world: World, fields: Fields, { privateKey }: SlotWallet): string =>
  signDigest(digestOf({ ...fields }, world.domain), privateKey)

/** One message; key order and absent zero values as Go's encoding/json writes them. */
export function write(fields: Fields, signature: string, submissionId: string = randomUUID()): Uint8Array {
  const { slotId, deadline, snapshotCid, epochId, projectId, header, dataMarket, nodeVersion } = fields
  const request = {
    slotId,
    deadline,
    ...(snapshotCid && { snapshotCid }),
    ...(epochId && { epochId }),
    ...(projectId && { projectId }),
  }
  const message = { request, ...(signature && { signature }), header, dataMarket, nodeVersion }
  return Buffer.from(submissionId + JSON.stringify(message))
}

export const one = (bytes: Uint8Array): Shot => ({ bytes, messages: 1 })

/** Signed by its owner. */
export const signed = (world: World, wallet: SlotWallet, changes: Partial<Fields> = {}): Shot => {
  const fields = fieldsOf(world, wallet, changes)
  return one(write(fields, sign(world, fields, wallet)))
}

/** CIDv1, raw, of the SHA-256 of a text. */
export const cidOf = (text: string): string =>
  CID.createV1(raw.code, create(0x12, createHash('sha256').update(text).digest())).toString()
