import { type CommitOutcome, type Log, LogError } from '../../../streams/ports.ts'

export type Commit = (
  burst: Parameters<Awaited<ReturnType<Log['transactionalWriter']>>['commit']>[0],
  commit: () => Promise<CommitOutcome>,
) => CommitOutcome | Promise<CommitOutcome>

/** A log on whose commits a test has its say; once `access` is closed it is that of a killed process. */
export function withCommits(log: Log, around: Commit, access = { open: true }): Log {
  return Object.assign(Object.create(log) as Log, {
    transactionalWriter: async (id: string) => {
      if (!access.open) throw new LogError('CLOSED', 'this process was killed')
      const writer = await log.transactionalWriter(id)
      return {
        commit: (burst: Parameters<Commit>[0]) => around(burst, () => writer.commit(burst)),
        close: () => writer.close(),
      }
    },
  })
}
