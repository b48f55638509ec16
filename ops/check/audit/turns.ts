/** Whose turn a data source is: a market with a list of them takes of each slot one source in an epoch. */
import type { MarketRules } from '../../../topology/rules.ts'
import type { Entry } from './entry.ts'

/** @param day day of the contract in which the epoch was released; without a day it is nobody's turn */
export function isItsTurn(
  { submission, signer }: Pick<Entry, 'submission' | 'signer'>,
  day: number,
  { dataSources, fullNodes }: Pick<MarketRules, 'dataSources' | 'fullNodes'>,
): boolean {
  const count = dataSources.length
  if (count === 0 || fullNodes.includes(signer)) return true
  if (day === 0) return false
  const [, source = ''] = submission.projectId.split(':')
  // The address in base 16, digit by digit, and then the three numbers, each below 2^53.
  const ofAddress = [...signer.slice(2)].reduce((rest, digit) => (rest * 16 + Number.parseInt(digit, 16)) % count, 0)
  const index = [submission.epochId, submission.slotId, day].reduce(
    (rest, n) => (rest + (n % count)) % count,
    ofAddress,
  )
  return source.toLowerCase() === dataSources[index]
}
