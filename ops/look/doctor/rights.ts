import type { Admin } from 'kafkajs'
import type { Topology } from '../../../streams/topology.ts'
import type { Topics } from '../../../topology/topics.ts'
import { aclsOf } from '../../deploy/acls.ts'
import { liveAcls } from '../../deploy/live.ts'
import { weaknessesOf } from '../../deploy/rights.ts'
import { allTopics } from '../../ground/all-topics.ts'
import type { Address } from '../../settings/schema.ts'
import { type Finding, notLookedAt } from './finding.ts'

/** The access rights, compared with the needs of the roles. */
export async function examineRights(
  admin: Pick<Admin, 'describeAcls'>,
  { appId, acls }: Pick<Address, 'appId' | 'acls'>,
  topology: Topology,
  topics: Topics,
): Promise<Finding> {
  const check = 'rights'
  const live = await liveAcls(admin).catch((error: unknown) => error as Error)
  if (live instanceof Error) return notLookedAt(check, `the brokers do not tell them: ${live.message}`)
  const { principals } = acls
  if (live !== undefined && Object.keys(principals).length === 0)
    return { check, ok: true, detail: NO_LOGINS, advice: LOGINS }
  const names = allTopics(appId, topology, topics).map(({ name }) => name)
  const weaknesses = weaknessesOf(principals, aclsOf(appId, topology, topics, acls), live, names)
  if (weaknesses.length === 0)
    return { check, ok: true, detail: 'each role has a login of its own, and nobody else writes' }
  // without access control there is one operator for all of it: to be known, not to be called a fault
  return { check, ok: live === undefined, detail: weaknesses.join('; '), advice: LOGINS }
}

const NO_LOGINS = 'acls.principals names no logins, so there is nothing to compare'
const LOGINS = 'Give each role a login of its own (`acls.principals`) and run `sequencer deploy plan`.'
