import type { AnchorIntent, AnchorKey, AnchorResult } from '../../schemas/types.ts'
import type { Clock } from '../../streams/ports.ts'
import {
  balanceOf,
  type ContractCall,
  dryRun,
  feesNow,
  type Head,
  hashOf,
  headerOf,
  isFiller,
  nonceOf,
  type Receipt,
  receiptOf,
} from './anchor-chain.ts'
import type { AnchorSettings } from './anchor-options.ts'
import { revertReason, whatItDid } from './anchor-receipt.ts'
import { resultOf } from './anchor-result.ts'
import type { HeadWatch } from './head-watch.ts'
import type { Ask, Rpc } from './rpc.ts'

/** Looks, each at another block, that must agree that someone else used the nonce: a node may lag behind with receipts. */
const TAKEN_LOOKS = 3

export interface SendPorts {
  readonly rpc: Pick<Rpc, 'read'>
  readonly clock: Clock
  readonly heads: HeadWatch
  /** Runs an action until it does not fail for an outage. */
  readonly persist: <T>(action: () => Promise<T>) => Promise<T>
  readonly answer: (result: AnchorResult) => Promise<void>
  /** Told whether the transaction is in no block. */
  readonly pending: (pending: boolean) => void
  readonly signal: AbortSignal
}

/** One look at all signed forms of a transaction, by one node. */
interface View {
  readonly head: Head
  readonly receipt: Receipt | undefined
  /** Next nonce of the signer, at the head and at the depth. */
  readonly nonceNow: number
  readonly nonceSettled: number
}

/**
 * Broadcasts the newest signed form and follows all of them until what became of the nonce is definite, or the FSM has to
 * decide (STUCK, REORGED). Can be started anew at any point: it looks before it sends, and what is sent again is the same.
 */
export async function sendAndFollow(
  key: AnchorKey,
  intent: AnchorIntent,
  call: ContractCall,
  settings: AnchorSettings,
  ports: SendPorts,
): Promise<void> {
  const { clock, heads, persist, answer, signal } = ports
  const forms = intent.rawTransactions.map(formOf)
  const started = clock.now()
  let firstBlock: number | undefined
  let broadcastAt = Number.NEGATIVE_INFINITY
  let mined: { readonly blockNumber: number; readonly blockHash: string } | undefined
  let takenLooks = 0
  let paid = true

  while (!signal.aborted) {
    const view = await persist(() => ports.rpc.read((ask) => look(ask, intent, forms, settings)))
    const { head, receipt, nonceNow, nonceSettled } = view
    firstBlock ??= head.number
    ports.pending(receipt === undefined)
    if (receipt) {
      const filler = forms.some((form) => form.filler && form.hash === receipt.transactionHash)
      const did = whatItDid(key, intent, receipt, filler, call.to)
      const { transactionHash, blockNumber, blockHash } = receipt
      const where = { transactionHash, blockNumber, blockHash }
      if (did === 'ANCHORED' && mined?.blockHash !== blockHash) await answer(resultOf(intent, 'MINED', where))
      if (did === 'ANCHORED') mined = where
      if (head.number - blockNumber >= settings.confirmations) {
        const error = did === 'REVERTED' ? await persist(() => reasonOf(receipt, intent, call, ports.rpc)) : ''
        return answer(definite(key, intent, did, { ...where, error }, settings))
      }
    } else if (mined) {
      const { blockNumber, blockHash } = mined
      if (await persist(() => leftTheChain(ports.rpc, blockNumber, blockHash, settings)))
        return answer(resultOf(intent, 'REORGED', mined))
    } else if (nonceNow > intent.nonce) {
      takenLooks = nonceSettled > intent.nonce ? takenLooks + 1 : 0
      if (takenLooks >= TAKEN_LOOKS) return answer(resultOf(intent, 'NONCE_TAKEN', { nonce: nonceNow }))
    } else {
      if (clock.now() - broadcastAt >= settings.rebroadcastMs) {
        const refusal = await persist(() => broadcast(intent, ports.rpc, settings))
        paid = refusal !== LOW_BALANCE
        if (refusal && paid) return answer(resultOf(intent, 'REJECTED', { error: refusal }))
        broadcastAt = clock.now()
      }
      const long = head.number - firstBlock >= settings.stuckBlocks && clock.now() - started >= settings.stuckMs
      // Behind a gap it cannot be mined whatever it pays: only the one whose turn it is can be stuck.
      if (long && paid && nonceNow === intent.nonce)
        return answer(await persist(() => stuck(intent, call, head, ports.rpc, settings)))
    }
    await heads.changed(head, Math.min(settings.rebroadcastMs, settings.stuckMs), signal)
  }
}

