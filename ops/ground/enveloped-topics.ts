/** Which topics hold records in the envelope of the registry, and in which of them others write: see readable-log.ts. */
import type { Enveloped } from '../../connectors/schema-registry/readable-log.ts'
import type { SubjectName } from '../../schemas/subjects.ts'
import { changelogTopic } from '../../streams/topology.ts'
import type { Stores } from '../../topology/stores.ts'
import type { Topics } from '../../topology/topics.ts'

interface RecordsOf {
  readonly topics: Topics
  readonly stores: Stores
  /** Prefix of the changelogs. */
  readonly appId: string
}

/** The topics into which the intake brings records from outside, or each process its own reports, and others may write. */
export const foreignTopics = ({
  submissions,
  intakeReports,
  processes,
}: Topics): ReadonlyMap<string, readonly SubjectName[]> =>
  new Map<string, readonly SubjectName[]>([
    [submissions.name, ['submissions-key', 'submissions-value']],
    [intakeReports.name, ['intake-reports-key', 'intake-reports-value']],
    [processes.name, ['processes-key', 'processes-value']],
  ])

/** Every topic but the dead letters, and the changelogs of the stores, whose keys are plain. */
export function envelopedTopics({ topics, stores, appId }: RecordsOf): ReadonlyMap<string, Enveloped> {
  const { deadLetters: _, ...enveloped } = topics
  const { anchor, ledger, ...others } = stores
  const all = [others, ledger, anchor].flatMap((of): readonly { readonly name: string }[] => Object.values(of))
  const changelogs = all.map(({ name }) => changelogTopic(appId, name))
  return new Map<string, Enveloped>([
    ...Object.values(enveloped).map(({ name }) => [name, 'key and value'] as const),
    ...changelogs.map((name) => [name, 'value'] as const),
  ])
}
