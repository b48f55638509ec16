/** The consequence of a refusal by all nodes: words choose the advice, facts the action. */

import type { AnchorIntent } from '../../../schemas/types.ts'
import { doubling } from '../../../streams/back-off.ts'
import { agreedBalance, agreedRefusal } from '../agreed-readings.ts'
import { EvmError } from '../errors.ts'
import type { Ask } from '../nodes/ask.ts'
import { isUnanswered } from '../nodes/json-rpc.ts'
import { inputOf, pendingNonceOf } from '../nodes/node-answers.ts'
import type { Rpc } from '../nodes/rpc.ts'
import { type ContractCall, dryRun, type Head, hashOf } from './anchor-chain.ts'

/** A closed set, since it is a label of a metric and of alerts. Those that the facts show come first. */
export const REFUSAL_REASONS = [
  'role',
  'market-disabled',
  'reverts',
  'gas-limit',
  'balance',
  'fee',
  'fee-cap',
  'pool',
  'known',
  'nonce',
  'type',
  'size',
  'chain',
  'busy',
  'unreachable',
  'other',
] as const
export type RefusalReason = (typeof REFUSAL_REASONS)[number]

/** First that fits. The words of Geth, Nitro, Nethermind, Erigon, Besu, Reth, Parity and providers; a test has them. */
const WORDS: readonly (readonly [RefusalReason, RegExp])[] = [
  ['known', /already.{0,9}(known|import|exist|in (the )?mempool)|known transaction|existing tx|tx already|same hash/i],
  [
    'balance',
    /insufficient.?(funds|balance)|not enough (funds|balance)|(exceeds|exceed) (the )?(account )?balance|out of balance|overshot/i,
  ],
  ['fee-cap', /configured cap|fee.?cap exceeded|exceeds? .{0,40}\bfee cap|fee too high|rpc.?tx.?fee.?cap/i],
  [
    'fee',
    /underpriced|fee.?too.?low|price.?too.?low|gas price .{0,80}(below|too low|minimum)|less than .{0,9}(block )?base ?fee|below .{0,20}base ?fee|fee cap less|fee cap cannot be lower|replac\w*.{0,30}(low|under|not ?allowed)|fee per gas .{0,20}too low|same nonce/i,
  ],
  [
    'pool',
    /pool.{0,6}(is )?(full|overflow|limit)|queue.{0,9}full|too many transactions|limit reached|account.{0,9}limit|in-flight transaction limit|pool.{0,9}(disabled|closed|not enabled)/i,
  ],
  ['nonce', /nonce/i],
  ['gas-limit', /gas.{0,40}(limit|exceed|too (high|low|big))|exceeds .{0,9}block gas|gas uint64/i],
  ['size', /oversized|too (big|large)|size.{0,20}(exceed|limit)|payload|max initcode/i],
  [
    'type',
    /(transaction|tx|envelope).{0,4}type|type .{0,20}not (supported|allowed|enabled)|eip-?1559|not eip|typed transaction/i,
  ],
  ['chain', /chain.?id|replay.?protect|invalid signer|invalid (tx )?signature|invalid sender/i],
  ['reverts', /revert/i],
  [
    'busy',
    /too many requests|rate.{0,3}limit|capacity|try again|temporar|indexing|syncing|not ready|unavailable|overloaded/i,
  ],
]

/** Length of the words of all nodes together. */
const WORDS_CHARACTERS_MAX = 500

/** The result of a broadcast that no node took. */
export interface Refused {
  readonly words: string
  /** No node has said anything: it came through to none, or the answer did not come back. */
  readonly unanswered: boolean
}

export interface Refusal extends Refused {
  readonly reason: RefusalReason
  readonly facts: Facts
}

/** The known facts beside the words; undefined where no node says. */
interface Facts {
  /** The code with which the contract refuses the call in the newest block. */
  readonly revert: string | undefined
  readonly balance: bigint | undefined
  readonly cost: bigint
}

