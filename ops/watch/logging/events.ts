/** The events of the log, and the fields of each. docs/logging.md lists them; a test compares. */

import type { AnchorObserver } from '../../../connectors/evm/anchor-effects/anchor-options.ts'
import { isBatch, isNonceOnly, isPayout, payoutNumberOf } from '../../../schemas/anchor-keys.ts'
import type { Anchor, AnchorKey } from '../../../schemas/types.ts'
import type { RuntimeObserver } from '../../../streams/runtime-observer.ts'
import { type Health, NOT_STARTED, type RoleHealth } from '../../base/health.ts'
import type { Closeable } from '../../base/lifecycle.ts'
import { lostOf } from '../../reading/epoch-progress.ts'
import { secondsToAnchor } from '../../reading/progress.ts'
import type { FollowedEpoch, ProgressListener } from '../../reading/progress-listener.ts'
import type { EventLog } from './log.ts'

/** Event → what it means. */
export const LOG_EVENTS = {
  starting: 'the process begins; its roles',
  running: 'every part of it was started; where it is reached',
  stopping: 'it was told to end',
  note: 'a warning in words',
  'role-up': 'a role works, or stands by (role, detail)',
  'role-down': 'a role waits for something, a node for instance, or failed (role, detail)',
  'node-set-aside':
    'an EVM node is down, slow, answers oddly or serves another chain; tried again later (role, node, fault, reason, ms)',
  'node-back': 'it answers as it should again (role, node)',
  'nodes-disagree':
    'the node says otherwise than others (role, node, of; more: left out before it, as at most one in 10 s is written, and one of each subject until the state of the node changes)',
  'node-stands-still':
    'it has told of no new block for so long; the next node is asked. Normal on a chain without empty blocks (role, node, seconds)',
  'node-unread':
    'reading its answers failed in a way that was not thought of: report it (role, node, reason; more: as above)',
  'back-pressure': 'the intake reads nothing until the log catches up',
  'back-pressure-over': 'and it reads again',
  rebalanced: 'a stage of this process has these tasks from now on (stage, tasks, standbys)',
  restored: 'the state of a task was read back (stage, partition, records, ms)',
  'task-failed': 'a task stopped, and is opened again from the log (stage, partition, reason)',
  'task-refused':
    'the position does not belong to this log: a topic was made anew, or lost records. The task waits and passes over nothing (stage, partition, code, topic, reason)',
  'dead-letter':
    'a record is none of its topic, and a stage put it aside (topic, partition, offset, reason; `sequencer dead-letters list`)',
  'record-left-out':
    'the same for a reader that only leaves it out (reader, topic, partition, offset, reason; more: left out before it, as at most one in 10 s is written)',
  'clock-begins':
    'the log names no block to go on from: ticks begin with this one, so nothing of earlier blocks counts. Right at the first start of a deployment, and never again (block)',
  'records-gone':
    'the log begins behind what the clock goes on from: somebody has deleted rows of `slots` or `markets`, or ticks have expired (topic, from, start, consequence)',
  'epoch-released': 'the contract released an epoch (block)',
  'epochs-skipped': 'the market’s owner skipped epochs: the contract never released them (from, to, block)',
  'epoch-refused':
    'a release opens no epoch: a number of the contract is none that can be; its votes come to nothing (market, epoch, block, reason)',
  'ticks-asked':
    'tick-fanout asked the clock for the ticks of blocks once more, since one is missing or was refused (from, to, reason, leftOut: why none is sent; more: left out before it, as at most one in 10 s is written)',
  'tick-refused':
    'tick-fanout keeps a tick out for good: it cannot be true, or its epoch was released before the first block there, as after a reset (reason; more: as above)',
  'not-said':
    'the contract refuses a read of it, or answers with something else, as of a block: the clock goes on without. A release without its window opens no epoch; one without its day is in none (what, reason; once for each node until it can be read again)',
  'market-off': 'the market’s owner has switched it off: the contract releases no epoch until it is on again (market)',
  'market-on': 'and on again (market)',
  'epoch-closed': 'its window is over (block)',
  'epoch-summarised': 'its batches were cut (submissions, projects, withoutQuorum, batches)',
  'epoch-anchored': 'all its batches and the ending call are final (seconds after the release, verdicts by reason)',
  'batch-not-finalized':
    'the owner of the market forced its completion without a majority of validators; nothing is said against it',
  'epoch-missed':
    'it has ended, but a batch was late or has failed, or the ending call has (batches by number; -1: the ending call)',
  'epoch-without-batch':
    'it has ended, and there was no batch to anchor (outcome: NO_QUORUM, no project had a winner; EMPTY, no vote was there to count)',
  'chain-reorganised': 'blocks left the chain (block: the first of them)',
  'batch-stored': 'a batch is on IPFS (batch, cid)',
  'store-failing':
    'a store of batches does not take them; it is tried on (store, code, reason; at most one in 10 s of each store)',
  'store-works': 'it takes batches again (store)',
  'batches-missing': 'a check found that a store lacks batches; they are given to it (store, batches, held)',
  'batch-healed': 'a store was given a batch that it lacked (store, cid)',
  'batch-left-out':
    'a store lacks a batch and is not given it any more, since it lacks too many, or nobody has the bytes; a later check looks again (store, cid; more: left out before it, as at most one in 10 s is written)',
  'batch-sent': 'its transaction was sent (transaction, nonce)',
  'transaction-refused':
    'no node takes it, for another reason than before; it is followed, and sent again (nonce, reason, words)',
  'nonce-gap':
    'nobody has a transaction for the next nonce of the signer, and ours wait behind it: transactions to oneself fill a narrow gap, and nonces beyond a wide one are given back (signer, nonce, next: the first of ours)',
  'transaction-unmined':
    'it could be the next and is in no block for `anchor.stuckMs`; it is sent again (nonce, seconds, receipt, nextNonce, block: the newest, pool, lostBlock: it was in that one, which the node does not have any more)',
  'intent-refused':
    'it asks for what lies outside of the limits of this process, or for what nothing can be done about: nothing is signed or sent (offset: in `anchor-intents`, step, reason)',
  'call-refused': 'the contract refuses the call, in a dry run or in a block (code)',
  'batch-mined': 'it is in a block',
  'batch-final': 'and deep enough to stay',
  'batch-reorged': 'it was final or late, and its block left the chain: it is anchored again',
  'batch-late': 'the contract’s window was over: it kept nothing',
  'batch-failed': 'it cannot be anchored any more (reason)',
} as const

