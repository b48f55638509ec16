/** The faults of the access rights: rights that nobody needs, and logins that are good for more than one role. Pure. */
import type { Acl } from './acls.ts'

/**
 * @param principals role → principal, as configured
 * @param wanted every right that a role needs, `live` all that the brokers have; undefined without access control
 * @param topics names of ours
 * @returns a sentence each; none when every role has exactly its own
 */
export function weaknessesOf(
  principals: Readonly<Partial<Record<string, string>>>,
  wanted: readonly Acl[],
  live: readonly Acl[] | undefined,
  topics: readonly string[],
): readonly string[] {
  if (live === undefined)
    return [
      'the brokers have no access control: every client that reaches them may write every topic, but for what is sealed',
    ]
  return [...sharedLogins(principals), ...foreignWriters(wanted, live, topics)]
}

function sharedLogins(principals: Readonly<Partial<Record<string, string>>>): string[] {
  const roles = new Map<string, string[]>()
  for (const [role, principal] of Object.entries(principals))
    if (principal !== undefined) roles.set(principal, [...(roles.get(principal) ?? []), role])
  return [...roles]
    .filter(([, all]) => all.length > 1)
    .map(
      ([principal, all]) =>
        `${principal} is the login of ${all.join(', ')}: an attacker who takes one of them has the rights of all`,
    )
}

/** The writers of our topics that are none of the roles that need to write. */
function foreignWriters(wanted: readonly Acl[], live: readonly Acl[], topics: readonly string[]): string[] {
  const writes = ({ operation, resource }: Acl): boolean =>
    resource === 'topic' && (operation === 'Write' || operation === 'All')
  const needed = new Set(wanted.filter(writes).map(({ principal, name }) => `${principal} ${name}`))
  const found = new Map<string, string[]>()
  for (const acl of live.filter(writes))
    for (const topic of topics.filter((name) => covers(acl, name)))
      if (!needed.has(`${acl.principal} ${topic}`))
        found.set(acl.principal, [...new Set([...(found.get(acl.principal) ?? []), topic])])
  return [...found].map(
    ([principal, names]) => `${principal} may write ${named(names)}, which none of its roles does: take the right away`,
  )
}

const covers = ({ pattern, name }: Acl, topic: string): boolean =>
  pattern === 'prefixed' ? topic.startsWith(name) : name === '*' || name === topic

/** Topics that a sentence names. */
const NAMED = 4
const named = (names: readonly string[]): string =>
  names.length <= NAMED ? names.join(', ') : `${names.slice(0, NAMED).join(', ')} and ${names.length - NAMED} more`
