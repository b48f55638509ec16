/** The order in which nodes are asked. A node that fails, or says what it should not, is set aside for a while. */
import { doubling } from '../../../streams/back-off.ts'
import type { EvmError } from '../errors.ts'

/**
 * `down`: it does not answer. `odd`: it answers with something else than was asked for, or otherwise than the nodes that
 * agree. `wrong-chain`: it serves another chain. `slow`: another one, asked later, was done first, or there is no other one to ask.
 */
export const NODE_FAULTS = ['down', 'odd', 'wrong-chain', 'slow'] as const
export type NodeFault = (typeof NODE_FAULTS)[number]

export interface NodeState {
  /** Undefined while it is asked like every other. */
  readonly fault: NodeFault | undefined
  /** The fault, in words; empty without a fault. */
  readonly reason: string
  readonly asideMs: number
}

/** Length of consecutive pauses. */
const pauseMs = doubling({ firstMs: 1_000, mostMs: 300_000 })
/** Length of the reason that is told of a node. */
const REASON_MAX = 400

const FAULT_OF: Partial<Record<EvmError['code'], NodeFault>> = {
  UNREACHABLE: 'down',
  BAD_ANSWER: 'odd',
  ANSWER_TOO_LONG: 'odd',
  WRONG_CHAIN: 'wrong-chain',
}

const WELL: NodeState = { fault: undefined, reason: '', asideMs: 0 }

export interface NodeStates {
  /** All of them from the preferred one on; those set aside come last, and are asked only when no other is left. */
  order(now: number): readonly number[]
  /** Whether it is asked like every other. */
  isFree(node: number, now: number): boolean
  /** The pause of the node is over, and the node answered as it should, if perhaps slowly. */
  answered(node: number, now: number, isSlow: boolean): void
  /** Takes what a reading failed for: not every failure is a fault of the node. */
  failed(node: number, error: EvmError, now: number): void
  setAside(node: number, fault: NodeFault, reason: string, now: number): void
  /** The node is slow, and asked all the same for want of another; told once, until it answers in time. */
  slow(node: number, reason: string, now: number): void
  /** Prefers the node after this one. */
  passOver(node: number): void
  readonly preferred: number
}

export function createNodeStates(
  count: number,
  changed: (node: number, state: NodeState) => void = () => undefined,
): NodeStates {
  const states = Array.from({ length: count }, () => ({ state: WELL, until: 0, pauses: 0 }))
  let preferred = 0
  const isFree = (node: number, now: number): boolean => states[node]!.until <= now

  const setAside = (node: number, fault: NodeFault, reason: string, now: number): void => {
    const { state, until, pauses: before } = states[node]!
    if (until > now && state.fault === fault) return // asked in its pause for want of another
    // A pause grows only on one that ended no longer ago than it took.
    const goesOn = state.asideMs > 0 && now - until <= state.asideMs
    const pauses = goesOn ? before + 1 : 1
    const asideMs = pauseMs(pauses)
    states[node] = { state: { fault, reason: reason.slice(0, REASON_MAX), asideMs }, until: now + asideMs, pauses }
    changed(node, states[node]!.state)
  }

  return {
    get preferred() {
      return preferred
    },
    order(now) {
      const all = Array.from({ length: count }, (_, i) => (preferred + i) % count)
      const aside = all.filter((node) => !isFree(node, now)).sort((a, b) => states[a]!.until - states[b]!.until)
      return [...all.filter((node) => isFree(node, now)), ...aside]
    },
    isFree,
    answered(node, now, isSlow) {
      const { state, until } = states[node]!
      if (state.fault === undefined || until > now || (isSlow && state.fault === 'slow')) return
      states[node]!.state = { ...WELL, asideMs: state.asideMs } // remembered, in case it goes on as before
      changed(node, WELL)
    },
    failed(node, error, now) {
      const fault = FAULT_OF[error.code]
      if (fault) setAside(node, fault, error.message, now)
    },
    setAside,
    slow(node, reason, now) {
      if (states[node]!.state.fault === undefined) setAside(node, 'slow', reason, now)
    },
    passOver(node) {
      preferred = (node + 1) % count
    },
  }
}
