/** Short days of the development chain, and what slots share that have earned one. */
import type { DevTransaction } from './dev-sender.ts'

export interface DevDays {
  /** Epochs of a day, 2 at least. */
  readonly epochs: number
  /** Submissions with which a slot has earned the day. */
  readonly quota: number
}

/** Block time of the source chain, in units of 1e-4 s: 12 s. */
export const SOURCE_BLOCK_TIME = 120_000
/** The pool that the slots that earned a day share, wei. */
const REWARD_POOL = 10n ** 21n

export interface DevDayPorts {
  readonly read: (name: string, args: readonly unknown[]) => Promise<unknown>
  readonly call: (name: string, args: readonly unknown[]) => DevTransaction
}

/**
 * The changes that the owner has to make. A chain of an older release has a contract that counts no quota: its days stay as they
 * are.
 */
export async function dayChanges(
  markets: readonly string[],
  days: DevDays,
  { read, call }: DevDayPorts,
): Promise<DevTransaction[]> {
  const changes: DevTransaction[] = []
  for (const market of markets) {
    const quota = await read('dailySnapshotQuota', [market]).catch(() => undefined)
    if (quota === undefined) continue
    const size = days.epochs * Number(await read('EPOCH_SIZE', [market])) * SOURCE_BLOCK_TIME
    if (Number(await read('DAY_SIZE', [market])) !== size) changes.push(call('devSetDaySize', [market, size]))
    if (Number(quota) !== days.quota) changes.push(call('updateDailySnapshotQuota', [market, days.quota]))
    if (Number(await read('rewardPoolSize', [market])) === 0)
      changes.push(call('updateRewardPoolSize', [market, REWARD_POOL]))
  }
  return changes
}
