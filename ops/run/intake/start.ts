/** The role intake: the libp2p host, and what it follows in the log to tell honest messages from others. */
import type { Ban } from '../../../connectors/libp2p/bans.ts'
import type { IntakeStats } from '../../../connectors/libp2p/gauges.ts'
import { type Intake, startIntake } from '../../../connectors/libp2p/intake.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { configOf } from '../../../streams/kafka-topic.ts'
import type { Topics } from '../../../topology/topics.ts'
import { type Closeable, Lifecycle } from '../../base/lifecycle.ts'
import { type FollowPorts, followTopic } from '../../reading/follow-topic.ts'
import { QUOTA_FACTOR } from '../../settings/intake-settings.ts'
import { intakeMetrics } from '../../watch/metrics/connectors.ts'
import { createSignerPool } from '../signers.ts'
import type { Part, Wiring } from '../wiring.ts'
import { createGuide } from './guide.ts'
import { validateLag } from './lag.ts'
import { startReporting } from './report.ts'

export async function startCollecting({ config, log, topics, metrics, health, leftOut, told }: Wiring): Promise<Part> {
  const { listen, peerKeyFile: keyFile, banned = [], limits = {}, quotaFactor = QUOTA_FACTOR } = config.intake
  const { slots, epochTicks, peerBans, intakeReports } = topics
  await log.createTopics([slots, epochTicks, peerBans, intakeReports].map(configOf))
  const following = {
    log,
    tell: leftOut.by('intake'),
    waiting: notFollowing(config.warn),
    anew: (topic: string) =>
      config.warn(
        `intake: ${topic} was made anew, or has lost records: it goes by what is there now, from its start on`,
      ),
  }
  const parts = new Lifecycle(config.warn)
  try {
    const signers = await parts.add('signers', createSignerPool(config.rules, config.workers))
    const guide = await parts.add(
      'guide',
      createGuide({ ...following, rules: config.rules, topics, signers, quotaFactor }),
    )
    const reporting = await parts.add('reports', startReporting(log, topics, config.instanceId))
    const measured = intakeMetrics(metrics, health, guide.blockAge)
    const intake = await parts.add(
      'intake',
      startIntake(
        {
          listen,
          keyFile,
          topics,
          banned,
          limits,
          observer: {
            ...measured,
            sampled(added, now) {
              measured.sampled?.(added, now)
              reporting.tell(now)
            },
            appended(records, bytes, waitedMs) {
              measured.appended?.(records, bytes, waitedMs)
              told.acknowledged.add(records)
            },
          },
        },
        { log, clock: systemClock, guide, lag: validateLag(log, topics, config.appId) },
      ),
    )
    await parts.add('bans', followBans(intake, peerBans, { ...following, clock: systemClock }))
    return {
      multiaddrs: intake.multiaddrs,
      async close() {
        await parts.close()
        for (const text of leftBehind(intake.stats())) config.warn(text)
      },
    }
  } catch (error) {
    await parts.close()
    throw error
  }
}

/** The intake goes on with what it knows, and says so, once for each topic until that is followed again. */
export function notFollowing(warn: (text: string) => void): (topic: string, reason: string | undefined) => void {
  const said = new Set<string>()
  return (topic, reason) => {
    if (reason === undefined) said.delete(topic)
    else if (!said.has(topic)) warn(`intake: it goes by ${topic} as it was: ${reason}`)
    if (reason !== undefined) said.add(topic)
  }
}

/** The messages that senders may have called success and that are not in the log. */
function leftBehind({ unappended, notParted, shed }: IntakeStats): readonly string[] {
  const cut = notParted + shed.parting
  return [
    ...(unappended > 0
      ? [`intake: the log did not take ${unappended} records in time; their senders believe them sent`]
      : []),
    ...(cut > 0 ? [`intake: ${cut} connections were cut while they still sent; what came last of them is lost`] : []),
  ]
}

/** The bans that the operator asks for with `sequencer peers ban` and `unban`. */
function followBans(intake: Intake, peerBans: Topics['peerBans'], ports: FollowPorts): Closeable {
  const bans = new Map<string, Ban>()
  let changed = false
  return followTopic(ports, peerBans, {
    apply({ subject }, ban) {
      changed = true
      if (ban?.banned)
        bans.set(subject, { subject, untilMs: ban.until || Number.POSITIVE_INFINITY, reason: ban.reason })
      else bans.delete(subject)
      if (ban?.banned === false) intake.liftBan(subject)
    },
    caughtUp() {
      if (changed) intake.orderBans([...bans.values()])
      changed = false
    },
    clear() {
      bans.clear()
      changed = true
    },
  })
}
