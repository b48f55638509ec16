/**
 * The cost of a batch's transaction, from the byte lengths of its texts: an upper bound, since a batch that was cut too large
 * cannot be anchored at all. Source: `submitSubmissionBatch` of protocol-contracts through both of its proxies, measured over a
 * grid of lengths (test/vectors/batch-gas.json, bench/batch-gas.ts), for projects that the contract has not seen before. On a
 * chain that adds gas of its own for data, `batchGasMax` has to leave room for it.
 */

export interface BatchCost {
  readonly gas: number
  /** Bytes of the call's data. */
  readonly calldata: number
}

/** The transaction itself, both proxies, the batch CID with the list of the epoch's batches, root and events. */
const GAS_BASE = 205_000
/** Time, status, first and last epoch of a project, its place in the batch's list, and the loop. */
const GAS_PER_PROJECT = 79_000
/** A word of text: 22,100 to store it; the rest for its calldata, and for copying and hashing it. */
const GAS_PER_ID_WORD = 24_600
const GAS_PER_CID_WORD = 24_000
/** Memory costs by the square: this many bytes of calldata squared, for one gas. */
const SQUARE_BYTES_PER_GAS = 50_000

const WORD = 32
/** Selector, six words for the arguments, the batch CID (up to 64 bytes) with its length, and the lengths of both lists. */
const CALLDATA_BASE = 4 + 6 * WORD + 3 * WORD + 2 * WORD
/** Offset and length of both texts. */
const CALLDATA_PER_PROJECT = 4 * WORD

const wordsOf = (bytes: number): number => Math.ceil(bytes / WORD)
/** Solidity keeps up to 31 bytes with their length in one word, and longer ones behind a word for the length. */
const storedWords = (bytes: number): number => (bytes < WORD ? 1 : 1 + wordsOf(bytes))

/** The share of a project in the transaction of a batch. */
export const costOfProject = (idBytes: number, cidBytes: number): BatchCost => ({
  gas: GAS_PER_PROJECT + storedWords(idBytes) * GAS_PER_ID_WORD + storedWords(cidBytes) * GAS_PER_CID_WORD,
  calldata: CALLDATA_PER_PROJECT + WORD * (wordsOf(idBytes) + wordsOf(cidBytes)),
})

/** The transaction whose projects add this together. */
export function costOfBatch(projects: BatchCost): BatchCost {
  const calldata = CALLDATA_BASE + projects.calldata
  return { gas: GAS_BASE + projects.gas + Math.ceil(calldata ** 2 / SQUARE_BYTES_PER_GAS), calldata }
}

export const addCosts = (a: BatchCost, b: BatchCost): BatchCost => ({
  gas: a.gas + b.gas,
  calldata: a.calldata + b.calldata,
})

/** The part of a market's rules that bounds the cost. */
export interface CostRules {
  readonly batchGasMax: number
  readonly batchCalldataMax: number
}

/** @param projects their sum */
export function isTooCostly(projects: BatchCost, { batchGasMax, batchCalldataMax }: CostRules): boolean {
  const { gas, calldata } = costOfBatch(projects)
  return gas > batchGasMax || calldata > batchCalldataMax
}
