/**
 * The blocks whose ticks are sent again. Everybody with rights to the topic may write a request, so each is held against the chain,
 * and an answer has a bound whatever is asked.
 */
import type { TickRequest } from '../../../schemas/types.ts'

/** Blocks of one answer. A longer request gets its first ones, and who needs more asks again; further requests wait for the next answer. */
export const ANSWER_BLOCKS_MAX = 10_000

/** A request, and its place in the topic. */
export interface AskedTicks {
  readonly offset: number
  readonly request: TickRequest
}

/** Requests that have not been answered, in order, and the offset behind them. */
export interface TickRequests {
  readonly asked: readonly AskedTicks[]
  readonly next: number
}

export interface TickRequestObserver {
  /** So many ticks were written once more, since they were asked for. */
  resent?(ticks: number): void
  /** A request was answered. @param leftOut why nothing is sent for it; it may ask for no blocks, and only tell what tick-fanout refused */
  ticksAsked?(request: TickRequest, leftOut?: string): void
}

export interface TickAnswerPlan {
  readonly blocks: ReadonlySet<number>
  /** Each request that is dealt with: its ticks are sent, or it is left out for a reason. */
  readonly told: readonly { readonly request: TickRequest; readonly leftOut?: string }[]
  /** Offset behind the requests that this answers. */
  readonly next: number
}

/** @param newest block that has ticks */
export function planAnswer({ asked, next }: TickRequests, newest: number | undefined): TickAnswerPlan {
  const blocks = new Set<number>()
  const told: TickAnswerPlan['told'][number][] = []
  for (const { offset, request } of asked) {
    const leftOut = whyLeftOut(request, newest)
    if (leftOut !== undefined) {
      told.push({ request, leftOut })
      continue
    }
    const last = Math.min(request.toBlock, newest!, request.fromBlock + ANSWER_BLOCKS_MAX - 1)
    const more: number[] = []
    for (let block = request.fromBlock; block <= last; block++) if (!blocks.has(block)) more.push(block)
    if (blocks.size > 0 && blocks.size + more.length > ANSWER_BLOCKS_MAX) return { blocks, told, next: offset }
    for (const block of more) blocks.add(block)
    told.push({ request })
  }
  return { blocks, told, next }
}

/** Undefined when there may be ticks to send. */
function whyLeftOut({ fromBlock, toBlock }: TickRequest, newest: number | undefined): string | undefined {
  if (toBlock < fromBlock) return 'it asks for no blocks'
  if (fromBlock < 0) return `there is no block ${fromBlock}`
  if (newest === undefined || fromBlock > newest) return `block ${fromBlock} has no ticks yet, the newest is ${newest}`
  return undefined
}
