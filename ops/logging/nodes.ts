import type { RpcObserver } from '../../connectors/evm/rpc.ts'
import type { Role } from '../roles.ts'
import { say } from './events.ts'
import type { EventLog } from './log.ts'

/** What is observed of nodes, said in the log too. A node is its number in `chain.rpcUrls`, from 1. */
export const loggedNodes = <O extends RpcObserver>(observer: O, log: EventLog, role: Role): O => ({
  ...observer,
  nodeChanged(endpoint, state) {
    observer.nodeChanged?.(endpoint, state)
    const { fault, reason, asideMs } = state
    const node = { role, node: endpoint + 1 }
    if (fault === undefined) say(log, 'node-back', node)
    else say(log, 'node-set-aside', { ...node, fault, reason, ms: asideMs })
  },
  disagreed(endpoint, what) {
    observer.disagreed?.(endpoint, what)
    say(log, 'nodes-disagree', { role, node: endpoint + 1, of: what })
  },
  unexpected(endpoint, error) {
    observer.unexpected?.(endpoint, error)
    const reason = error instanceof Error ? (error.stack ?? error.message) : typeof error
    say(log, 'node-unread', { role, node: endpoint + 1, reason: reason.slice(0, REASON_MAX) })
  },
})

/** Enough of the stack to find the place. */
const REASON_MAX = 1_000
