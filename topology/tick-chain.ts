/** The chain and its epochs as far as ticks were accepted, and whether the next one fits. */
import type { EpochTick, EpochWindow, StoredHead } from '../schemas/types.ts'
import type { KeyValueStore } from '../streams/store.ts'
import { epochScope } from './topics.ts'

export const HEAD_KEY = 'head'
/** Block 0's parent, and that of a block whose parent is not known: nothing is compared with it. */
const UNKNOWN_HASH = ''

/** Why a tick is kept out, and the blocks whose ticks are asked for to settle it. */
export interface TickProblem {
  readonly text: string
  readonly fromBlock: number
  readonly toBlock: number
}
export type TickAnswer = 'accepted' | 'duplicate' | TickProblem

export function createTickChain(
  heads: KeyValueStore<StoredHead>,
  epochs: KeyValueStore<EpochWindow>,
  headsKept: number,
) {
  const PROBLEM_KEY = 'problem'
  const head = (): StoredHead | undefined => heads.get(HEAD_KEY)
  const blockAt = (number: number): StoredHead | undefined => heads.get(`${number}`)

  const problem = (fromBlock: number, text: string): TickProblem => ({
    text,
    fromBlock,
    toBlock: Math.max(fromBlock, head()?.number ?? fromBlock),
  })

  const append = ({ blockNumber: number, blockHash: hash }: EpochTick): TickAnswer => {
    const block = { number, hash, canonical: true }
    heads.put(HEAD_KEY, block)
    heads.put(`${number}`, block)
    heads.delete(`${number - headsKept}`)
    heads.delete(PROBLEM_KEY)
    return 'accepted'
  }

  const offerHead = (tick: EpochTick): TickAnswer => {
    const last = head()
    const { blockNumber, blockHash, parentHash } = tick
    if (!last) return append(tick)
    if (blockNumber <= last.number) {
      const known = blockAt(blockNumber)
      if (!known || known.hash === blockHash) return 'duplicate' // or older than what is kept
      return problem(blockNumber, `the block is ${known.hash} here, ${blockHash} there, and no ORPHAN came between`)
    }
    if (last.hash !== UNKNOWN_HASH && parentHash !== last.hash)
      return problem(last.number, `its parent is ${parentHash}, block ${last.number} is ${last.hash}`)
    return append(tick)
  }

  const offerOrphan = ({ blockNumber, blockHash }: EpochTick): TickAnswer => {
    const known = blockAt(blockNumber)
    if (known?.hash !== blockHash) return 'duplicate' // that block is not (or no longer) in the chain
    const before = blockAt(blockNumber - 1) ?? { number: blockNumber - 1, hash: UNKNOWN_HASH, canonical: true }
    for (let number = head()!.number; number >= blockNumber; number--) heads.delete(`${number}`)
    heads.put(HEAD_KEY, before)
    heads.delete(PROBLEM_KEY)
    for (const [scope, epoch] of [...epochs.entries()])
      if (epoch.state === 'OPEN' && epoch.releaseBlock >= blockNumber) epochs.put(scope, { ...epoch, state: 'AWAITED' })
    return 'accepted'
  }

  const offerEpoch = (tick: EpochTick): TickAnswer => {
    const { kind, dataMarket, epochId, blockNumber, blockHash, releaseBlock } = tick
    const scope = epochScope(dataMarket, epochId)
    const state = epochs.get(scope)?.state
    // An epoch opens once and closes once; AWAITED, its release left the chain, so it opens anew.
    if (state === 'CLOSED' || (state === 'OPEN' && kind === 'OPEN')) return 'duplicate'
    const known = blockAt(blockNumber)
    if (known?.hash !== blockHash)
      return problem(blockNumber, `block ${blockNumber} is ${known?.hash ?? 'not known'} here, ${blockHash} there`)
    if (kind === 'CLOSE' && state !== 'OPEN')
      return problem(Math.min(releaseBlock, blockNumber), `epoch ${epochId} of ${dataMarket} is not open`)
    const closed = kind === 'CLOSE'
    epochs.put(scope, {
      dataMarket,
      epochId,
      state: closed ? 'CLOSED' : 'OPEN',
      releaseBlock,
      closeBlock: closed ? blockNumber : 0,
    })
    if (closed) forgetClosedBefore(head()!.number - headsKept)
    return 'accepted'
  }

  /** Ticks of blocks that are not kept are not accepted, so nothing of these epochs can come again. */
  const forgetClosedBefore = (blockNumber: number): void => {
    for (const [scope, { state, closeBlock }] of [...epochs.entries()])
      if (state === 'CLOSED' && closeBlock < blockNumber) epochs.delete(scope)
  }

  return {
    /** Undefined before the first block. */
    newest: (): number | undefined => head()?.number,
    /** The block that a HEAD is awaited for; undefined before the first. */
    nextBlock: (): number | undefined => {
      const last = head()
      return last && last.number + 1
    },

    /** Whether a tick speaks of a block whose predecessors (or, but for a HEAD, which itself) are not here yet. */
    isAhead({ kind, blockNumber }: EpochTick): boolean {
      const last = head()
      return last !== undefined && blockNumber > last.number + (kind === 'HEAD' ? 1 : 0)
    },

    /** Takes the tick if it fits; changes nothing if it does not. */
    offer(tick: EpochTick): TickAnswer {
      if (tick.kind === 'HEAD') return offerHead(tick)
      return tick.kind === 'ORPHAN' ? offerOrphan(tick) : offerEpoch(tick)
    },

    /** False when the newest refusal was the same: a clock that insists is not asked again and again. */
    isNewProblem({ kind, blockNumber, blockHash }: EpochTick, { fromBlock }: TickProblem): boolean {
      const hash = `${kind} ${blockHash} from ${fromBlock}`
      if (heads.get(PROBLEM_KEY)?.hash === hash) return false
      heads.put(PROBLEM_KEY, { number: blockNumber, hash, canonical: false })
      return true
    },
  }
}
