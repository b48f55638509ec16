/** One reading, on one node after the other; a node that takes long is overtaken by the next. */

import type { Clock } from '../../../streams/ports.ts'
import { within } from '../../../streams/within.ts'
import { EvmError } from '../errors.ts'

export interface Course {
  readonly clock: Clock
  /** So long a node is waited for while another one could be asked. */
  readonly slowMs: number
  /** Whether a node is asked because the one before it is slow; one that is not is asked when all others have failed. */
  mayOvertake(node: number): boolean
  /** A reading on the node has failed. */
  failed(node: number): void
  /** A reading that began later, on another node, was done first. */
  overtaken(node: number): void
  /** A reading was not done in time, and there is no other node to ask. */
  slow(node: number): void
}

type Done<T> = { readonly node: number } & ({ readonly value: T } | { readonly cause: unknown })

/**
 * Each node is asked once, in this order: the next one when all before it have failed, or when the newest has taken `slowMs`. The
 * first that is done is taken; what the others say then is nobody's concern. Whatever is thrown that is no EvmError is passed
 * on. Rejects with the EvmError of the last node; with one that is final only when every node gives such a one.
 */
export async function firstDone<T>(
  nodes: readonly number[],
  readAt: (node: number) => Promise<T>,
  course: Course,
): Promise<{ readonly value: T; readonly node: number }> {
  const running = new Map<number, Promise<Done<T>>>()
  let failure: EvmError | undefined
  for (const [i, node] of nodes.entries()) {
    running.set(
      node,
      readAt(node).then(
        (value) => ({ node, value }),
        (cause: unknown) => ({ node, cause }),
      ),
    )
    const next = nodes[i + 1]
    const isHurried = next !== undefined && course.mayOvertake(next)
    let isTimed = true
    while (running.size > 0) {
      const done = await firstOf([...running.values()], isTimed ? course : undefined)
      if (done === undefined && isHurried) break
      if (done === undefined) {
        isTimed = false
        for (const slow of running.keys()) course.slow(slow)
        continue
      }
      running.delete(done.node)
      if ('value' in done) {
        for (const other of running.keys()) if (nodes.indexOf(other) < nodes.indexOf(done.node)) course.overtaken(other)
        return done
      }
      if (!(done.cause instanceof EvmError)) throw done.cause
      course.failed(done.node)
      if (failure === undefined || !failure.retriable || done.cause.retriable) failure = done.cause
    }
  }
  throw failure
}

/** @returns undefined when none was done in time */
async function firstOf<T>(
  running: readonly Promise<Done<T>>[],
  limit: Pick<Course, 'clock' | 'slowMs'> | undefined,
): Promise<Done<T> | undefined> {
  if (!limit) return Promise.race(running)
  return within(Promise.race(running), { clock: limit.clock, ms: limit.slowMs }, () => undefined)
}
