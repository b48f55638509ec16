/**
 * Which member of a group works on which partition numbers. A number goes to one member for all topics of the group, so
 * that a task finds its partition of every topic in one place.
 *
 * Balanced: loads differ by one at most. Sticky: a number stays with its previous member while that keeps the balance.
 * Deterministic: members count in the order of their names, so every leader computes the same.
 * @param names names of the members, distinct
 * @param previous partition number → name of the member that had it
 * @returns for each name, its partition numbers in ascending order
 */
export function assignPartitions(
  names: readonly string[],
  partitions: number,
  previous: ReadonlyMap<number, string>,
): Map<string, number[]> {
  const sorted = [...names].sort()
  const shares = new Map<string, number[]>(sorted.map((name) => [name, []]))
  if (sorted.length === 0) return shares
  const floor = Math.floor(partitions / sorted.length)
  let larger = partitions % sorted.length // so many members may have floor + 1
  const free: number[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const share = shares.get(previous.get(partition) ?? '')
    if (share === undefined || share.length > floor || (share.length === floor && larger === 0)) {
      free.push(partition)
      continue
    }
    if (share.length === floor) larger--
    share.push(partition)
  }
  for (const partition of free) leastLoaded(sorted, shares).push(partition)
  for (const share of shares.values()) share.sort((a, b) => a - b)
  return shares
}

function leastLoaded(sorted: readonly string[], shares: ReadonlyMap<string, number[]>): number[] {
  let least = shares.get(sorted[0]!)!
  for (const name of sorted) {
    const share = shares.get(name)!
    if (share.length < least.length) least = share
  }
  return least
}
