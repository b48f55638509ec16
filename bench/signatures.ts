/** Digest, recovery and address of one submission: ours, by each backend, and ethers'. */
import { createHash } from 'node:crypto'
import { ethers } from 'ethers'
import type { Submission } from '../schemas/types.ts'
import { nativeRecovery, type Recovery, wasmRecovery } from '../topology/shared/recovery.ts'
import { digestOf, domainOf, recoverSigner } from '../topology/shared/signature.ts'
import { type BenchRow, perItem, row } from './rows.ts'
import { market, submissionOf } from './stage-data.ts'

export async function benchSignatures(): Promise<BenchRow[]> {
  const domain = domainOf(market)
  const submissions = signedSubmissions(2_000, domain)
  const conditions = '1 thread, digest, recovery and address'
  const rows: BenchRow[] = [
    row(
      'EIP-712 digest',
      perItem(submissions, (submission) => digestOf(submission, domain)),
      'µs CPU',
      '1 thread',
    ),
  ]
  const recoveries = [nativeRecovery(), await wasmRecovery()].filter((one): one is Recovery => one !== undefined)
  for (const recovery of recoveries) {
    const micros = perItem(submissions, (submission) => recoverSigner(submission, domain, recovery))
    rows.push(row(`signature recovery, ${recovery.backend}`, micros, 'µs CPU', conditions))
  }
  const types = {
    EIPRequest: ['slotId:uint256', 'deadline:uint256', 'snapshotCid:string', 'epochId:uint256', 'projectId:string'].map(
      field,
    ),
  }
  const typed = {
    name: 'PowerloomProtocolContract',
    version: '0.1',
    chainId: market.chainId,
    verifyingContract: market.protocolState,
  }
  const ether = perItem(submissions.slice(0, 200), ({ slotId, deadline, snapshotCid, epochId, projectId, signature }) =>
    ethers.verifyTypedData(typed, types, { slotId, deadline, snapshotCid, epochId, projectId }, `0x${signature}`),
  )
  rows.push(row('signature recovery, ethers.verifyTypedData', ether, 'µs CPU', conditions))
  rows.push(row('ethers / ours', ether / rows[1]!.value, 'times ours', `ours: ${recoveries[0]!.backend}`))
  return rows
}

function field(text: string): { name: string; type: string } {
  const [name, type] = text.split(':') as [string, string]
  return { name, type }
}

function signedSubmissions(count: number, domain: Uint8Array): Submission[] {
  const key = new ethers.SigningKey(createHash('sha256').update('bench').digest())
  return Array.from({ length: count }, (_, n) => {
    const submission = submissionOf(n)
    const { r, s, v } = key.sign(digestOf(submission, domain))
    return { ...submission, signature: `${r.slice(2)}${s.slice(2)}${v.toString(16)}` }
  })
}

/** The input of a bare recovery. */
export const signedDigests = (count: number) =>
  signedSubmissions(count, domainOf(market)).map((submission) => ({
    digest: digestOf(submission, domainOf(market)),
    compact: Buffer.from(submission.signature.slice(0, 128), 'hex'),
    recoveryId: submission.signature.endsWith('1b') ? (0 as const) : (1 as const),
  }))
