/** Checks that the topics belong to this deployment, and are the topics that were deployed. */
import type { DeployedGround } from '../../ground/cluster/open.ts'
import { changedTopics, FOREIGN_ADVICE, idsOf, readOwner, whyForeign } from '../../ground/cluster/owner.ts'
import { lostInWords } from '../../run/own-topics.ts'
import type { Finding } from './finding.ts'

export async function examineOwner({
  log,
  settings,
  clusterId,
  topics,
}: Pick<DeployedGround, 'log' | 'settings' | 'clusterId' | 'topics'>): Promise<Finding[]> {
  const { appId, topicOptions } = settings
  const { prefix } = topicOptions
  const check = 'owner'
  const owner = await readOwner(log, prefix)
  if (!owner) return [{ check, ok: true, detail: 'nobody is on record as the owner of the topics', advice: RECORD_IT }]
  const foreign = whyForeign(owner, { appId, prefix, clusterId })
  if (foreign !== undefined) return [{ check, ok: false, detail: foreign, advice: FOREIGN_ADVICE }]
  const ours: Finding = { check, ok: true, detail: `the topics are those of ${appId} on cluster ${clusterId ?? '?'}` }
  return [ours, await topicsAsDeployed()]

  async function topicsAsDeployed(): Promise<Finding> {
    const { submissions } = topics
    if (Object.keys(await idsOf(log, [submissions.name])).length === 0)
      return { check: 'topics', ok: true, detail: WITHOUT_IDS }
    const changed = await changedTopics(log, owner!)
    if (changed.size === 0) return { check: 'topics', ok: true, detail: 'each is the topic that was deployed' }
    const detail = [...changed].map(([name, now]) => lostInWords(name, owner!.topics[name]!, now)).join('; ')
    return { check: 'topics', ok: false, detail, advice: LOST }
  }
}

const RECORD_IT = 'Run `sequencer deploy apply`, so that a second deployment on the same prefix is refused.'
const WITHOUT_IDS =
  'the cluster gives topics no ids (before 2.8): one that was made anew is noticed only while it is shorter than the old one'
const LOST = 'See "When the log has lost something" in docs/operations.md.'
