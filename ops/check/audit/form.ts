/** Whether the texts of a submission are as long and as printable as its market wants them, and its project one of the market. */
import type { MarketRules } from '../../../topology/rules.ts'
import type { KeptSubmission } from './entry.ts'

type Fault = 'MALFORMED' | 'OVERSIZE' | 'FOREIGN_PROJECT'

export function faultOfForm(submission: KeptSubmission, rules: MarketRules): Fault | undefined {
  if (!isUuid(submission.submissionId)) return 'MALFORMED'
  const texts = [
    [submission.projectId, 1, rules.projectIdBytesMax],
    [submission.snapshotCid, 1, rules.snapshotCidBytesMax],
    [submission.nodeVersion ?? '', 0, rules.nodeVersionBytesMax],
  ] as const
  for (const [text, bytesMin, bytesMax] of texts) {
    const { length } = new TextEncoder().encode(text)
    if (length < bytesMin) return 'MALFORMED'
    if (length > bytesMax) return 'OVERSIZE'
    for (const character of text) if (isHidden(character.codePointAt(0)!)) return 'MALFORMED'
  }
  return isOfMarket(submission.projectId, rules.projectIds) ? undefined : 'FOREIGN_PROJECT'
}

const isLowerHex = (text: string): boolean => [...text].every((digit) => '0123456789abcdef'.includes(digit))

function isUuid(text: string): boolean {
  const groups = text.split('-')
  return groups.every(isLowerHex) && groups.map(({ length }) => length).join() === '8,4,4,4,12'
}

/** Nothing, or nothing by itself, is shown of it: first and last code points by plane, from the tables of Unicode 16. */
const HIDDEN =
  '0-1f 7f-9f ad 34f 600-605 61c 6dd 70f 890-891 8e2 115f-1160 17b4-17b5 180b-180f 200b-200f 2028-202e 2060-206f 3164 ' +
  'd800-dfff fe00-fe0f feff ffa0 fff0-fffb ' +
  '110bd 110cd 13430-1343f 1bca0-1bca3 1d173-1d17a e0000-e0fff'
const hiddenRanges = HIDDEN.split(' ').map((range) => {
  const [first, last = first] = range.split('-')
  return [Number.parseInt(first!, 16), Number.parseInt(last!, 16)] as const
})
const isHidden = (code: number): boolean => hiddenRanges.some(([first, last]) => code >= first && code <= last)

/** One of the patterns is the id, or is it with something, or nothing, in the place of its star. */
const isOfMarket = (projectId: string, patterns: readonly string[]): boolean =>
  patterns.length === 0 ||
  patterns.some((pattern) => {
    const [start = '', end] = pattern.split('*')
    if (end === undefined) return pattern === projectId
    const middle = projectId.length - start.length - end.length
    return middle >= 0 && start + projectId.substring(start.length, start.length + middle) + end === projectId
  })
