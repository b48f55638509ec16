/** The bans and reports of the intakes of a log: read, and changed by a record that every intake follows. */
import { readSubject } from '../../connectors/libp2p/bans.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import type { IntakeReport, PeerBan } from '../../schemas/types.ts'
import { configOf, type RecordTopic } from '../../streams/kafka-topic.ts'
import type { Log } from '../../streams/ports.ts'
import { readRecords } from '../../streams/read-record.ts'
import type { Topics } from '../../topology/topics.ts'
import { exists } from '../reading/market-rows.ts'
import { silently } from '../reading/read.ts'
import { scan } from '../reading/scan.ts'
import { answers, callSocket } from './markets-admin.ts'
import { watchedLog } from './watched-log.ts'

export interface PeersAdmin {
  status(): Promise<PeersStatus>
  /** Resolves when the record is in the log: every intake follows it within a second, unless it is unread. */
  change(change: BanChange): Promise<void>
  /** Why not all that is written here can be read, in words; undefined when it can. */
  unread(): Promise<string | undefined>
}

export interface BanChange {
  /** As `readSubject` gives it. */
  readonly subject: string
  readonly banned: boolean
  /** Ms since 1970; 0 = for good. */
  readonly until: number
  readonly reason: string
}

export interface PeersStatus {
  /** Bans of the operator that hold. */
  readonly bans: readonly (PeerBan & { readonly subject: string })[]
  /** The newest report of each intake that has told something recently. */
  readonly intakes: readonly (IntakeReport & { readonly instanceId: string })[]
}

/** By the process that runs on a data directory; undefined when none listens there. @param socket see admin-socket.ts */
export async function peersAdminOfRunning(socket: string): Promise<PeersAdmin | undefined> {
  const admin: PeersAdmin = {
    status: async () => (await callSocket(socket, '/peers', 'GET')) as PeersStatus,
    change: async (wanted) => void (await callSocket(socket, '/peers', 'POST', wanted)),
    unread: async () => undefined, // nobody else writes to a directory
  }
  return (await answers(() => admin.status())) ? admin : undefined
}

/** An intake that has said nothing for so long does not run any more. */
export const REPORT_MS_MAX = 120_000

export function peersAdminOfLog({ log, topics }: { readonly log: Log; readonly topics: Topics }): PeersAdmin {
  const watched = watchedLog(log)
  return {
    status: () => peersStatus(watched.log, topics),
    unread: () => watched.unread([topics.peerBans]),
    change: (wanted) => changeBan(log, topics, wanted),
  }
}

async function changeBan(log: Log, { peerBans }: Topics, { subject, ...ban }: BanChange): Promise<void> {
  if (readSubject(subject) !== subject) throw new RangeError(`${subject} is no peer id, address or range`)
  await log.createTopics([configOf(peerBans)])
  const at = systemClock.now()
  const key = peerBans.key.encode({ subject })
  const appender = await log.appender()
  try {
    await appender.append([
      { topic: peerBans.name, partition: 0, timestamp: at, key, value: peerBans.value.encode({ ...ban, at }) },
    ])
  } finally {
    await appender.close()
  }
}

async function peersStatus(log: Log, { peerBans, intakeReports }: Topics): Promise<PeersStatus> {
  const now = systemClock.now()
  const bans = [...(await newestRows(log, peerBans))].map(([, { key, value }]) => ({ ...key, ...value }))
  const reports = [...(await newestRows(log, intakeReports))].map(([, { key, value }]) => ({ ...key, ...value }))
  return {
    bans: bans.filter(({ banned, until }) => banned && (until === 0 || until > now)).sort(bySubject),
    intakes: reports.filter(({ at }) => now - at < REPORT_MS_MAX).sort(byInstance),
  }
}

const bySubject = (a: { subject: string }, b: { subject: string }): number => (a.subject < b.subject ? -1 : 1)
const byInstance = (a: { instanceId: string }, b: { instanceId: string }): number =>
  a.instanceId < b.instanceId ? -1 : 1

async function newestRows<K, V>(
  log: Log,
  topic: RecordTopic<K, V>,
): Promise<ReadonlyMap<string, { readonly key: K; readonly value: V }>> {
  const rows = new Map<string, { key: K; value: V }>()
  if (!(await exists(log, topic.name))) return rows
  for await (const records of scan(log, { topic: topic.name, partition: 0 }))
    for (const { key, value, record } of readRecords(topic, 0, records, silently)) {
      const name = Buffer.from(record.key!).toString('latin1')
      if (value === null) rows.delete(name)
      else rows.set(name, { key, value })
    }
  return rows
}
