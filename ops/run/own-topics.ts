/** The check before a process works on topics: whether they are its deployment's, and the topics that were deployed. */
import type { Log } from '../../streams/ports.ts'
import { CliError, EXIT } from '../base/cli-error.ts'
import type { DeployedGround } from '../ground/cluster/open.ts'
import { changedTopics, FOREIGN_ADVICE, readOwner, whyForeign } from '../ground/cluster/owner.ts'

/**
 * Tells of topics that are not the topics on record: a reader that keeps a position in one of them refuses it by itself.
 * @throws CliError when the topics are another deployment's
 */
export async function expectOwnTopics(
  { log, settings, clusterId }: Pick<DeployedGround, 'settings' | 'clusterId'> & { readonly log: Log },
  warn: (text: string) => void,
): Promise<void> {
  const { appId, topicOptions } = settings
  const { prefix } = topicOptions
  const owner = await readOwner(log, prefix)
  if (!owner) return // deployed by an older release: the next `deploy apply` records it
  const foreign = whyForeign(owner, { appId, prefix, clusterId })
  if (foreign !== undefined) throw new CliError(foreign, FOREIGN_ADVICE, EXIT.usage)
  for (const [name, now] of await changedTopics(log, owner)) warn(lostInWords(name, owner.topics[name]!, now))
}

export const lostInWords = (name: string, before: string, now: string | undefined): string =>
  now === undefined
    ? `topic ${name}, whose id was ${before}, was deleted`
    : `topic ${name} was deleted and made anew: its id was ${before} and is ${now}; what was in the old one is lost`
