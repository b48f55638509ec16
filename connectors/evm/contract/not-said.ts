/**
 * Goes on where a contract does not say what is read. Owners may put another contract behind an address: one that refuses a
 * read, has no such function, or answers with something else. As of its blocks that stays so, also when it is mended later, and
 * nobody must wait for it for ever.
 */
import { EvmError } from '../errors.ts'
import type { Ask } from '../nodes/ask.ts'
import { type StateAt, Unreadable } from './chain-reader.ts'
import { isRevert } from './market-check.ts'

/** Steps in a row in which a read must be refused, since the fault may be the node's. With growing pauses between, it takes seconds. */
export const STEPS_MAX = 4

/** The contract refuses the read, or what it gives is none of what was read. */
export const isUnreadable = (error: unknown): error is EvmError => isRevert(error) || error instanceof Unreadable

/** A read, with its market: there are a few for each market served. And as of which block, or of which epoch. */
export interface Subject {
  readonly what: string
  readonly of: string | number
}

/** The same read of different states. */
export const asOf = (what: string, at: StateAt): Subject => ({ what, of: at === 'latest' ? at : at.blockHash })

interface Failures {
  /** The newest that failed. */
  readonly step: number
  /** In a row. */
  readonly steps: number
}

/** The memory of one node, since what it says is not to be taken for what others say. */
interface NodeMemory {
  readonly failed: Map<string, Failures>
  /** Reads that are taken for not said, since each was last readable. */
  readonly notSaid: Set<string>
}

/** The memory of one reader of the chain. A failure is remembered for a step, so it does not grow. */
export class NotSaid {
  private readonly nodes = new Map<Ask, NodeMemory>()
  private step = 0
  private readonly tell: (what: string, why: string) => void

  /** @param tell told of each node once, when a fact is taken for not said, and not again before it was readable */
  constructor(tell: (what: string, why: string) => void = () => undefined) {
    this.tell = tell
  }

  /** Another step begins: several reads of one and the same are one failure. */
  begin(): void {
    this.step++
    for (const { failed } of this.nodes.values())
      for (const [id, { step }] of failed) if (step < this.step - 1) failed.delete(id)
  }

  /**
   * Gives what is read; `instead` of it once the node has failed to give it in `STEPS_MAX` steps in a row, and for other blocks at once
   * until it gives it for one.
   * @throws EvmError `UNREADABLE` before that, and whatever else the reading throws
   */
  async or<T, N>(ask: Ask, { what, of }: Subject, read: () => Promise<T>, instead: () => N): Promise<T | N> {
    const { failed, notSaid } = this.memoryOf(ask)
    try {
      const value = await read()
      notSaid.delete(what)
      return value
    } catch (error) {
      if (!isUnreadable(error)) throw error
      if (notSaid.has(what)) return instead()
      const { message, endpoint } = error
      const id = `${what} ${of}`
      const { step, steps: before } = failed.get(id) ?? { step: -1, steps: 0 }
      const steps = before + (step === this.step ? 0 : 1)
      failed.set(id, { step: this.step, steps })
      if (steps < STEPS_MAX) throw new EvmError('UNREADABLE', message, { retriable: true, endpoint, cause: error })
      notSaid.add(what)
      if (before < STEPS_MAX) this.tell(what, message)
      return instead()
    }
  }

  private memoryOf(ask: Ask): NodeMemory {
    const known = this.nodes.get(ask)
    if (known) return known
    const memory = { failed: new Map<string, Failures>(), notSaid: new Set<string>() }
    this.nodes.set(ask, memory)
    return memory
  }
}
