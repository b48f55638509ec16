/**
 * Whether a row of `anchors` agrees with the results from which it was made; with a node, whether the chain agrees about its
 * transaction.
 */
import { Transaction } from 'ethers'
import { isPayout } from '../../../schemas/anchor-keys.ts'
import { isNone } from '../../../schemas/none.ts'
import type { Anchor, AnchorKey, AnchorResult } from '../../../schemas/types.ts'
import type { Log } from '../../../streams/ports.ts'
import { readRecords } from '../../../streams/read-record.ts'
import { epochScope, type Topics } from '../../../topology/topics.ts'
import { scan } from '../../reading/scan.ts'
import type { ChainReader } from './chain.ts'
import { originOf, type SealRules } from './record-origin.ts'
import type { Findings } from './report.ts'

/** The results about one batch, or about the call that ends an epoch. */
export interface AnchorHistory {
  readonly cids: Set<string>
  /** Hash of each transaction that was signed or found on the chain, and its nonce where signed bytes tell it. */
  readonly transactions: Map<string, number | undefined>
  /** `transaction block hash` of where one was seen in a block. */
  readonly mined: Set<string>
  readonly attestations: Set<string>
  /** Attempts that were answered. */
  readonly attempts: Set<number>
  /** The contract finalized the batch; the validators agreed on another root. */
  attested: boolean
  diverged: boolean
  /** Number of times that the transaction's block left the chain. */
  reorgs: number
}
/** A result answers it, of each batch and each ending: where that one is gone, others may be, too. */
const FIRST_ATTEMPT = 1

export type AnchorHistories = ReadonlyMap<string, AnchorHistory>

export const historyName = ({ dataMarket, epochId, batchIndex }: AnchorKey): string =>
  `${epochScope(dataMarket, epochId)}/${batchIndex}`

export async function readHistories(
  log: Log,
  { anchorResults }: Topics,
  rules: SealRules,
  findings: Findings,
): Promise<AnchorHistories> {
  const histories = new Map<string, AnchorHistory>()
  const guard = originOf(anchorResults, rules)
  for await (const records of scan(log, { topic: anchorResults.name, partition: 0 }, { tell: findings.unreadable }))
    for (const { key, value } of readRecords(anchorResults, 0, records, findings.unreadable, { guard })) {
      if (value === null || isPayout(key)) continue
      const name = historyName(key)
      const history = histories.get(name) ?? blank()
      histories.set(name, history)
      note(history, value)
    }
  return histories
}

const blank = (): AnchorHistory => ({
  cids: new Set(),
  transactions: new Map(),
  mined: new Set(),
  attestations: new Set(),
  attempts: new Set(),
  attested: false,
  diverged: false,
  reorgs: 0,
})

function note(history: AnchorHistory, result: AnchorResult): void {
  const { cid, transactionHash, blockNumber, blockHash, rawTransaction, attestation, outcome, attempt } = result
  history.attempts.add(attempt)
  if (cid !== '') history.cids.add(cid)
  if (outcome === 'SIGNED') history.transactions.set(transactionHash, nonceOf(rawTransaction))
  else if (transactionHash !== '' && !history.transactions.has(transactionHash))
    history.transactions.set(transactionHash, undefined)
  if (blockHash !== '') history.mined.add(`${transactionHash} ${blockNumber} ${blockHash}`)
  if (attestation) history.attestations.add(JSON.stringify(attestation))
  if (outcome === 'ATTESTED' && (attestation?.finalized ?? true)) history.attested = true
  if (outcome === 'DIVERGED') history.diverged = true
  if (outcome === 'REORGED') history.reorgs++
}

function nonceOf(rawTransaction: string): number | undefined {
  try {
    return Transaction.from(rawTransaction).nonce
  } catch {
    return undefined
  }
}

/**
 * Some result has said what the row says. More results than the row knows of may have come since it was read.
 * @param countsAttempts whether each attempt but the newest was answered
 */
export function compareHistory(
  where: string,
  row: Anchor,
  history: AnchorHistory | undefined,
  countsAttempts: boolean,
  findings: Findings,
): void {
  if (!history?.attempts.has(FIRST_ATTEMPT)) return // results of it have expired, or none has come
  const { cid, transactionHash, blockNumber, blockHash, nonce, attempts, attestations } = row
  const { transactions } = history
  const differ = (what: string, value: unknown): void =>
    findings.add('mismatches', where, `${what} ${value}: no result in the log says so`)
  if (cid !== '' && !history.cids.has(cid)) differ('CID', cid)
  if (transactionHash !== '' && !transactions.has(transactionHash)) differ('transaction', transactionHash)
  // a row has no nonce when its transaction was found on the chain
  else if (!isNone(nonce) && (transactions.get(transactionHash) ?? nonce) !== nonce) differ('nonce', nonce)
  if (blockHash !== '' && !history.mined.has(`${transactionHash} ${blockNumber} ${blockHash}`))
    differ('block', `${blockNumber} (${blockHash})`)
  if (countsAttempts && !history.attempts.has(attempts) && !history.attempts.has(attempts - 1))
    differ('attempts', attempts)
  if ((row.attested && !history.attested) || (!row.attested && attestations.some(({ finalized }) => finalized)))
    differ('attested', row.attested)
  if (row.diverged && !history.diverged) differ('diverged', true)
  if (row.reorgs > history.reorgs) differ('reorgs', row.reorgs)
  for (const attestation of attestations)
    if (!history.attestations.has(JSON.stringify(attestation))) differ('attestation', JSON.stringify(attestation))
}

export interface SentRow extends Pick<Anchor, 'transactionHash' | 'blockNumber' | 'blockHash'> {
  readonly state: string
}

/** The transaction of a final row, asked of the chain. */
export async function compareTransaction(
  where: string,
  { state, transactionHash, blockNumber, blockHash }: SentRow,
  chain: Pick<ChainReader, 'minedIn'>,
  findings: Findings,
): Promise<void> {
  if (state !== 'FINAL' || transactionHash === '' || blockHash === '') return
  const found = await chain.minedIn(transactionHash)
  if (!found) return findings.add('mismatches', where, `the chain has no transaction ${transactionHash} in a block`)
  findings.same(where, 'block of its transaction', found.blockNumber, blockNumber)
  findings.same(where, 'hash of that block', found.blockHash, blockHash)
}
