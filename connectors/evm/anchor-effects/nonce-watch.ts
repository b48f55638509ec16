/** Notices that the chain went back behind what was final. */
import { isNonceOnly, isPayout } from '../../../schemas/anchor-keys.ts'
import type { AnchorIntent, AnchorKey, AnchorResult } from '../../../schemas/types.ts'
import { agreedHashes, agreedWord } from '../agreed-readings.ts'
import type { Ask } from '../nodes/ask.ts'
import { type ContractCall, dryRun, type Head, headerOf, receiptOf } from './anchor-chain.ts'
import { type IntentChange, textOf } from './anchor-intents.ts'
import type { AnchorSettings } from './anchor-options.ts'
import { isOnContract, windowIsOver } from './anchor-prepare.ts'
import { NotYet, resultOf } from './anchor-result.ts'
import type { HeadWatch } from './head-watch.ts'
import { createNonceGaps, LOOKS, type NonceGapPorts } from './nonce-gaps.ts'

const HEAD_WAIT_MS = 10_000
/** A call without a known place is looked for at each so many heads, and at each head when the chain goes back. */
const PLACELESS_LOOK_BLOCKS = 16
/** Headers asked for at once. */
const CHECKS_AT_ONCE = 64

export interface NonceWatch {
  /** The intent in force of a key. */
  take(change: IntentChange): void
  /** Looks at every new head, until the signal. */
  follow(): Promise<void>
}

export interface NonceWatchPorts extends NonceGapPorts {
  readonly heads: HeadWatch
  /** The call of a batch or an ending; undefined when the log has lost the batch, or for a nonce alone. */
  readonly callOf: (key: AnchorKey, intent: AnchorIntent) => Promise<ContractCall | undefined>
  readonly signal: AbortSignal
}

/** A transaction that is final. */
interface Kept extends IntentChange {
  /** Depth, in blocks, from which on its block is looked at for itself again: doubled by each look that found it on the chain. */
  nextDepth: number
  /** Looks in a row that found another block in its place, or nothing of it on the contract when its place is not known. */
  lost: number
  /** The head at the first look. */
  since: number | undefined
}

/**
 * A transaction is lost only when another block has the place of its own: a block that a node does not have may mean that
 * the node is behind, and so may a low nonce (decision 0029). As blocks name their parents, the newest final one speaks for
 * those before it. Each is looked at for itself too, at the beginning, at the end, and whenever it lies twice as deep: a node may
 * have told of a fork when it became final.
 */
export function createNonceWatch(settings: AnchorSettings, ports: NonceWatchPorts): NonceWatch {
  const { rpc, heads, persist, answer, signal } = ports
  const { observer } = settings
  const kept = new Map<string, Kept>()
  /** The transactions that are signed, or sent and not final. */
  const held = new Map<string, AnchorIntent>()
  const final = () => [...kept.values()].map(({ intent }) => intent)
  const nonces = createNonceGaps(settings, ports, { held: () => [...held.values()], final })

  const look = async (head: Head): Promise<void> => {
    const all = [...kept.values()]
    const { onChain, offChain } = await persist(() => rpc.read((ask) => checkBlocks(ask, head, all, settings)))
    for (const one of onChain) Object.assign(one, { nextDepth: 2 * Math.max(1, depthOf(one, head)), lost: 0 })
    const placeless = await lookForPlaceless(all, head, offChain.length > 0, ports)
    for (const one of offChain) one.lost++
    const lost = [...offChain, ...placeless].filter((one) => one.lost >= LOOKS && isWatched(one))
    const gone = lost.length > 0 ? await persist(() => agreedLost(rpc, lost)) : []
    if (gone.length > 0) await takeBack(gone, head)
    for (const one of [...onChain, ...placeless.filter(({ lost }) => lost === 0)])
      if (isDue(one, head, settings) && isWatched(one)) await conclude(one, resultOf(one.intent, 'SETTLED'))
    await nonces.look(offChain.length > 0)
  }

  const isWatched = (one: Kept): boolean => kept.get(textOf(one.key)) === one
  const conclude = async (one: Kept, result: AnchorResult): Promise<void> => {
    await answer(one.key, result)
    if (isWatched(one)) kept.delete(textOf(one.key))
  }

  /** In the order of nonces: batches before the endings that wait for them. */
  const takeBack = async (lost: readonly Kept[], head: Head): Promise<void> => {
    const first = lost.reduce((min, { intent }) => Math.min(min, intent.blockNumber), head.number)
    observer?.wentBack?.(lost.length, first)
    for (const one of lost.toSorted((a, b) => a.intent.nonce - b.intent.nonce)) {
      const { key, intent } = one
      const error = isNonceOnly(key) || !hasPlace(one) ? '' : await whyNotAgain(key, intent, head)
      const { blockNumber, blockHash } = intent
      await conclude(one, resultOf(intent, 'REORGED', { blockNumber, blockHash, error }))
    }
  }

  const whyNotAgain = async (key: AnchorKey, intent: AnchorIntent, head: Head): Promise<string> => {
    const call = await persist(() => ports.callOf(key, intent))
    if (!call) return 'the log does not have the batch any more'
    const about = `whether epoch ${key.epochId} may have its call again`
    return persist(() => agreedWord(rpc, about, (ask) => whyNoCall(ask, { key, intent, call }, head, settings)))
  }

  return {
    take({ key, intent }) {
      const text = textOf(key)
      kept.delete(text)
      held.delete(text)
      const { step } = intent
      if (step === 'WATCH' || step === 'KEEP') kept.set(text, { key, intent, nextDepth: 0, lost: 0, since: undefined })
      if (step === 'SIGN' || step === 'SEND') held.set(text, intent)
      observer?.kept?.(kept.size)
    },
    async follow() {
      let seen: Head | undefined
      while (!signal.aborted) {
        const head = await heads.changed(seen, HEAD_WAIT_MS, signal)
        if (signal.aborted) return
        if (head && head.hash !== seen?.hash) await look(head)
        else nonces.again()
        seen = head
      }
    },
  }
}

