/** Whether enough nodes say the same (decision 0027). */
import { EvmError } from '../errors.ts'
import type { Ask } from './ask.ts'

/** A fact that several nodes must say alike. */
export interface Agreement<T> {
  /** In words, for messages: `block 12`. */
  readonly what: (value: T) => string
  /**
   * The same of another node, which rejects with `BLOCK_MISSING` when that one is only behind; the first reading itself when
   * absent.
   */
  readonly again?: (ask: Ask, value: T) => Promise<T>
  /** Equal texts are the same facts; undefined when there is nothing to agree on. */
  readonly textOf: (value: T) => string | undefined
}

/** The same of what is asked of all of them at once. */
export interface Said<T> {
  /** The text of the first that answers; undefined when none does. */
  readonly what: (value: T | undefined) => string
  readonly textOf: (value: T) => string
}

/** The words of the nodes that were asked. */
export interface Ballot {
  /** By node; the first is the node whose value is in question. */
  readonly texts: ReadonlyMap<number, string>
  /** Failures of nodes that could not say. */
  readonly silent: readonly EvmError[]
}

export interface Outcome {
  /** The text that enough nodes say, if there is one. */
  readonly agreed: string | undefined
  /** Nodes that say otherwise than that; without it all, when they differ. */
  readonly odd: readonly number[]
}

/** Asks other nodes, no more of them at a time than are still needed, until enough say the same as the first. */
export async function ballotOf(
  first: { readonly node: number; readonly text: string },
  others: readonly number[],
  needed: number,
  textOf: (node: number) => Promise<string>,
): Promise<Ballot> {
  const texts = new Map([[first.node, first.text]])
  const silent: EvmError[] = []
  const missing = (): number => needed - saying(texts, first.text).length
  for (let at = 0; at < others.length && missing() > 0; ) {
    const asked = others.slice(at, at + missing())
    at += asked.length
    const answers = await Promise.allSettled(asked.map(textOf))
    for (const [i, answer] of answers.entries()) {
      if (answer.status === 'fulfilled') texts.set(asked[i]!, answer.value)
      else if (answer.reason instanceof EvmError) silent.push(answer.reason)
      else throw answer.reason
    }
  }
  return { texts, silent }
}

export function outcomeOf({ texts }: Ballot, needed: number): Outcome {
  const different = [...new Set(texts.values())]
  const agreed = different.find((text) => saying(texts, text).length >= needed)
  const all = [...texts.keys()]
  if (agreed !== undefined) return { agreed, odd: all.filter((node) => texts.get(node) !== agreed) }
  return { agreed, odd: different.length > 1 ? all : [] }
}

/** Error for "no agreement yet"; trying again may succeed. */
export function noAgreement({ texts, silent }: Ballot, { odd }: Outcome, needed: number, what: string): EvmError {
  const others = silent.map(({ message }) => `; ${message}`).join('')
  const names = odd.map((node) => node + 1).join(', ')
  return odd.length > 0
    ? new EvmError(
        'DISAGREEMENT',
        `${needed} nodes must say the same of ${what}, and RPC endpoints ${names} differ${others}`,
        { retriable: true },
      )
    : new EvmError(
        'TOO_FEW_NODES',
        `${needed} nodes must say the same of ${what}, and only ${texts.size} can say${others}`,
        { retriable: true },
      )
}

const saying = (texts: ReadonlyMap<number, string>, text: string): readonly string[] =>
  [...texts.values()].filter((one) => one === text)
