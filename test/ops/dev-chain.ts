/** What tests ask of a run of `dev` and of its chain. */
import { expect } from 'vitest'
import { runSequencer } from './run-sequencer.ts'

/** Of an anvil on the directory of a `dev` that has ended, or on an empty one. */
export const chainOfDev = {
  port: 0,
  chainId: 31337,
  blockTimeSeconds: 1,
  fundedAccounts: 2,
  idleSeconds: 120,
  stateIntervalSeconds: 60,
}

/** What a command that must succeed prints as JSON of a data directory. */
export const askOf =
  (dataDir: string) =>
  async <T>(...args: string[]): Promise<T> => {
    const run = await runSequencer([...args, '--data-dir', dataDir, '--json'])
    expect(run.exitCode, run.stderr).toBe(0)
    return JSON.parse(run.stdout) as T
  }
