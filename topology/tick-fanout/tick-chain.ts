/** The chain and its epochs as far as ticks were accepted, and whether the next one fits. */
import { NO_TIME } from '../../schemas/none.ts'
import type { EpochTick, EpochWindow, StoredHead } from '../../schemas/types.ts'
import type { KeyValueStore } from '../../streams/store.ts'
import { HEAD_KEY } from '../stores.ts'
import { epochScope } from '../topics.ts'
import { createTickQuestions } from './tick-questions.ts'

/** Block 0's parent, and that of a block whose parent is not known: nothing is compared with it. */
const UNKNOWN_HASH = ''

/**
 * The reason why a tick is kept out, and the blocks whose ticks are asked for to let it in. No blocks (0 to -1)
 * where they lie before the first one here: a log that begins in the midst of an epoch does not have them.
 */
export interface TickProblem {
  readonly text: string
  readonly fromBlock: number
  readonly toBlock: number
}
export type TickAnswer = 'accepted' | 'duplicate' | TickProblem

export type TickChain = ReturnType<typeof createTickChain>

export function createTickChain(
  heads: KeyValueStore<StoredHead>,
  epochs: KeyValueStore<EpochWindow>,
  headsKept: number,
) {
  const blocks = createBlocks(heads, headsKept)
  const book = createEpochBook(epochs)
  const questions = createTickQuestions(heads)

  const offerHead = (tick: EpochTick): TickAnswer => {
    const answer = blocks.offer(tick)
    if (answer === 'accepted') questions.forgetUpTo(tick.blockNumber - headsKept)
    return answer
  }

  const offerOrphan = ({ blockNumber, blockHash }: EpochTick): TickAnswer => {
    if (blocks.at(blockNumber)?.hash !== blockHash) return 'duplicate' // that block is not (or no longer) in the chain
    blocks.rollBackTo(blockNumber - 1)
    questions.forgetFrom(blockNumber)
    book.awaitReleasesFrom(blockNumber)
    return 'accepted'
  }

  const offerEpoch = (tick: EpochTick): TickAnswer => {
    const { kind, dataMarket, epochId, blockNumber, blockHash } = tick
    const state = book.stateOf(dataMarket, epochId)
    // An epoch opens once and closes once; AWAITED, its release left the chain, so it opens anew.
    if (state === 'CLOSED' || (state === 'OPEN' && kind === 'OPEN')) return 'duplicate'
    if (blocks.isForgotten(blockNumber)) return 'duplicate'
    const known = blocks.at(blockNumber)
    if (!known) return tell(`block ${blockNumber} lies before the first block here`)
    if (known.hash !== blockHash)
      return blocks.ask(blockNumber, `block ${blockNumber} is ${known.hash} here, ${blockHash} there`)
    if (kind === 'CLOSE' && state !== 'OPEN') return withoutRelease(blocks, tick)
    book.record(tick)
    questions.answered(tick)
    // Ticks of blocks that are not kept are not accepted, so nothing of epochs that closed before them can come again.
    if (kind === 'CLOSE') book.forgetClosedBefore(blocks.newest()!.number - headsKept)
    return 'accepted'
  }

  return {
    /** Undefined before the first block. */
    newest: (): number | undefined => blocks.newest()?.number,
    /** The block that a HEAD is awaited for; undefined before the first. */
    nextBlock: (): number | undefined => {
      const newest = blocks.newest()
      return newest && newest.number + 1
    },

    /** True when the blocks before a tick's block are not here yet, or, unless the tick is a HEAD, that block itself is not. */
    isAhead({ kind, blockNumber }: EpochTick): boolean {
      const newest = blocks.newest()
      return newest !== undefined && blockNumber > newest.number + (kind === 'HEAD' ? 1 : 0)
    },

    /** Takes the tick if it fits; changes nothing if it does not. */
    offer(tick: EpochTick): TickAnswer {
      if (tick.kind === 'HEAD') return offerHead(tick)
      return tick.kind === 'ORPHAN' ? offerOrphan(tick) : offerEpoch(tick)
    },

    /** False when it was told before. */
    isNewProblem: (tick: EpochTick, problem: TickProblem): boolean =>
      isQuestion(problem) ? questions.isNewQuestion(tick) : questions.isNewWord(tick),
  }
}