export type LogEvent = keyof typeof LOG_EVENTS
type Level = 'info' | 'warn' | 'error'

const LEVELS: Partial<Record<LogEvent, Level>> = {
  note: 'warn',
  'clock-begins': 'warn',
  'records-gone': 'error',
  'epochs-skipped': 'warn',
  'epoch-refused': 'error',
  'ticks-asked': 'warn',
  'tick-refused': 'warn',
  'not-said': 'error',
  'market-off': 'warn',
  'role-down': 'warn',
  'node-set-aside': 'warn',
  'nodes-disagree': 'warn',
  'node-stands-still': 'warn',
  'node-unread': 'error',
  'store-failing': 'warn',
  'batches-missing': 'warn',
  'batch-left-out': 'warn',
  'back-pressure': 'warn',
  'task-failed': 'warn',
  'task-refused': 'error',
  'dead-letter': 'warn',
  'record-left-out': 'warn',
  'chain-reorganised': 'warn',
  'transaction-refused': 'warn',
  'nonce-gap': 'warn',
  'transaction-unmined': 'warn',
  'intent-refused': 'error',
  'call-refused': 'warn',
  'batch-not-finalized': 'warn',
  'epoch-missed': 'error',
  'batch-reorged': 'error',
  'batch-late': 'error',
  'batch-failed': 'error',
}

export const say = (log: EventLog, event: LogEvent, fields: object = {}): void =>
  log[LEVELS[event] ?? 'info']({ event, ...fields })

const BATCH_EVENTS: Partial<Record<Anchor['state'], LogEvent>> = {
  STORED: 'batch-stored',
  SENT: 'batch-sent',
  MINED: 'batch-mined',
  FINAL: 'batch-final',
  REORGED: 'batch-reorged',
  LATE: 'batch-late',
  FAILED: 'batch-failed',
}

export function logEpochs(log: EventLog): ProgressListener {
  const of = ({ dataMarket: market, epochId: epoch }: FollowedEpoch) => ({ market, epoch })
  return {
    released(epoch) {
      const { dataMarket: market, epochId, skippedFrom: from } = epoch
      const { releaseBlock: block } = epoch.progress
      if (from > 0) say(log, 'epochs-skipped', { market, from, to: epochId - 1, block })
      say(log, 'epoch-released', { ...of(epoch), block })
    },
    closed: (epoch) => say(log, 'epoch-closed', { ...of(epoch), block: epoch.progress.closeBlock }),
    orphaned: (block) => say(log, 'chain-reorganised', { block }),
    summarised(epoch) {
      const { counted: submissions, projects, projectsWithoutQuorum: withoutQuorum, batches } = epoch.progress
      say(log, 'epoch-summarised', { ...of(epoch), submissions, projects, withoutQuorum, batches })
    },
    anchorChanged(epoch, batch, anchor, before) {
      const event = BATCH_EVENTS[anchor.state]
      // the call that ends the epoch has no batch; its end is the epoch's
      if (!isBatch({ batchIndex: batch }) || !event || anchor.state === before?.state) return
      say(log, event, { ...of(epoch), batch, ...anchorFields(anchor) })
    },
    anchored(epoch) {
      const verdicts = Object.fromEntries(epoch.reasons)
      say(log, 'epoch-anchored', { ...of(epoch), seconds: secondsToAnchor(epoch), verdicts })
    },
    endedWithoutBatch: (epoch, outcome) => say(log, 'epoch-without-batch', { ...of(epoch), outcome }),
    missed: (epoch) => say(log, 'epoch-missed', { ...of(epoch), batches: Object.fromEntries(lostOf(epoch.progress)) }),
  }
}

