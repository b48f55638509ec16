/** `sequencer deploy plan|apply|destroy`. */

import { Command } from 'commander'
import { systemClock } from '../../connectors/system-clock.ts'
import { EXIT } from '../base/cli-error.ts'
import { AS_JSON } from '../base/options.ts'
import { answer, stderr } from '../base/output.ts'
import { readClusterSettings, writeClusterSettings } from '../ground/cluster/settings-topic.ts'
import { withClusterOptions } from '../settings/command.ts'
import type { Need } from '../settings/parse.ts'
import type { FlagValues } from '../settings/sources.ts'
import { applyChanges, isApplied } from './apply.ts'
import type { Change } from './change.ts'
import { lostChangelogs } from './changelogs.ts'
import { type Deployment, withDeployment } from './deployment.ts'
import { destroy, renderLeftovers } from './destroy.ts'
import { differences } from './diff.ts'
import { liveState } from './live.ts'
import { expectOwn, ownershipOf, recordOwner } from './ownership.ts'
import { plainChanges, renderDone, renderPlan, renderRewards } from './render.ts'
import { weaknessesOf } from './rights.ts'

const EXIT_CODES =
  '\nExit codes: 0 nothing is left to do · 1 something is · 2 wrong usage · 3 cluster or registry cannot be used'

const LEFT =
  'Nothing was changed: `sequencer deploy apply` does what it can. The exit code is 1 while something is left to do.'

const TAKE_OVER = 'take topics recorded for another deployment that no longer exists'
const ACCEPT = 'take topics that were made anew as they are; what was in the old ones is lost'

/** Without keys every writer of `submissions` could open and close epochs. */
const NEED: Need = ({ markers }) => (markers?.signingKeyFile ? [] : ['markers.publicKeys'])

export function deployCommand(): Command {
  const command = new Command('deploy')
  withClusterOptions(command.command('plan'))
    .description('Show every difference: topics, subjects, rights, settings. Changes nothing')
    .option('--take-over', TAKE_OVER)
    .option('--accept-recreated', ACCEPT)
    .option('--json', AS_JSON)
    .addHelpText('after', EXIT_CODES)
    .action((flags: FlagValues) => withDeployment(flags, (deployment) => showPlan(deployment, flags), NEED))
  withClusterOptions(command.command('apply'))
    .description('Create what is missing and change what is safe; say what to do about the rest. May be repeated')
    .option('--dry-run', 'only show the plan')
    .option('--yes-delete', 'also make the changes by which records go')
    .option('--take-over', TAKE_OVER)
    .option('--accept-recreated', ACCEPT)
    .option('--json', AS_JSON)
    .addHelpText('after', EXIT_CODES)
    .action((flags: FlagValues) =>
      withDeployment(
        flags,
        (deployment) => (flags.dryRun ? showPlan(deployment, flags) : apply(deployment, flags)),
        NEED,
      ),
    )
  withClusterOptions(command.command('destroy'))
    .description('Delete the topics, groups, subjects and rights of this sequencer, and nothing else')
    .option('--yes-delete', 'really; without it, only say what would go')
    .option('--json', AS_JSON)
    .addHelpText('after', EXIT_CODES)
    .action((flags: FlagValues) =>
      withDeployment(flags, async (deployment) => {
        await expectOwn(deployment)
        const yes = flags.yesDelete === true
        const leftovers = await destroy(deployment, yes)
        answer(flags.json, leftovers, () => renderLeftovers(leftovers, yes))
        if (!yes && leftovers.length > 0) process.exitCode = EXIT.failed
      }),
    )
  return command
}

async function changesOf(
  deployment: Deployment,
  { takeOver, acceptRecreated }: FlagValues,
): Promise<readonly Change[]> {
  const { desired, log, admin, registry, principals } = deployment
  const settings = await readClusterSettings(log, desired.settings.appId)
  const ownership = await ownershipOf(deployment)
  const changelogs = await lostChangelogs(log, desired.topology, desired.settings.appId)
  const live = await liveState(desired, admin, registry, { settings, ownership, changelogs })
  const names = desired.topics.map(({ name }) => name)
  if (Object.keys(principals).length > 0)
    for (const text of weaknessesOf(principals, desired.acls, live.acls, names)) stderr.print(`warning: ${text}`)
  return differences(desired, live, { takeOver: takeOver === true, acceptRecreated: acceptRecreated === true })
}

async function showPlan(deployment: Deployment, flags: FlagValues): Promise<void> {
  const changes = await changesOf(deployment, flags)
  answer(flags.json, plainChanges(changes), () => [
    ...renderPlan(changes),
    ...renderRewards(deployment.desired.settings.rules),
    ...(changes.length > 0 ? ['', LEFT] : []),
  ])
  if (changes.length > 0) process.exitCode = EXIT.failed
}

async function apply(deployment: Deployment, flags: FlagValues): Promise<void> {
  const { json, yesDelete } = flags
  const { log, admin, registry } = deployment
  const changes = await changesOf(deployment, flags)
  const [done, left] = [true, false].map((wanted) =>
    changes.filter((change) => isApplied(change, yesDelete === true) === wanted),
  )
  await applyChanges(done!, {
    admin,
    registry,
    writeSettings: (settings) => writeClusterSettings(log, settings, systemClock.now()),
    writeOwner: () => recordOwner(deployment, systemClock.now()),
  })
  answer(json, { applied: plainChanges(done!), left: plainChanges(left!) }, () => [
    ...renderDone(done!),
    ...(left!.length > 0 || done!.length === 0 ? renderPlan(left!) : []),
  ])
  if (left!.length > 0) process.exitCode = EXIT.failed
}
