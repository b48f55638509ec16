import type { AnchorIntent, AnchorKey, AnchorResult } from '../../../schemas/types.ts'
import { agreedHashes, agreedReceipt, agreedTaken, agreedWord, behind } from '../agreed-readings.ts'
import { EvmError, type EvmErrorCode } from '../errors.ts'
import type { Ask } from '../nodes/ask.ts'
import type { Rpc } from '../nodes/rpc.ts'
import { type ContractCall, hashOf, headerOf, isFiller, isHash, type Receipt, readContract } from './anchor-chain.ts'
import { look } from './anchor-look.ts'
import type { AnchorSettings } from './anchor-options.ts'
import { REVERTED, revertReason, whatItDid } from './anchor-receipt.ts'
import { resultOf } from './anchor-result.ts'
import { Sender, type SendPorts } from './anchor-sender.ts'

/** Looks, each at another block, that must agree that someone else used the nonce: a node may lag behind with receipts. */
const TAKEN_LOOKS = 3
/**
 * Broadcasts the newest signed form and follows all of them until what became of the nonce is definite, or the FSM has to
 * decide (STUCK, REORGED). Can be started anew at any point: it looks before it sends, and what is sent again is the same.
 *
 * A refusal, in whatever words, ends nothing and is not retried by itself: after it comes the next look. Only what was seen
 * decides (receipts, nonces, blocks, the dry run, the balance, the pools).
 */
export async function sendAndFollow(
  key: AnchorKey,
  intent: AnchorIntent,
  call: ContractCall,
  settings: AnchorSettings,
  ports: SendPorts,
): Promise<void> {
  const { heads, persist, answer, signal } = ports
  const forms = intent.rawTransactions.map(formOf)
  const sender = new Sender({ key, intent, call }, settings, ports)
  let seen: Receipt | undefined
  let told: Receipt | undefined
  let takenLooks = 0

  while (!signal.aborted) {
    const view = await persist(() => ports.rpc.read((ask) => look(ask, intent, forms, seen, settings)))
    const { head, receipt, nonceNow, nonceDeep } = view
    ports.pending(receipt === undefined)
    if (receipt) {
      seen = receipt
      takenLooks = 0
      sender.isMined()
      const filler = forms.some((form) => form.filler && form.hash === receipt.transactionHash)
      const did = whatItDid(key, intent, receipt, filler, call.to)
      if (did === 'ANCHORED' && told?.blockHash !== receipt.blockHash) {
        await answer(resultOf(intent, 'MINED', placeOf(receipt)))
        told = receipt
      }
      const agreed = view.deep && (await agreement(receipt, intent, settings, ports))
      if (agreed === 'OTHERWISE') seen = undefined // as if it had not been told of: the node that did is set aside
      if (agreed === 'SAME') {
        const early = did === 'LATE' && (await persist(() => beforeRelease(key, receipt, call, settings, ports.rpc)))
        if (early) return answer(resultOf(intent, 'REVERTED', { ...placeOf(receipt), error: BEFORE_RELEASE }))
        const error = did === 'REVERTED' ? await persist(() => reasonOf(receipt, intent, call, ports.rpc)) : ''
        const more = did === 'ANCHORED' && ports.outcomeOf ? await persist(() => ports.outcomeOf!(receipt)) : {}
        return answer(definite(key, intent, did, { ...placeOf(receipt), error, ...more }, settings))
      }
    } else {
      const isLeft = view.left && (!told || (await hasLeft(told, settings, ports)))
      if (isLeft && told) return answer(resultOf(intent, 'REORGED', placeOf(told)))
      if (isLeft) seen = undefined
      if (nonceNow > intent.nonce) {
        takenLooks = nonceDeep > intent.nonce ? takenLooks + 1 : 0
        if (takenLooks >= TAKEN_LOOKS && (await isTaken(intent, forms, settings, ports)))
          return answer(resultOf(intent, 'NONCE_TAKEN', { nonce: nonceNow }))
      } else if (!view.left || isLeft) {
        const next = await sender.turn(view)
        if (next === 'LOOK') continue
        if (next) return answer(next)
      }
    }
    await heads.changed(head, sender.waitMs, signal)
  }
}

/** Long older forms keep only their hash; a filler never does. */
const formOf = (form: string) =>
  isHash(form) ? { hash: form, filler: false } : { hash: hashOf(form), filler: isFiller(form) }