function anchorFields({ state, cid, nonce, transactionHash: transaction, blockNumber: block, error }: Anchor) {
  if (state === 'STORED') return { cid }
  if (state === 'SENT') return { cid, transaction, nonce }
  if (state === 'MINED' || state === 'FINAL') return { cid, transaction, block }
  return { cid, transaction, reason: error }
}

/** Adds what stops a transaction to what else is observed; of what goes on a line is written once. */
export function logAnchor(observer: AnchorObserver, log: EventLog): AnchorObserver {
  const of = (key: AnchorKey) => {
    const { dataMarket, epochId, batchIndex: batch } = key
    if (isNonceOnly(key)) return { signer: dataMarket, nonce: epochId }
    const about = { market: dataMarket, epoch: epochId }
    return isPayout(key) ? { ...about, payout: payoutNumberOf(key) } : { ...about, batch }
  }
  return {
    ...observer,
    transactionRefused(key, refused) {
      observer.transactionRefused?.(key, refused)
      const { isNew, reason, words, nonce } = refused
      if (isNew) say(log, 'transaction-refused', { ...of(key), nonce, reason, words })
    },
    transactionUnmined(key, unmined) {
      observer.transactionUnmined?.(key, unmined)
      const { nonce, ms, nextNonce, block, inPool, taken, lostBlock } = unmined
      const pool = inPool ? 'a node has it' : taken ? 'a node took it, and none has it' : 'no node has it'
      say(log, 'transaction-unmined', {
        ...of(key),
        ...{ nonce, seconds: Math.round(ms / 1_000), receipt: 'none', nextNonce, block, pool, lostBlock },
      })
    },
    intentRefused(key, refused) {
      observer.intentRefused?.(key, refused)
      const { offset, step, why: reason } = refused
      say(log, 'intent-refused', { ...of(key), offset, step, reason })
    },
    gapFound(nonce, signer, next) {
      observer.gapFound?.(nonce, signer, next)
      say(log, 'nonce-gap', { signer, nonce, next })
    },
    reverted(code, key) {
      observer.reverted?.(code, key)
      say(log, 'call-refused', { ...of(key), code })
    },
    notFinalized(key) {
      observer.notFinalized?.(key)
      say(log, 'batch-not-finalized', of(key))
    },
  }
}

/** Adds what an operator needs of it to what else is observed. */
export function logRuntime(observer: RuntimeObserver, log: EventLog): RuntimeObserver {
  return {
    ...observer,
    rebalanced(stage, owned, standbys) {
      observer.rebalanced?.(stage, owned, standbys)
      say(log, 'rebalanced', { stage, tasks: [...owned].sort(byNumber), standbys: [...standbys].sort(byNumber) })
    },
    restored(stage, partition, records, elapsedMs) {
      observer.restored?.(stage, partition, records, elapsedMs)
      say(log, 'restored', { stage, partition, records, ms: Math.round(elapsedMs) })
    },
    deadLettered(letter) {
      observer.deadLettered?.(letter)
      const { topic, partition, offset, reason } = letter
      say(log, 'dead-letter', { topic, partition, offset, reason })
    },
    taskRefused(stage, partition, cause) {
      observer.taskRefused?.(stage, partition, cause)
      const { code, topic, message: reason } = cause
      say(log, 'task-refused', { stage, partition, code, topic, reason })
    },
    taskFailed(stage, partition, error) {
      observer.taskFailed?.(stage, partition, error)
      say(log, 'task-failed', { stage, partition, reason: error instanceof Error ? error.message : String(error) })
    },
  }
}

const byNumber = (a: number, b: number): number => a - b

/** Neither up nor down: it was not yet tried. */
const isStarting = ({ ready, detail }: RoleHealth): boolean => !ready && detail === NOT_STARTED

const LOOK_MS = 500
const PRESSURE = 'back-pressure'

/** Says when a role becomes ready or no longer is, and when the intake stops reading. */
export function logRoles(health: Health, log: EventLog): Closeable {
  const before = new Map<string, RoleHealth>()
  const look = (): void => {
    for (const [role, state] of Object.entries(health.report().roles)) {
      const last = before.get(role)
      before.set(role, state)
      const changed = !last || isStarting(last) || last.ready !== state.ready
      if (changed && !isStarting(state)) say(log, state.ready ? 'role-up' : 'role-down', { role, detail: state.detail })
      const [was, is] = [last?.detail.startsWith(PRESSURE) ?? false, state.detail.startsWith(PRESSURE)]
      if (was !== is) say(log, is ? 'back-pressure' : 'back-pressure-over', { role })
    }
  }
  look()
  const timer = setInterval(look, LOOK_MS)
  return {
    async close() {
      clearInterval(timer)
    },
  }
}
