/** Takes a deployment away: only what carries our names, and only while nothing runs. */
import { CliError, EXIT } from '../base/cli-error.ts'
import type { Lines } from '../base/output.ts'
import { aclText } from './acls.ts'
import { entryOf } from './apply.ts'
import type { Deployment } from './deployment.ts'
import { groupsWithMembers, liveAcls } from './live.ts'

export interface Leftover {
  readonly kind: 'topic' | 'group' | 'subject' | 'acl'
  readonly name: string
}

/** The parts of our deployment that are there; deleted when `yes`. Throws CliError while a group has members. */
export async function destroy(deployment: Deployment, yes: boolean): Promise<readonly Leftover[]> {
  const { desired, admin, registry } = deployment
  const active = await groupsWithMembers(admin, desired.groups)
  if (active.length > 0)
    throw new CliError(`processes still run: ${active.join(', ')} have members`, 'Stop every role first.', EXIT.failed)
  const topics = presentOf(
    desired.topics.map(({ name }) => name),
    await admin.listTopics(),
  )
  const groups = presentOf(
    desired.groups,
    (await admin.listGroups()).groups.map(({ groupId }) => groupId),
  )
  const subjects = presentOf(
    desired.subjects.map(({ name }) => name),
    await registry.subjects(),
  )
  const granted = new Set(((await liveAcls(admin)) ?? []).map(aclText))
  const acls = desired.acls.filter((acl) => granted.has(aclText(acl)))
  if (yes) {
    if (topics.length > 0) await admin.deleteTopics({ topics })
    if (groups.length > 0) await admin.deleteGroups(groups)
    for (const subject of subjects) await registry.deleteSubject(subject)
    if (acls.length > 0) await admin.deleteAcls({ filters: acls.map(entryOf) })
  }
  return [
    ...topics.map((name): Leftover => ({ kind: 'topic', name })),
    ...groups.map((name): Leftover => ({ kind: 'group', name })),
    ...subjects.map((name): Leftover => ({ kind: 'subject', name })),
    ...acls.map((acl): Leftover => ({ kind: 'acl', name: aclText(acl) })),
  ]
}

export function renderLeftovers(leftovers: readonly Leftover[], deleted: boolean): Lines {
  if (leftovers.length === 0) return ['Nothing of this sequencer is there.']
  const lines = leftovers.map(({ kind, name }) => `${deleted ? 'deleted' : 'would go'}  ${kind.padEnd(8)} ${name}`)
  return [...lines, ...(deleted ? [] : ['', 'Nothing was deleted; --yes-delete does it.'])]
}

const presentOf = (ours: readonly string[], all: readonly string[]): string[] => {
  const there = new Set(all)
  return ours.filter((name) => there.has(name))
}
