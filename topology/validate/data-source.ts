/**
 * Which data source a slot has to report in an epoch, where the market has a list of them (protocol fact sheet, dequeuer rule
 * 10b): the index is the sum of the epoch, the signer's address as a number, the slot and the contract's day, modulo the length of
 * the list. The source is the second part of a project id.
 */
import type { Submission } from '../../schemas/types.ts'
import type { Evidence } from '../verdict.ts'
import { excerpt } from './form.ts'

const RULE = 'the project is of the data source that is the slot’s in this epoch and day'

/**
 * The evidence that the project is of another source than the slot has to report; undefined when it is of that one.
 * @param signer 0x and 40 hex digits
 * @param day of the epoch; 0 when no tick says it, and then no source can be told
 * @param dataSources lower case, in the order of the market; at least one
 */
export function wrongSource(
  { slotId, epochId, projectId }: Pick<Submission, 'slotId' | 'epochId' | 'projectId'>,
  signer: string,
  day: number,
  dataSources: readonly string[],
): Evidence | undefined {
  const reported = projectId.split(':')[1]?.toLowerCase()
  if (day === 0) return { rule: RULE, expected: 'an epoch of which the day is known', actual: 'an epoch without a day' }
  const index = (BigInt(epochId) + BigInt(signer) + BigInt(slotId) + BigInt(day)) % BigInt(dataSources.length)
  const source = dataSources[Number(index)]!
  if (reported === source) return undefined
  return { rule: RULE, expected: `${excerpt(source)}, of day ${day}`, actual: excerpt(reported ?? projectId) }
}
