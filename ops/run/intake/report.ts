/** Tells in the log who sends most to this intake and whom it bans, for `sequencer peers list` and the console. */
import type { IntakeGauges } from '../../../connectors/libp2p/gauges.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import type { IntakeReport } from '../../../schemas/types.ts'
import type { Log } from '../../../streams/ports.ts'
import type { Topics } from '../../../topology/topics.ts'
import type { Closeable } from '../../base/lifecycle.ts'

const EVERY_MS = 10_000

export interface Reporting extends Closeable {
  /** The state that the next report tells. */
  tell(now: IntakeGauges): void
}

export function startReporting(log: Log, { intakeReports }: Topics, instanceId: string): Reporting {
  const stop = new AbortController()
  const { signal } = stop
  let newest: IntakeGauges | undefined
  const key = intakeReports.key.encode({ instanceId })
  const write = async (gauges: IntakeGauges): Promise<void> => {
    const at = systemClock.now()
    const appender = await log.appender()
    try {
      const value = intakeReports.value.encode(reportOf(gauges, at))
      await appender.append([{ topic: intakeReports.name, partition: 0, timestamp: at, key, value }])
    } finally {
      await appender.close()
    }
  }
  const writing = (async () => {
    while (!signal.aborted) {
      await systemClock.sleep(EVERY_MS, signal)
      if (newest && !signal.aborted) await write(newest).catch(() => {}) // the next one says the same and more
      newest = undefined
    }
  })()
  return {
    tell(now) {
      newest = now
    },
    async close() {
      stop.abort()
      await writing
    },
  }
}

const reportOf = ({ connections, behind, talkers, bans }: IntakeGauges, at: number): IntakeReport => ({
  at,
  connections,
  behind: behind ?? null,
  talkers: [...talkers],
  bans: bans.map(({ subject, untilMs, reason }) => ({ subject, until: Math.round(untilMs), reason })),
})
