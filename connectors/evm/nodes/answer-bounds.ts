/** The bounds of an answer's cost, by the question. It is counted as it comes: parsing costs by items far more than by bytes. */
import { tooLong } from './rpc-values.ts'

export interface AnswerBounds {
  readonly bytes: number
  /** Values in lists and objects, and those themselves. */
  readonly items: number
}

/** Bounds of one number or hash, or a refusal in words. */
const WORD: AnswerBounds = { bytes: 64 * 2 ** 10, items: 256 }
/** With the hashes of some 60,000 transactions. */
const HEADER: AnswerBounds = { bytes: 4 * 2 ** 20, items: 65_536 }

/** Largest result of a read of the contract, in bytes; as JSON twice as many. */
export const CALL_BYTES_MAX = 8 * 2 ** 20

const BY_METHOD: Readonly<Record<string, AnswerBounds>> = {
  eth_blockNumber: WORD,
  eth_chainId: WORD,
  eth_estimateGas: WORD,
  eth_gasPrice: WORD,
  eth_getBalance: WORD,
  eth_getTransactionCount: WORD,
  eth_maxPriorityFeePerGas: WORD,
  eth_sendRawTransaction: WORD,
  eth_feeHistory: { bytes: 256 * 2 ** 10, items: 4_096 },
  eth_getBlockByHash: HEADER,
  eth_getBlockByNumber: HEADER,
  eth_getTransactionByHash: { bytes: 2 ** 20, items: 16_384 },
  // Some 10,000 logs; a receipt of ours has some hundred.
  eth_getTransactionReceipt: { bytes: 8 * 2 ** 20, items: 200_000 },
  eth_call: { bytes: 2 * CALL_BYTES_MAX + WORD.bytes, items: WORD.items },
  // Some 40,000 logs.
  eth_getLogs: { bytes: 24 * 2 ** 20, items: 800_000 },
}

const OTHER: AnswerBounds = { bytes: 2 ** 20, items: 16_384 }

/** Bounds of the answers to one request over HTTP. */
const TOGETHER: AnswerBounds = { bytes: 32 * 2 ** 20, items: 1_000_000 }

/** Lists in lists; the lists of a receipt in a batch are five deep. */
const DEPTH_MAX = 32

export const SMALLEST = WORD

/** Bounds of the answers to these methods in one list. `isCut`: each may be within its bounds, and all together not. */
export function boundsOf(methods: readonly string[]): AnswerBounds & { readonly isCut: boolean } {
  let [bytes, items] = [0, 0]
  for (const method of methods) {
    const one = BY_METHOD[method] ?? OTHER
    bytes += one.bytes
    items += one.items
  }
  const isCut = bytes > TOGETHER.bytes || items > TOGETHER.items
  return { bytes: Math.min(bytes, TOGETHER.bytes), items: Math.min(items, TOGETHER.items), isCut }
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c]
const OPENING = [0x5b, 0x7b] // [ {
const CLOSING = [0x5d, 0x7d]
const SPACES = [0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf] // with the mark of UTF-8

/** Counts the items of a JSON text, piece by piece. Text that is no JSON is not counted: it is not parsed far. */
export function createItemCount({ items: itemsMax }: AnswerBounds): (piece: Uint8Array) => void {
  let isJson: boolean | undefined
  let [isInText, isEscaped] = [false, false]
  let [depth, items] = [0, 0]
  return (piece) => {
    for (let at = 0; at < piece.length && isJson !== false; at++) {
      const byte = piece[at]!
      if (isInText) {
        if (isEscaped) isEscaped = false
        else if (byte === BACKSLASH) isEscaped = true
        else if (byte === QUOTE) isInText = false
      } else if (byte === QUOTE) isInText = true
      else if (byte === COMMA) items++
      else if (OPENING.includes(byte)) {
        items++
        depth++
        if (depth > DEPTH_MAX) throw tooLong(`an answer of more than ${DEPTH_MAX} lists in each other`)
      } else if (CLOSING.includes(byte)) depth--
      if (items > itemsMax) throw tooLong(`an answer of more than ${itemsMax} items`)
      isJson ??= SPACES.includes(byte) ? undefined : OPENING.includes(byte)
    }
  }
}
