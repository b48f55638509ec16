/** Judgements from the health of a process about its roles and stores. */
import { listing, sentence } from './format.ts'
import type { Rule } from './rule.ts'

export const roleDown: Rule = ({ health }) => {
  const down = Object.entries(health.roles).filter(([, { ready, works }]) => !ready && !works)
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
  const waiting = Object.entries(health.roles).filter(([, { ready, works }]) => !ready && works)
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

const said = ([name, { detail }]: [string, { detail: string }]): string =>
  detail ? sentence(`${name}: ${detail}`) : 'It did not say why.'
