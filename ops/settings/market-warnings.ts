/** Rules of markets that can be meant so, and mostly are not. */
import type { MarketRules } from '../../topology/rules.ts'
import { type SharedProjects, sharedProjects } from '../../topology/shared/project-ids.ts'

export interface MarketWarning {
  readonly about: 'projects' | 'rewards'
  readonly text: string
}

export const marketWarnings = (markets: readonly MarketRules[]): readonly MarketWarning[] => [
  ...sharedProjects(markets).map((shared) => ({ about: 'projects' as const, text: sharedInWords(shared) })),
  ...markets.filter(isWonAlone).map(({ dataMarket }) => ({ about: 'rewards' as const, text: wonAlone(dataMarket) })),
]

/** One signed vote can count in several markets (decision 0022). */
const sharedInWords = ({ markets: [one, other], patterns }: SharedProjects): string =>
  `A vote for one of ${one} can be sent again for ${other}, whose projects are not told apart (${patterns.join(' and ')}): ` +
  'give both projectIds.'

/** A slot can earn its day by itself: nobody else votes on a project that it invents. */
const isWonAlone = ({ rewards, votesMin, projectIds }: MarketRules): boolean =>
  rewards === 'on' && votesMin <= 1 && projectIds.length === 0

const wonAlone = (dataMarket: string): string =>
  `Rewards of ${dataMarket} are on with votesMin 1 and no projectIds: a slot can invent projects, where its vote always wins, ` +
  'and is paid for them. Give projectIds, or votesMin 2 or more.'
