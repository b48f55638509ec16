/**
 * The refusals that were told to the clock already, each once. A tick that comes again is no news, whatever came in between: else
 * two refused ticks that the clock sends in every answer would be asked for without an end.
 */
import { NO_TIME } from '../../schemas/none.ts'
import type { EpochTick, StoredHead } from '../../schemas/types.ts'
import type { KeyValueStore } from '../../streams/store.ts'

/** Questions without an answer. Beyond it no more is asked: more of them than can be remembered would be a loop again. */
export const QUESTIONS_MAX = 64
/** Words that ask for nothing. The oldest gives way, since no answer to it can come. */
export const WORDS_MAX = 64

/** Longest text of a tick that is remembered: a hash is that long, an address shorter. */
const TEXT_MAX = 66

const QUESTIONS_KEY = 'questions'
const WORDS_KEY = 'words'

/** A refused tick: its block, and all that makes it that tick. */
type Told = readonly [blockNumber: number, id: string]

/** One row for each kind of memory, beside the blocks. */
export function createTickQuestions(rows: KeyValueStore<StoredHead>) {
  const read = (key: string): readonly Told[] => {
    const row = rows.get(key)
    return row ? JSON.parse(row.hash) : []
  }
  const write = (key: string, told: readonly Told[]): void => {
    if (told.length === 0) rows.delete(key)
    else rows.put(key, { number: 0, hash: JSON.stringify(told), canonical: false, timestamp: NO_TIME, forks: 0 })
  }
  const forget = (isOver: (told: Told) => boolean): void => {
    for (const key of [QUESTIONS_KEY, WORDS_KEY]) {
      const told = read(key)
      const left = told.filter((one) => !isOver(one))
      if (left.length < told.length) write(key, left)
    }
  }

  return {
    /** True once for each tick. */
    isNewQuestion(tick: EpochTick): boolean {
      const told = read(QUESTIONS_KEY)
      if (isAmong(told, tick) || told.length >= QUESTIONS_MAX) return false
      write(QUESTIONS_KEY, [...told, toldOf(tick)])
      return true
    },
    /** True once for each tick, as long as it is remembered. */
    isNewWord(tick: EpochTick): boolean {
      const told = read(WORDS_KEY)
      if (isAmong(told, tick)) return false
      write(WORDS_KEY, [...told, toldOf(tick)].slice(-WORDS_MAX))
      return true
    },

    /** The tick was accepted after all. */
    answered(tick: EpochTick): void {
      const [, id] = toldOf(tick)
      forget(([, other]) => other === id)
    },
    /** Ticks of blocks up to this one are not judged any more. */
    forgetUpTo: (blockNumber: number): void => forget(([block]) => block <= blockNumber),
    /** The blocks from this one on left the chain. */
    forgetFrom: (blockNumber: number): void => forget(([block]) => block >= blockNumber),
  }
}

const toldOf = ({ kind, blockNumber, blockHash, dataMarket, epochId }: EpochTick): Told => [
  blockNumber,
  `${kind} ${blockNumber} ${blockHash.slice(0, TEXT_MAX)} ${dataMarket.slice(0, TEXT_MAX)} ${epochId}`,
]

const isAmong = (told: readonly Told[], tick: EpochTick): boolean => {
  const [, id] = toldOf(tick)
  return told.some(([, other]) => other === id)
}
