/** Judgements from the health of a process about its roles and stores. */
import type { HealthAnswer } from '../../health-schema.ts'
import { duration, listing, sentence } from './format.ts'
import type { Rule } from './rule.ts'

/** No process that runs has the role: its process was killed, is cut off from the log, or was never started. */
export const roleGone: Rule = ({ health: { troubled }, now }) => {
  const gone = troubled.filter(({ standing }) => standing === 'NOBODY')
  const [first] = gone
  if (!first) return undefined
  const names = listing(gone.map(({ role }) => role))
  const silent = new Map(gone.flatMap(({ processes }) => processes.map(({ instanceId, since }) => [instanceId, since])))
  const times = [...silent].map(([name, since]) => `${name} for ${duration(now - since)}`)
  return {
    tone: 'bad',
    title: `No process does the ${gone.length === 1 ? 'role' : 'roles'} ${names}`,
    detail: times.length === 0 ? 'No process that reports has it.' : `Silent: ${listing(times)}.`,
    advice: 'Start that process again: it goes on from where it was. The page Cluster has all processes.',
  }
}

export const roleDown: Rule = ({ health }) => {
  const down = rolesIn(health, 'DOWN', ({ ready, works }) => !ready && !works)
  if (down.length === 0) return undefined
  const names = listing(down.map(([role]) => role))
  return {
    tone: 'bad',
    title: down.length === 1 ? `The role ${names} does not run` : `${down.length} roles do not run: ${names}`,
    detail: said(down[0]!),
    advice: 'Read the last lines of its process; `sequencer doctor` checks what it needs.',
  }
}

/** The role waits for something outside of us: a node, the storage, coins for the signer, the log. */
export const roleWaits: Rule = ({ health }) => {
  const waiting = rolesIn(health, 'WAITS', ({ ready, works }) => !ready && works)
  if (waiting.length === 0) return undefined
  const names = listing(waiting.map(([role]) => role))
  return {
    tone: 'bad',
    title: waiting.length === 1 ? `The role ${names} waits` : `${waiting.length} roles wait: ${names}`,
    detail: said(waiting[0]!),
    advice:
      'Bring back what it waits for: it goes on by itself then, and nothing is lost. `sequencer doctor` looks at all of it.',
  }
}

/** A part of the health that is no role: it is there once a process stores batches. */
const STORAGE = 'storage'

export const storesWait: Rule = ({ health: { roles } }) => {
  const storage = roles[STORAGE]
  if (!storage || storage.ready) return undefined
  return {
    tone: 'bad',
    title: 'Too few stores take batches',
    detail: sentence(storage.detail),
    advice:
      'Batches wait, and are lost only when their windows on the chain are over. Bring a store back, or lower storage.required; `sequencer doctor` looks at each.',
  }
}

/** The others hold the batches. */
export const storeFails: Rule = ({ health: { roles } }) => {
  const storage = roles[STORAGE]
  if (!storage?.ready || !storage.works || storage.detail === '') return undefined
  return {
    tone: 'warn',
    title: 'A store of batches fails',
    detail: sentence(storage.detail),
    advice:
      'Nothing waits for it, and it is given what it lacks once it works. `sequencer doctor` looks at each store.',
  }
}

type Said = readonly [role: string, says: { readonly detail: string }]
type Own = HealthAnswer['roles'][string]

/** Roles of this process, and those that are so in every process that has them, with the name of one. */
function rolesIn(health: HealthAnswer, standing: 'DOWN' | 'WAITS', isSo: (role: Own) => boolean): readonly Said[] {
  const own = Object.entries(health.roles).filter(([, role]) => isSo(role))
  const others = health.troubled.filter((one) => one.standing === standing && !(one.role in health.roles))
  return [
    ...own,
    ...others.map(({ role, processes }): Said => {
      const holder = processes.find((one) => one.standing === standing)
      return [role, { detail: holder?.detail ? `${holder.instanceId} says: ${holder.detail}` : '' }]
    }),
  ]
}

const said = ([name, { detail }]: Said): string => (detail ? sentence(`${name}: ${detail}`) : 'It did not say why.')
