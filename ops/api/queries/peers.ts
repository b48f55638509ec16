/**
 * The peers that send most to the intakes, as the intakes report them in the log. The API has no login, so addresses are not
 * told, nor which intake said it: `sequencer peers list` has both.
 */
import { isPeerId } from '../../../connectors/libp2p/bans.ts'
import type { IntakeReport } from '../../../schemas/types.ts'
import type { Topics } from '../../../topology/topics.ts'
import type { Closeable } from '../../base/lifecycle.ts'
import { REPORT_MS_MAX } from '../../ground/peers-admin.ts'
import { type FollowPorts, followTopic } from '../../reading/follow-topic.ts'
import type { PeerItem, PeersAnswer } from '../peers-schema.ts'

/** The newest report of each intake that has told something recently. */
export interface IntakeReports extends Closeable {
  newest(): readonly IntakeReport[]
}

/** Peers that are told. */
export const PEERS_MAX = 20
/** Reports that are read again at the start; an intake writes one each ten seconds. */
const RECALLED = 1_000
/** Intakes whose reports are kept. */
const INTAKES_MAX = 1_000

export function followIntakeReports(
  ports: FollowPorts,
  { intakeReports }: Pick<Topics, 'intakeReports'>,
): IntakeReports {
  const reports = new Map<string, IntakeReport>()
  const isOfLate = ({ at }: IntakeReport): boolean => ports.clock.now() - at < REPORT_MS_MAX
  const followed = followTopic(ports, intakeReports, {
    recalled: RECALLED,
    apply({ instanceId }, report) {
      reports.delete(instanceId)
      if (report) reports.set(instanceId, report)
      for (const [id, one] of reports) if (!isOfLate(one) || reports.size > INTAKES_MAX) reports.delete(id)
    },
    clear: () => reports.clear(),
  })
  return { newest: () => [...reports.values()].filter(isOfLate), close: () => followed.close() }
}

/** The peers with the most refused messages, then the most messages; the peer id last. A peer that several intakes know is listed once. */
export function topPeers({ newest }: Pick<IntakeReports, 'newest'>, now: number): PeersAnswer {
  const reports = newest()
  const peers = new Map<string, PeerItem>()
  for (const talker of reports.flatMap((one) => one.talkers))
    if (isPeerId(talker.peerId)) peers.set(talker.peerId, withTalker(peers.get(talker.peerId), talker, now))
  const all = [...peers.values()]
  all.sort((a, b) => b.refused - a.refused || b.messages - a.messages || (a.peerId < b.peerId ? -1 : 1))
  const connections = reports.reduce((sum, one) => sum + one.connections, 0)
  return { intakes: reports.length, connections, items: all.slice(0, PEERS_MAX), next: null }
}

/** The messages of a peer at one intake more, and its ban unless that is over. */
function withTalker(before: PeerItem | undefined, talker: IntakeReport['talkers'][number], now: number): PeerItem {
  const { peerId, messages, refused, badSignatures, votes, bannedUntil } = talker
  const until = bannedUntil === null || bannedUntil === 0 || bannedUntil > now ? bannedUntil : null
  return {
    peerId,
    messages: messages + (before?.messages ?? 0),
    refused: refused + (before?.refused ?? 0),
    badSignatures: badSignatures + (before?.badSignatures ?? 0),
    votes: votes + (before?.votes ?? 0),
    bannedUntil: longer(until, before?.bannedUntil ?? null),
  }
}

/** The ban that lasts longer; 0 is for good. */
const longer = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : a === 0 || b === 0 ? 0 : Math.max(a, b)
