import { setTimeout } from 'node:timers/promises'
import type { Log, TopicPartition } from '../../../streams/ports.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'

/** A minute: brokers abort what a dead writer left open after 20 s. */
const VISIBLE_TRIES_MAX = 300
const VISIBLE_PAUSE_MS = 200
const PARTITIONS_NAMED = 5

/**
 * Until what is written by now is committed or not; a transaction whose writer died holds readers back for a while.
 * @throws CliError told of transactions that stay open: an audit of the rest would call everything behind them missing
 */
export async function untilVisible(
  log: Log,
  partitions: readonly TopicPartition[],
  pauseMs = VISIBLE_PAUSE_MS,
): Promise<void> {
  const ends = await log.ends(partitions)
  for (let tries = 1; ; tries++) {
    const bounds = await log.bounds(partitions)
    const open = partitions.flatMap(({ topic, partition }, at) =>
      bounds[at]!.stable < ends[at]!
        ? [`${topic}[${partition}], readable to ${bounds[at]!.stable} of ${ends[at]}`]
        : [],
    )
    if (open.length === 0) return
    if (tries === VISIBLE_TRIES_MAX) throw staysOpen(open)
    await setTimeout(pauseMs)
  }
}

function staysOpen(open: readonly string[]): CliError {
  const more = open.length > PARTITIONS_NAMED ? [`       and ${open.length - PARTITIONS_NAMED} more partitions`] : []
  return new CliError(
    [
      'a transaction stays open on the log, and what lies behind it cannot be read:',
      ...open.slice(0, PARTITIONS_NAMED).map((one) => `       ${one}`),
      ...more,
    ],
    'Nothing was compared. `sequencer doctor` names the transaction and how to end it; audit again when it has ended.',
    EXIT.unavailable,
  )
}