/** The ending of somebody else, and a call of ours that only the contract tells of, have none. */
const hasPlace = ({ intent }: Kept): boolean => intent.blockHash !== ''

/** Blocks on top of its own, or since it is watched when its own is not known. */
const depthOf = (one: Kept, head: Head): number =>
  head.number - (hasPlace(one) ? one.intent.blockNumber : (one.since ?? head.number))

/** Nothing more is to be seen of it. Attestations are followed for longer. */
const isDue = (one: Kept, head: Head, settings: AnchorSettings): boolean =>
  one.intent.step === 'KEEP' && depthOf(one, head) >= settings.reorgDepthMax

/** Sorts transactions: on the chain, or with another block in their place. All reads go to one node. */
async function checkBlocks(ask: Ask, head: Head, kept: readonly Kept[], settings: AnchorSettings) {
  const onChain: Kept[] = []
  const offChain: Kept[] = []
  const check = async (some: readonly Kept[]): Promise<void> => {
    const blocks = [...new Set(some.map(({ intent }) => intent.blockNumber))]
    const headers = await Promise.all(blocks.map((block) => headerOf(ask, block, settings.contractBlock)))
    const hashes = new Map(blocks.map((block, at) => [block, headers[at]?.hash]))
    for (const one of some) {
      const hash = hashes.get(one.intent.blockNumber)
      if (hash !== undefined) (hash === one.intent.blockHash ? onChain : offChain).push(one)
    }
  }
  const [newest, ...older] = kept
    .filter((one) => hasPlace(one) && one.intent.blockNumber <= head.number)
    .toSorted((a, b) => b.intent.blockNumber - a.intent.blockNumber)
  if (newest) await check([newest])
  const wentBack = offChain.length > 0
  const isTurn = (one: Kept): boolean =>
    depthOf(one, head) >= one.nextDepth || one.lost > 0 || isDue(one, head, settings)
  const more = wentBack ? older : older.filter(isTurn)
  for (let from = 0; from < more.length; from += CHECKS_AT_ONCE) {
    const before = onChain.length
    await check(more.slice(from, from + CHECKS_AT_ONCE))
    if (!wentBack || onChain.length > before) break // the rest is on the chain too, or has its turn at the next head
  }
  return { onChain, offChain }
}

/**
 * Looks for calls whose place on the chain is not known: no block tells that one left the chain, so the contract is asked.
 * @param wentBack then it is asked at each head
 */
async function lookForPlaceless(
  kept: readonly Kept[],
  head: Head,
  wentBack: boolean,
  { rpc, persist, callOf }: NonceWatchPorts,
): Promise<readonly Kept[]> {
  const placeless = kept.filter((one) => !hasPlace(one))
  for (const one of placeless) {
    one.since ??= head.number
    const isTurn = wentBack || one.lost > 0 || (head.number - one.since) % PLACELESS_LOOK_BLOCKS === 0
    if (!isTurn || isNonceOnly(one.key) || isPayout(one.key)) continue
    const call = await persist(() => callOf(one.key, one.intent))
    const about = `whether the call of epoch ${one.key.epochId} is on the chain`
    const isThere = !call || (await persist(() => agreedWord(rpc, about, (ask) => isOnContract(ask, one, call))))
    one.lost = isThere ? 0 : one.lost + 1
  }
  return placeless
}

/** Transactions of which enough nodes have another block in the place; where one node alone says so, they are on the chain. */
async function agreedLost(rpc: NonceWatchPorts['rpc'], lost: readonly Kept[]): Promise<Kept[]> {
  const gone = lost.filter((one) => !hasPlace(one))
  const blocks = [...new Set(lost.filter(hasPlace).map(({ intent }) => intent.blockNumber))]
  for (let from = 0; from < blocks.length; from += CHECKS_AT_ONCE) {
    const hashes = await agreedHashes(rpc, blocks.slice(from, from + CHECKS_AT_ONCE))
    for (const one of lost.filter(hasPlace)) {
      const hash = hashes.get(one.intent.blockNumber)
      if (hash === one.intent.blockHash) one.lost = 0
      else if (hash !== undefined) gone.push(one)
    }
  }
  return gone
}

/** Why a call that was on the chain cannot be made again; empty when it can, or is on the chain once more. */
async function whyNoCall(
  ask: Ask,
  input: { readonly key: AnchorKey; readonly intent: AnchorIntent; readonly call: ContractCall },
  head: Head,
  settings: AnchorSettings,
): Promise<string> {
  const { intent, call } = input
  const [transactionHash] = intent.rawTransactions
  if (transactionHash !== undefined && (await receiptOf(ask, transactionHash))) return ''
  const code = await dryRun(ask, intent.signer, call, 'latest')
  if (code !== undefined) return code
  try {
    return (await windowIsOver(ask, input, head, settings)) ? 'the batch submission window is over' : ''
  } catch (error) {
    if (error instanceof NotYet) return error.message // its epoch is not on the chain
    throw error
  }
}
