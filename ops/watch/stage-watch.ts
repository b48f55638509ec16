/** Whether the stages go on, whichever process runs them: seen from what their groups have committed. */

export interface StageProgress {
  /** Records of its input that it has not taken yet. */
  readonly behind: number
  /** The time since when it has taken none of the records of some partition, ms since 1970; null while it goes on. */
  readonly stillSince: number | null
  /** The obstacle that it cannot read past, in words; null when none is known. */
  readonly waitsAt: string | null
}

export interface StageWatch {
  /**
   * Called for every partition of its input, every few seconds.
   * @returns whether it stands where it stood at the look before, with records to take
   */
  saw(stage: string, partition: string, position: number, behind: number): boolean
  /** Why it gets no further there, as long as it stands where it was seen last; undefined when nothing speaks against it. */
  cannotPass(stage: string, partition: string, why: string | undefined): void
  /** The log does not answer: nothing is known any more. */
  lostSight(): void
  report(): Readonly<Record<string, StageProgress>>
}

/** Fewer may be the ends of transactions, which nobody takes; the alert `StageStalled` has the same. */
const BEHIND_MIN = 10

interface Seen {
  readonly position: number
  readonly behind: number
  /** When it was first seen at this position with records to take. */
  readonly since: number
  /** When it was seen last. */
  readonly at: number
  readonly why: string | undefined
}

export function createStageWatch(now: () => number): StageWatch {
  const stages = new Map<string, Map<string, Seen>>()
  return {
    saw(stage, partition, position, behind) {
      const partitions = stages.get(stage) ?? new Map<string, Seen>()
      const last = partitions.get(partition)
      const stands = last?.position === position && behind > 0
      const isStill = stands && behind > BEHIND_MIN && last.behind > BEHIND_MIN
      const why = stands ? last.why : undefined
      partitions.set(partition, { position, behind, since: isStill ? last.since : now(), at: now(), why })
      stages.set(stage, partitions)
      return stands
    },
    cannotPass(stage, partition, why) {
      const last = stages.get(stage)?.get(partition)
      if (last) stages.get(stage)!.set(partition, { ...last, why })
    },
    lostSight: () => stages.clear(),
    report: () => Object.fromEntries([...stages].map(([stage, seen]) => [stage, progressOf([...seen.values()])])),
  }
}

function progressOf(partitions: readonly Seen[]): StageProgress {
  const behind = partitions.reduce((sum, seen) => sum + seen.behind, 0)
  const still = partitions.filter(({ since, at }) => since < at).map(({ since }) => since)
  const stillSince = still.reduce<number | null>((min, since) => Math.min(min ?? since, since), null)
  return { behind, stillSince, waitsAt: partitions.find(({ why }) => why !== undefined)?.why ?? null }
}