const placeOf = ({ transactionHash, blockNumber, blockHash }: Receipt) => ({ transactionHash, blockNumber, blockHash })

function definite(
  key: AnchorKey,
  intent: AnchorIntent,
  did: ReturnType<typeof whatItDid>,
  fields: Partial<AnchorResult>,
  { observer }: AnchorSettings,
): AnchorResult {
  if (did === 'LATE') observer?.lateAccepted?.(key)
  if (did === 'REVERTED') observer?.reverted?.(fields.error ?? '', key)
  return resultOf(intent, did === 'ANCHORED' ? 'FINAL' : did, fields)
}

/** Money hangs on it: without agreement it is looked at again. A node by itself has said what there is to say. */
async function agreement(
  receipt: Receipt,
  intent: AnchorIntent,
  settings: AnchorSettings,
  { rpc }: SendPorts,
): Promise<'SAME' | 'OTHERWISE' | 'NONE'> {
  if (settings.agreement <= 1) return 'SAME'
  const receiptOfMost = await unlessUnclear(() => agreedReceipt(rpc, receipt, intent), settings)
  if (receiptOfMost === UNCLEAR) return 'NONE'
  return receiptOfMost ? 'SAME' : 'OTHERWISE'
}

/** True when enough nodes have another block in the place of the receipt's block. */
const hasLeft = async (
  { blockNumber, blockHash }: Receipt,
  settings: AnchorSettings,
  { rpc }: SendPorts,
): Promise<boolean> => {
  if (settings.agreement <= 1) return true
  const hashes = await unlessUnclear(() => agreedHashes(rpc, [blockNumber]), settings)
  return hashes !== UNCLEAR && hashes.get(blockNumber) !== blockHash
}

/** True when another transaction used the nonce, by the word of enough nodes; then the call gets another nonce. */
const isTaken = async (
  intent: AnchorIntent,
  forms: readonly { readonly hash: string }[],
  settings: AnchorSettings,
  { rpc }: SendPorts,
): Promise<boolean> => {
  if (settings.agreement <= 1) return true
  const hashes = forms.map(({ hash }) => hash)
  return (await unlessUnclear(() => agreedTaken(rpc, intent, hashes), settings)) === true
}

const UNCLEAR = Symbol('too few nodes say the same')

async function unlessUnclear<T>(
  action: () => Promise<T>,
  { observer, rebroadcastMs }: AnchorSettings,
): Promise<T | typeof UNCLEAR> {
  try {
    return await action()
  } catch (error) {
    if (!(error instanceof EvmError)) throw error
    observer?.waiting?.('SEND', error, rebroadcastMs)
    return UNCLEAR
  }
}

/**
 * A chain that went back may have a batch again before the release of its epoch. The contract then measures the window from
 * block 0, and keeps nothing; no later batch is refused for that. On Nitro many blocks have the number of the release.
 */
const beforeRelease = (
  { dataMarket, epochId }: AnchorKey,
  { blockNumber }: Receipt,
  call: ContractCall,
  { contractBlock }: AnchorSettings,
  rpc: Pick<Rpc, 'agreeing'>,
): Promise<boolean> =>
  agreedWord(rpc, `the release of epoch ${epochId}`, async (ask) => {
    const [, release] = await readContract(ask, call.to, 'epochInfo', [dataMarket, epochId], 'latest')
    if (release === 0n) return true
    const block = await headerOf(ask, blockNumber, contractBlock)
    if (!block) throw behind(blockNumber)
    return BigInt(block.contractBlock) <= (release as bigint)
  })
const BEFORE_RELEASE = 'it came before the release of its epoch, which had left the chain: the contract kept nothing'

/** Nodes that have dropped the state know no code: where too few say the same, it is told without one. */
async function reasonOf(
  receipt: Receipt,
  intent: AnchorIntent,
  call: ContractCall,
  rpc: Pick<Rpc, 'agreeing'>,
): Promise<string> {
  const read = (ask: Ask): Promise<string> => revertReason(ask, intent.signer, call, receipt, intent.gasLimit)
  try {
    return await agreedWord(rpc, `why ${receipt.transactionHash} was reverted`, read)
  } catch (error) {
    if (error instanceof EvmError && NO_AGREEMENT.includes(error.code)) return REVERTED
    throw error
  }
}
const NO_AGREEMENT: readonly EvmErrorCode[] = ['DISAGREEMENT', 'TOO_FEW_NODES']
