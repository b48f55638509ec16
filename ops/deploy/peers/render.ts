import type { Lines } from '../../base/output.ts'
import { printable } from '../../base/printable.ts'
import { plural } from '../../base/words.ts'
import type { BanChange, PeersStatus } from '../../ground/peers-admin.ts'

/** The operator's bans, then each intake: whom it bans by itself, and who sends most to it. @param unread why that is not all */
export function renderPeers({ bans, intakes }: PeersStatus, unread?: string): Lines {
  const none = unread === undefined ? 'No bans.' : 'No bans among what can be read.'
  const lines = bans.length === 0 ? [none] : ['Bans:', ...bans.map((ban) => `  ${banText(ban)}`)]
  if (intakes.length === 0) lines.push('No intake has reported in the last two minutes.')
  for (const { instanceId, connections, behind, talkers, bans: own } of intakes) {
    const lag = behind === null ? 'lag of validate unknown' : `validate ${plural(behind, 'record')} behind`
    lines.push('', `Intake ${printable(instanceId)}: ${plural(connections, 'connection')}, ${lag}`)
    lines.push(...own.map((ban) => `  banned by itself: ${banText(ban)}`))
    if (talkers.length === 0) continue
    lines.push('  messages   refused  bad signatures     votes  peer, address')
    for (const { peerId, host, messages, refused, badSignatures, votes, bannedUntil } of talkers)
      lines.push(
        `  ${String(messages).padStart(8)}${String(refused).padStart(10)}${String(badSignatures).padStart(16)}${String(votes).padStart(10)}  ${printable(peerId)}  ${printable(host)}${bannedUntil === null ? '' : `  banned ${untilText(bannedUntil)}`}`,
      )
  }
  return lines
}

/** @param unread why no intake can read it yet */
export function renderBan(
  { subject, banned, until }: BanChange,
  { dryRun, unread }: { readonly dryRun: boolean; readonly unread: string | undefined },
): Lines {
  const done = dryRun ? 'would be' : unread === undefined ? 'is' : 'is to be'
  const text = banned ? `banned from every intake ${untilText(until)}` : 'no longer banned'
  if (unread === undefined) return [`${subject} ${done} ${text}`]
  return [`${subject} ${done} ${text}: that is written, and no intake can read it yet`, `  ${unread}`]
}

const banText = ({ subject, until, reason }: { subject: string; until: number; reason: string }): string =>
  `${printable(subject)} ${untilText(until)}${reason && ` (${printable(reason)})`}`

const untilText = (until: number): string =>
  until === 0 ? 'for good' : `until ${new Date(Math.min(until, LAST_DATE)).toISOString()}`

/** The last time that a Date holds, ms. */
const LAST_DATE = 8.64e15