/** To every node at once: undefined as soon as one took it, else what they all say, whatever that is. */
export async function broadcast(rpc: Pick<Rpc, 'each'>, raw: string): Promise<Refused | undefined> {
  const hash = hashOf(raw)
  const send = rpc.each(async (ask) => {
    const answer = await ask('eth_sendRawTransaction', [raw])
    if (String(answer).toLowerCase() === hash) return
    throw new EvmError('RPC_ERROR', `answered with ${JSON.stringify(answer ?? null).slice(0, 80)}`, { retriable: true })
  })
  try {
    await Promise.any(send)
    return undefined
  } catch (error) {
    const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error]
    const words = errors.map((one) => (one instanceof Error ? one.message : String(one)))
    const unanswered = errors.every((one) => one instanceof EvmError && isUnanswered(one))
    return { words: [...new Set(words)].join('; ').slice(0, WORDS_CHARACTERS_MAX), unanswered }
  }
}

/**
 * Looks at what may be behind a refusal. Never fails: a fact that cannot be had, or on which too few nodes agree, is not known.
 * It gives a nonce away, so it is no single node's word.
 */
export async function examine(
  rpc: Pick<Rpc, 'agreeing'>,
  intent: AnchorIntent,
  call: ContractCall,
  head: Head,
  refused: Refused,
): Promise<Refusal> {
  const { signer, gasLimit, maxFeePerGas } = intent
  const isFiller = intent.call === 'FILL'
  // as of the block of the look: in a later one it may be mined, and the call refused for that
  const run = (ask: Ask) => dryRun(ask, signer, call, head.number)
  const dry = isFiller ? undefined : agreedRefusal(rpc, run).catch(notKnown)
  const [revert, balance] = await Promise.all([dry, agreedBalance(rpc, signer).catch(notKnown)])
  const facts = { revert, balance, cost: BigInt(gasLimit) * BigInt(maxFeePerGas) }
  return { ...refused, reason: reasonOf(facts, intent, head, refused), facts }
}

const notKnown = (): undefined => undefined

function reasonOf(facts: Facts, intent: AnchorIntent, head: Head, { words, unanswered }: Refused): RefusalReason {
  if (facts.revert === 'E04') return 'role'
  if (facts.revert === 'E02') return 'market-disabled'
  if (facts.revert !== undefined) return 'reverts'
  if (intent.gasLimit > head.gasLimit) return 'gas-limit'
  if (cannotPay(facts)) return 'balance'
  const byWords = reasonInWords(words)
  if (byWords !== 'known' && BigInt(intent.maxFeePerGas) < (head.baseFeePerGas ?? 0n)) return 'fee'
  return unanswered && byWords === 'other' ? 'unreachable' : byWords
}

export function reasonInWords(words: string): RefusalReason {
  const found = WORDS.find(([, pattern]) => pattern.test(words))
  if (found) return found[0]
  return /no answer within|ECONN|ENOTFOUND|socket|timeout|timed out|network/i.test(words) ? 'unreachable' : 'other'
}

export const cannotPay = ({ balance, cost }: Facts): boolean => balance !== undefined && balance < cost

/** Until the next broadcast, ms, after so many refusals in a row: soon at first, in whatever words, since they may be wrong. */
export function pauseAfter(
  refusals: number,
  { backoffMs, rebroadcastMs }: { readonly backoffMs: number; readonly rebroadcastMs: number },
): number {
  return doubling({ firstMs: backoffMs, mostMs: rebroadcastMs })(refusals)
}

/**
 * Whether a node has the transaction, or another one of the signer with this nonce, in its pool. A node that does not say counts
 * as having none.
 */
export async function isHeld(
  rpc: Pick<Rpc, 'each'>,
  { signer, nonce, rawTransactions }: AnchorIntent,
): Promise<boolean> {
  const hash = hashOf(rawTransactions.at(-1)!)
  const counts = rpc.each(async (ask) => (await pendingNonceOf(ask, signer)) > nonce)
  const known = rpc.each(async (ask) => (await inputOf(ask, hash)) !== undefined)
  const answers = await Promise.allSettled([...counts, ...known])
  return answers.some((answer) => answer.status === 'fulfilled' && answer.value)
}
