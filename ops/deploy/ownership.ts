/** The owner of the topics that is on record, and the topics that are not those that were deployed. */
import { CliError, EXIT } from '../base/cli-error.ts'
import { plural } from '../base/words.ts'
import {
  anewWith,
  changedTopics,
  FOREIGN_ADVICE,
  idsOf,
  type Owner,
  readOwner,
  unrecordedOwner,
  whyForeign,
  writeOwner,
} from '../ground/cluster/owner.ts'
import type { Change } from './change.ts'
import type { Deployment } from './deployment.ts'
import type { Desired } from './desired.ts'

export interface Ownership {
  readonly owner: Owner | undefined
  /** Why the topics are another's, in words. */
  readonly foreign: string | undefined
  /** Topics on record → the id of what is there now; undefined when nothing is. */
  readonly changed: ReadonlyMap<string, string | undefined>
  /** Ids of the topics that are there. */
  readonly ids: Readonly<Record<string, string>>
}

/** The consequences that an informed operator has agreed to. */
export interface Accepts {
  readonly takeOver?: boolean
  readonly acceptRecreated?: boolean
}

export async function ownershipOf({ desired, log, admin }: Deployment): Promise<Ownership> {
  const { appId, topicOptions } = desired.settings
  const { prefix } = topicOptions
  const there = await admin.listTopics()
  const owner = there.includes(ownerNameOf(desired)) ? await readOwner(log, prefix) : undefined
  const other = owner ? undefined : await unrecordedOwner(log, { appId, prefix }, there)
  const assumed = other === undefined ? owner : { appId: other, topics: {} }
  return {
    owner,
    foreign: whyForeign(assumed, { appId, prefix, clusterId: log.clusterId }),
    changed: owner ? await changedTopics(log, owner) : new Map(),
    ids: await idsOf(
      log,
      desired.recorded.filter((name) => there.includes(name)),
    ),
  }
}

const ownerNameOf = ({ settings }: Desired): string => `${settings.topicOptions.prefix}owner`

/** Throws CliError when the topics are another deployment's. */
export async function expectOwn(deployment: Deployment): Promise<void> {
  const { foreign } = await ownershipOf(deployment)
  if (foreign !== undefined) throw new CliError(foreign, FOREIGN_ADVICE, EXIT.usage)
}

/** As things are now, after everything else was applied. */
export async function recordOwner({ desired, log }: Deployment, timestamp: number): Promise<void> {
  const { appId, topicOptions } = desired.settings
  const topics = await idsOf(log, desired.recorded)
  const before = await readOwner(log, topicOptions.prefix)
  const anew = before?.appId === appId ? anewWith(before, topics, timestamp) : undefined
  await writeOwner(log, topicOptions.prefix, { appId, clusterId: log.clusterId, topics, anew }, timestamp)
}

export const foreignChange = (desired: Desired, detail: string): Change => ({
  class: 'refused',
  kind: 'owner',
  name: ownerNameOf(desired),
  detail,
  advice: FOREIGN_ADVICE,
})

/** Topics that are not the deployed ones; empty with `--accept-recreated`. */
export function lostTopics(desired: Desired, { owner, changed }: Ownership, { acceptRecreated }: Accepts): Change[] {
  if (acceptRecreated) return []
  return desired.recorded
    .filter((name) => changed.has(name))
    .map((name) => {
      const [before, now] = [owner!.topics[name], changed.get(name)]
      const detail = now === undefined ? `its id was ${before}, and it is gone` : `made anew: id ${before} → ${now}`
      return { class: 'refused', kind: 'topic', name, detail, advice: LOST_ADVICE }
    })
}

/** @param held back: the record stays as it is while topics are lost */
export function ownerChanges(desired: Desired, { owner, foreign, changed, ids }: Ownership, held: boolean): Change[] {
  if (held) return []
  const { appId } = desired.settings
  const about = { kind: 'owner', name: ownerNameOf(desired), action: { type: 'write-owner' } } as const
  if (!owner) return [{ ...about, class: 'create', detail: `${appId}, with the ids of its topics` }]
  if (foreign !== undefined) return [{ ...about, class: 'safe', detail: `${owner.appId} → ${appId}: taken over` }]
  if (changed.size > 0)
    return [
      {
        ...about,
        class: 'safe',
        detail: changed.size === 1 ? '1 topic as it is now' : `${changed.size} topics as they are now`,
      },
    ]
  const hasIds = Object.keys(ids).length > 0 // or is too old for them
  const missing = hasIds ? desired.recorded.filter((name) => !(name in owner.topics)) : []
  return missing.length === 0 ? [] : [{ ...about, class: 'safe', detail: `ids of ${plural(missing.length, 'topic')}` }]
}

const LOST_ADVICE =
  'The records in it are lost, and positions in it mean nothing. See "When the log has lost something" in docs/operations.md; then `deploy apply --accept-recreated`.'