/** Of older forms that were long only the hash is left; a filler never is. */
const formOf = (form: string) =>
  HASH.test(form) ? { hash: form, filler: false } : { hash: hashOf(form), filler: isFiller(form) }
const HASH = /^0x[0-9a-f]{64}$/

async function look(
  ask: Ask,
  { signer, nonce }: AnchorIntent,
  forms: readonly { readonly hash: string }[],
  { confirmations, contractBlock }: AnchorSettings,
): Promise<View> {
  const head = (await headerOf(ask, 'latest', contractBlock))!
  const receipts = await Promise.all(forms.map(({ hash }) => receiptOf(ask, hash)))
  const receipt = receipts.find((one) => one !== undefined)
  if (receipt) return { head, receipt, nonceNow: nonce, nonceSettled: nonce }
  const nonceNow = await nonceOf(ask, signer, 'latest')
  const settledBlock = Math.max(0, head.number - confirmations)
  const nonceSettled = nonceNow > nonce ? await nonceOf(ask, signer, settledBlock) : nonceNow
  return { head, receipt, nonceNow, nonceSettled }
}

function definite(
  key: AnchorKey,
  intent: AnchorIntent,
  did: ReturnType<typeof whatItDid>,
  fields: Partial<AnchorResult>,
  { observer }: AnchorSettings,
): AnchorResult {
  if (did === 'LATE') observer?.lateAccepted?.(key)
  if (did === 'REVERTED') observer?.reverted?.(fields.error ?? '')
  return resultOf(intent, did === 'ANCHORED' ? 'FINAL' : did, fields)
}

const reasonOf = (
  receipt: Receipt,
  intent: AnchorIntent,
  call: ContractCall,
  rpc: Pick<Rpc, 'read'>,
): Promise<string> => rpc.read((ask) => revertReason(ask, intent.signer, call, receipt, intent.gasLimit))

/** A receipt can be missing because the node lags: it is a reorg only when another block has the number. */
const leftTheChain = (
  rpc: Pick<Rpc, 'read'>,
  blockNumber: number,
  blockHash: string,
  { contractBlock }: AnchorSettings,
): Promise<boolean> =>
  rpc.read(async (ask) => {
    const now = await headerOf(ask, blockNumber, contractBlock)
    return now !== undefined && now.hash !== blockHash
  })

/** What the chain asks by now, and whether the call would still do anything. */
const stuck = (
  intent: AnchorIntent,
  call: ContractCall,
  head: Head,
  rpc: Pick<Rpc, 'read'>,
  { observer }: AnchorSettings,
): Promise<AnchorResult> =>
  rpc.read(async (ask) => {
    const { maxFee, tip } = await feesNow(ask, head)
    const error = intent.call === 'FILL' ? '' : ((await dryRun(ask, intent.signer, call, 'latest')) ?? '')
    observer?.feeBumped?.()
    return resultOf(intent, 'STUCK', { maxFeePerGas: `${maxFee}`, maxPriorityFeePerGas: `${tip}`, error })
  })

const LOW_BALANCE = 'LOW_BALANCE'
/** The node has it, or something of ours in its place; or it is too cheap, which being stuck will show. */
const FINE =
  /already (known|imported|exists)|known transaction|nonce too low|underpriced|less than (the )?block base fee|fee cap less/i
const NEVER =
  /intrinsic gas too low|exceeds (the )?block gas limit|exceeds block gas|gas limit (is )?too high|oversized data/i

/** Undefined when the node took it or need not; LOW_BALANCE; else why no node ever will. */
const broadcast = (
  { rawTransactions, signer, gasLimit, maxFeePerGas }: AnchorIntent,
  rpc: Pick<Rpc, 'read'>,
  { observer }: AnchorSettings,
): Promise<string | undefined> =>
  rpc.read(async (ask) => {
    try {
      await ask('eth_sendRawTransaction', [rawTransactions.at(-1)])
      return undefined
    } catch (error) {
      const { message } = error as Error
      if (FINE.test(message)) return undefined
      if (NEVER.test(message)) return message
      if (!/insufficient funds/i.test(message)) throw error
      observer?.lowBalance?.(await balanceOf(ask, signer), BigInt(gasLimit) * BigInt(maxFeePerGas))
      return LOW_BALANCE
    }
  })
