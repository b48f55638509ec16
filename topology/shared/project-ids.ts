/**
 * Which market a project belongs to (decision 0022). The market is not signed, so a vote of one market could be sent again
 * as a vote of another; the project is signed, so each market says which projects it takes.
 *
 * A pattern is a whole project id, or has one `*` that stands for any characters: `*:UNISWAPV2`.
 */

const ANY = '*'

/** No patterns: every project. Time is linear in the id. */
export const takesProject = (patterns: readonly string[], projectId: string): boolean =>
  patterns.length === 0 || patterns.some((pattern) => matches(pattern, projectId))

function matches(pattern: string, projectId: string): boolean {
  const [start, end] = endsOf(pattern)
  if (end === undefined) return projectId === start
  return projectId.length >= start.length + end.length && projectId.startsWith(start) && projectId.endsWith(end)
}

/** The text before and behind the `*`; nothing behind when there is no `*`. */
function endsOf(pattern: string): readonly [start: string, end: string | undefined] {
  const at = pattern.indexOf(ANY)
  return at < 0 ? [pattern, undefined] : [pattern.slice(0, at), pattern.slice(at + 1)]
}

/** The fault of a pattern; undefined when it has none. */
export function patternFault(pattern: string): string | undefined {
  if (pattern === '') return 'it is empty'
  return pattern.split(ANY).length > 2 ? 'it has more than one *' : undefined
}

/** The part of a market's rules that is needed here. */
interface Market {
  readonly dataMarket: string
  readonly projectIds: readonly string[]
}

/** Two patterns of two markets that take one and the same project id; of a market without patterns, `*`. */
export interface SharedProjects {
  readonly markets: readonly [string, string]
  readonly patterns: readonly [string, string]
}

/** For each two of the markets the first patterns that overlap. */
export function sharedProjects(markets: readonly Market[]): SharedProjects[] {
  return markets.flatMap((one, i) =>
    markets.slice(i + 1).flatMap((other) => {
      const patterns = firstShared(one.projectIds, other.projectIds)
      return patterns ? [{ markets: [one.dataMarket, other.dataMarket] as const, patterns }] : []
    }),
  )
}

function firstShared(of: readonly string[], others: readonly string[]): readonly [string, string] | undefined {
  for (const one of of.length > 0 ? of : [ANY])
    for (const other of others.length > 0 ? others : [ANY]) if (overlap(one, other)) return [one, other]
  return undefined
}

/** Whether some project id matches both: the longer start with the longer end does, if any does. */
function overlap(one: string, other: string): boolean {
  const [[start, end], [otherStart, otherEnd]] = [endsOf(one), endsOf(other)]
  if (end === undefined) return matches(other, one)
  if (otherEnd === undefined) return matches(one, other)
  const starts = start.startsWith(otherStart) || otherStart.startsWith(start)
  return starts && (end.endsWith(otherEnd) || otherEnd.endsWith(end))
}
