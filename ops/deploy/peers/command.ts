/** `sequencer peers list|ban|unban`. */
import { Command } from 'commander'
import { z } from 'zod'
import { readSubject } from '../../../connectors/libp2p/bans.ts'
import { EXIT } from '../../base/cli-error.ts'
import { AS_JSON, parseOptions, whole } from '../../base/options.ts'
import { answer } from '../../base/output.ts'
import { adminSocketPath } from '../../ground/admin-socket.ts'
import { type LogTarget, type OpenLog, type TargetOptions, targetOf, withTargetOptions } from '../../ground/open-log.ts'
import { type BanChange, type PeersAdmin, peersAdminOfLog, peersAdminOfRunning } from '../../ground/peers-admin.ts'
import { tellUnread } from '../../ground/watched-log.ts'
import { renderBan, renderPeers } from './render.ts'

const HOURS_MAX = 87_600
const REASON_MAX = 200
/** No control characters: it is shown on terminals. */
const PRINTABLE = /^[^\p{Cc}\p{Cf}]*$/u

const subject = z
  .string()
  .refine((text) => readSubject(text) !== undefined, 'no peer id, IP address or range (CIDR)')
  .transform((text) => readSubject(text)!)
const banSchema = z.object({
  subject,
  hours: whole(1, HOURS_MAX).optional(),
  reason: z.string().max(REASON_MAX).regex(PRINTABLE, 'control characters').default(''),
})
const unbanSchema = z.object({ subject })

export function peersCommand(open: OpenLog): Command {
  const list = withTargetOptions(new Command('list'))
    .description('The bans, and the peers that send most to each intake')
    .option('--json', AS_JSON)
    .action(async (options: TargetOptions & { json?: boolean }) => {
      const read = async (admin: PeersAdmin) => [await admin.status(), await admin.unread()] as const
      const [status, unread] = await withAdmin(open, targetOf(options), read)
      answer(options.json, { ...status, unread: unread ?? null }, () => renderPeers(status, unread))
      tellUnread(unread)
    })
  const ban = withTargetOptions(new Command('ban'))
    .description('Close the connections of a peer, an address or a range, and keep it out of every intake')
    .argument('<subject>', 'peer id, IP address, or range as 10.0.0.0/8')
    .option('--hours <n>', 'for so long; for good when left out')
    .option('--reason <text>', 'kept with the ban')
    .option('--dry-run', 'only say what would happen')
    .option('--json', AS_JSON)
    .action(async (given: string, options: ChangeOptions) => {
      const asked = parseOptions(banSchema, { ...options, subject: given }, 'peers ban', 'subject')
      const until = asked.hours === undefined ? 0 : Date.now() + asked.hours * 3_600_000
      await change(open, options, { subject: asked.subject, banned: true, until, reason: asked.reason })
    })
  const unban = withTargetOptions(new Command('unban'))
    .description('End a ban, also one that an intake gave by itself')
    .argument('<subject>', 'as `peers list` shows it')
    .option('--dry-run', 'only say what would happen')
    .option('--json', AS_JSON)
    .action(async (given: string, options: ChangeOptions) => {
      const asked = parseOptions(unbanSchema, { subject: given }, 'peers unban', 'subject')
      await change(open, options, { subject: asked.subject, banned: false, until: 0, reason: '' })
    })
  return new Command('peers').addCommand(list).addCommand(ban).addCommand(unban)
}

interface ChangeOptions extends TargetOptions {
  readonly json?: boolean
  readonly dryRun?: boolean
}

async function change(open: OpenLog, options: ChangeOptions, wanted: BanChange): Promise<void> {
  const { json = false, dryRun = false } = options
  const unread = dryRun ? undefined : await withAdmin(open, targetOf(options), (admin) => changeBan(admin, wanted))
  answer(json, { ...wanted, dryRun, unread: unread ?? null }, () => renderBan(wanted, { dryRun, unread }))
  if (unread !== undefined) process.exitCode = EXIT.unavailable
}

/** Changes a ban. Gives the reason why no intake can read it yet, in words; undefined when intakes can. */
async function changeBan(admin: PeersAdmin, wanted: BanChange): Promise<string | undefined> {
  await admin.change(wanted)
  return await admin.unread()
}

/** By the socket of the process that runs on a directory, else by the log. */
async function withAdmin<T>(open: OpenLog, target: LogTarget, use: (admin: PeersAdmin) => Promise<T>): Promise<T> {
  const running = target.kind === 'directory' && (await peersAdminOfRunning(adminSocketPath(target.dataDir)))
  if (running) return use(running)
  const opened = await open(target)
  try {
    return await use(peersAdminOfLog(opened))
  } finally {
    await opened.close()
  }
}
