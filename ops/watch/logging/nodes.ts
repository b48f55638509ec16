import type { RpcObserver } from '../../../connectors/evm/nodes/rpc.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import type { Clock } from '../../../streams/ports.ts'
import type { Role } from '../../base/roles.ts'
import { say } from './events.ts'
import type { EventLog } from './log.ts'

/** Between two lines of one event of a node: all of them are in the metrics. */
export const NODE_LINE_EVERY_MS = 10_000
/** Subjects of a node that are remembered as said: so many lines take 17 minutes. */
const SUBJECTS_MAX = 100
/** Enough of the stack to find the place. */
const REASON_MAX = 1_000

/** Says the observations about nodes in the log too. A node is its number in `chain.rpcUrls`, from 1. */
export function loggedNodes<O extends RpcObserver>(
  observer: O,
  log: EventLog,
  role: Role,
  clock: Pick<Clock, 'now'> = systemClock,
): O {
  const disagreements = createSeldom(clock)
  const unread = createSeldom(clock)
  return {
    ...observer,
    nodeChanged(endpoint, state) {
      observer.nodeChanged?.(endpoint, state)
      disagreements.renew(endpoint)
      unread.renew(endpoint)
      const { fault, reason, asideMs } = state
      const node = { role, node: endpoint + 1 }
      if (fault === undefined) say(log, 'node-back', node)
      else say(log, 'node-set-aside', { ...node, fault, reason, ms: asideMs })
    },
    disagreed(endpoint, what) {
      observer.disagreed?.(endpoint, what)
      const more = disagreements.take(endpoint, what)
      if (more !== undefined) say(log, 'nodes-disagree', { role, node: endpoint + 1, of: what, more })
    },
    stoodStill(endpoint, forMs) {
      observer.stoodStill?.(endpoint, forMs)
      say(log, 'node-stands-still', { role, node: endpoint + 1, seconds: Math.round(forMs / 1_000) })
    },
    unexpected(endpoint, error) {
      observer.unexpected?.(endpoint, error)
      const words = error instanceof Error ? (error.stack ?? error.message) : typeof error
      const reason = words.slice(0, REASON_MAX)
      const more = unread.take(endpoint, reason)
      if (more !== undefined) say(log, 'node-unread', { role, node: endpoint + 1, reason, more })
    },
  }
}

/** One line per node and subject until the state of the node changes, and no more than one in a while. */
function createSeldom(clock: Pick<Clock, 'now'>) {
  const nodes = new Map<number, { said: Set<string>; saidAt: number; more: number }>()
  return {
    /** Number of lines left out since the last one; undefined when this line is left out, too. */
    take(node: number, subject: string): number | undefined {
      const at = nodes.get(node) ?? { said: new Set<string>(), saidAt: Number.NEGATIVE_INFINITY, more: 0 }
      nodes.set(node, at)
      const now = clock.now()
      if (at.said.has(subject) || now - at.saidAt < NODE_LINE_EVERY_MS) {
        at.more++
        return undefined
      }
      if (at.said.size >= SUBJECTS_MAX) at.said.clear()
      at.said.add(subject)
      const { more } = at
      Object.assign(at, { saidAt: now, more: 0 })
      return more
    },
    renew: (node: number): void => nodes.get(node)?.said.clear(),
  }
}
