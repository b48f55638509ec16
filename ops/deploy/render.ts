/** A plan as text: one line per difference, the remedy under each difference that apply leaves, and a count. */

import type { MarketRules, ProtocolRules } from '../../topology/rules.ts'
import type { Lines } from '../base/output.ts'
import type { Change, ChangeClass } from './change.ts'

const CLASSES: readonly ChangeClass[] = ['create', 'safe', 'deletes', 'drain', 'refused']
type Counted = Readonly<Record<ChangeClass, string>>
const PLANNED: Counted = {
  create: 'to create',
  safe: 'to change',
  deletes: 'that would delete records',
  drain: 'that need a drain',
  refused: 'refused',
}
const DONE: Counted = { ...PLANNED, create: 'created', safe: 'changed', deletes: 'by which records went' }

export function renderPlan(changes: readonly Change[]): Lines {
  if (changes.length === 0) return ['Nothing to do: the cluster is as it should be.']
  const width = changes.reduce((max, { name }) => Math.max(max, name.length), 0)
  const lines = changes.flatMap(({ class: what, kind, name, detail, advice }) => [
    `${what.padEnd(8)} ${kind.padEnd(8)} ${name.padEnd(width)}  ${detail}`,
    ...(advice ? [`         ${advice}`] : []),
  ])
  return [...lines, '', countsOf(changes, PLANNED)]
}

/** The use of each market's days: a change of it stops every role, so it is said with the plan. */
export function renderRewards({ markets, addedMarkets }: Pick<ProtocolRules, 'markets' | 'addedMarkets'>): Lines {
  const lines = markets.map(({ dataMarket, rewards }) => `rewards  ${dataMarket}  ${rewards}: ${REWARDS[rewards]}`)
  return ['', ...lines, `rewards  markets that are added  ${addedMarkets.rewards}: ${REWARDS[addedMarkets.rewards]}`]
}

const REWARDS: Readonly<Record<MarketRules['rewards'], string>> = {
  off: 'days are not counted',
  counts: 'days are counted, and the contract is told nothing',
  on: 'days are counted, and the contract is told and pays',
}

/** The changes that were made; no line when there were none. */
export const renderDone = (changes: readonly Change[]): Lines =>
  changes.length === 0 ? [] : [`Done: ${countsOf(changes, DONE)}`]

function countsOf(changes: readonly Change[], words: Counted): string {
  const counts = CLASSES.flatMap((what) => {
    const count = changes.filter((change) => change.class === what).length
    return count > 0 ? [`${count} ${words[what]}`] : []
  })
  return `${counts.join(', ')}.`
}

/** For programs: without the actions, which repeat the detail. */
export const plainChanges = (changes: readonly Change[]): readonly Omit<Change, 'action'>[] =>
  changes.map(({ action: _, ...change }) => change)
