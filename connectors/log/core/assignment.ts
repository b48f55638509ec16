/**
 * Which member of a group works on which partition numbers, and which keep their state ready. A number goes to one member
 * for all topics of the group, so that a task finds its partition of every topic in one place.
 *
 * Balanced: loads differ by one at most. Sticky: a number stays with its previous member while that keeps the balance.
 * Warm: one that loses its member goes where most of its state is. Deterministic: members count in the order of their
 * names, so every leader computes the same.
 */

/** A member as an assignment sees it. */
export interface AssignableMember {
  /** Distinct within a group. */
  readonly name: string
  /** Number → how much of that task's state it keeps ready; the more the better. */
  readonly restored: ReadonlyMap<number, number>
}

export interface TaskAssignment {
  /** In ascending order, like the standbys. */
  readonly active: number[]
  readonly standby: number[]
}

/**
 * @param previous partition number → name of the member that had it
 * @param standbys members that keep each task's state ready beside its owner, as far as there are others
 * @returns name → its share
 */
export function assignTasks(
  members: readonly AssignableMember[],
  partitions: number,
  previous: ReadonlyMap<number, string>,
  standbys: number,
): Map<string, TaskAssignment> {
  const sorted = members.toSorted(byName)
  const shares = new Map<string, TaskAssignment>(sorted.map(({ name }) => [name, { active: [], standby: [] }]))
  if (sorted.length === 0) return shares
  assignActive(sorted, partitions, previous, shares)
  for (let copy = 0; copy < Math.min(standbys, sorted.length - 1); copy++) assignStandby(sorted, partitions, shares)
  for (const { active, standby } of shares.values()) for (const share of [active, standby]) share.sort((a, b) => a - b)
  return shares
}

type Shares = ReadonlyMap<string, TaskAssignment>

function assignActive(
  members: readonly AssignableMember[],
  partitions: number,
  previous: ReadonlyMap<number, string>,
  shares: Shares,
): void {
  const floor = Math.floor(partitions / members.length)
  let larger = partitions % members.length // so many members may have floor + 1
  const take = (share: number[] | undefined, partition: number): boolean => {
    if (share === undefined || share.length > floor || (share.length === floor && larger === 0)) return false
    if (share.length === floor) larger--
    share.push(partition)
    return true
  }
  const all = Array.from({ length: partitions }, (_, partition) => partition)
  const lost = all.filter((partition) => !take(shares.get(previous.get(partition) ?? '')?.active, partition))
  const cold = lost.filter(
    (partition) => !warmest(members, partition).some(({ name }) => take(shares.get(name)!.active, partition)),
  )
  for (const partition of cold) shares.get(leastLoaded(members, shares, 'active'))!.active.push(partition)
}

/** A further copy of each task's state: where there is one already, else where there are fewest. */
function assignStandby(members: readonly AssignableMember[], partitions: number, shares: Shares): void {
  const most = Math.ceil(partitions / members.length)
  const added = new Map<string, number>()
  const take = (name: string, partition: number): void => {
    shares.get(name)!.standby.push(partition)
    added.set(name, (added.get(name) ?? 0) + 1)
  }
  for (let partition = 0; partition < partitions; partition++) {
    const free = members.filter(({ name }) => !holds(shares.get(name)!, partition))
    const warm = warmest(free, partition).find(({ name }) => (added.get(name) ?? 0) < most)
    take(warm?.name ?? leastLoaded(free, shares, 'standby'), partition)
  }
}

const holds = ({ active, standby }: TaskAssignment, partition: number): boolean =>
  active.includes(partition) || standby.includes(partition)

/** Members that have some of its state, those with most of it first. */
const warmest = (members: readonly AssignableMember[], partition: number): AssignableMember[] =>
  members
    .filter(({ restored }) => restored.has(partition))
    .sort((a, b) => b.restored.get(partition)! - a.restored.get(partition)! || byName(a, b))

/** @param members at least one */
function leastLoaded(members: readonly AssignableMember[], shares: Shares, kind: keyof TaskAssignment): string {
  const load = ({ name }: AssignableMember): number => shares.get(name)![kind].length
  return members.reduce((least, member) => (load(member) < load(least) ? member : least)).name
}

const byName = (a: AssignableMember, b: AssignableMember): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