const isQuestion = ({ fromBlock, toBlock }: TickProblem): boolean => fromBlock <= toBlock
/** A problem that asks for nothing. */
export const tell = (text: string): TickProblem => ({ text, fromBlock: 0, toBlock: -1 })

/** A CLOSE whose OPEN is not here: it is asked for as long as the block of its release is known. */
function withoutRelease(blocks: Blocks, { dataMarket, epochId, releaseBlock, blockNumber }: EpochTick): TickProblem {
  const text = `epoch ${epochId} of ${dataMarket} is not open`
  if (blocks.at(releaseBlock)) return blocks.ask(Math.min(releaseBlock, blockNumber), text)
  return tell(`${text}, and its release in block ${releaseBlock} lies before the first block here`)
}

type Blocks = ReturnType<typeof createBlocks>

/** The newest blocks, each under its number. */
function createBlocks(heads: KeyValueStore<StoredHead>, headsKept: number) {
  const newest = (): StoredHead | undefined => heads.get(HEAD_KEY)
  const at = (number: number): StoredHead | undefined => heads.get(`${number}`)

  const ask = (fromBlock: number, text: string): TickProblem => ({
    text,
    fromBlock,
    toBlock: Math.max(fromBlock, newest()?.number ?? fromBlock),
  })

  const append = ({ blockNumber: number, blockHash: hash, blockTimestamp: timestamp }: EpochTick): TickAnswer => {
    const block = { number, hash, canonical: true, timestamp, forks: 0 }
    heads.put(HEAD_KEY, block)
    heads.put(`${number}`, block)
    heads.delete(`${number - headsKept}`)
    return 'accepted'
  }

  return {
    newest,
    at,
    ask,
    /** True of blocks that were here, and are too old to be kept. */
    isForgotten: (number: number): boolean => number <= (newest()?.number ?? number) - headsKept,

    offer(tick: EpochTick): TickAnswer {
      const last = newest()
      const { blockNumber, blockHash, parentHash } = tick
      if (!last) return append(tick)
      if (blockNumber <= last.number) {
        const known = at(blockNumber)
        if (!known || known.hash === blockHash) return 'duplicate' // or older than what is kept
        return ask(blockNumber, `the block is ${known.hash} here, ${blockHash} there, and no ORPHAN came between`)
      }
      if (last.hash !== UNKNOWN_HASH && parentHash !== last.hash)
        return ask(last.number, `its parent is ${parentHash}, block ${last.number} is ${last.hash}`)
      return append(tick)
    },

    rollBackTo(number: number): void {
      for (let gone = newest()!.number; gone > number; gone--) heads.delete(`${gone}`)
      heads.put(HEAD_KEY, at(number) ?? { number, hash: UNKNOWN_HASH, canonical: true, timestamp: NO_TIME, forks: 0 })
    },
  }
}

/** The state of each epoch. */
function createEpochBook(epochs: KeyValueStore<EpochWindow>) {
  return {
    stateOf: (dataMarket: string, epochId: number): EpochWindow['state'] | undefined =>
      epochs.get(epochScope(dataMarket, epochId))?.state,

    record({ kind, dataMarket, epochId, releaseBlock, blockNumber, day }: EpochTick): void {
      const [state, closeBlock] = kind === 'CLOSE' ? (['CLOSED', blockNumber] as const) : (['OPEN', 0] as const)
      epochs.put(epochScope(dataMarket, epochId), { dataMarket, epochId, day, state, releaseBlock, closeBlock })
    },

    awaitReleasesFrom(blockNumber: number): void {
      for (const [scope, epoch] of [...epochs.entries()])
        if (epoch.state === 'OPEN' && epoch.releaseBlock >= blockNumber)
          epochs.put(scope, { ...epoch, state: 'AWAITED' })
    },

    forgetClosedBefore(blockNumber: number): void {
      for (const [scope, { state, closeBlock }] of [...epochs.entries()])
        if (state === 'CLOSED' && closeBlock < blockNumber) epochs.delete(scope)
    },
  }
}
