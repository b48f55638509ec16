/** A log as an onlooker sees it, who keeps no position: when a topic was made anew, the log is opened again, and seen as it is now. */
import { type Log, PositionLostError } from '../../streams/ports.ts'
import type { Closeable } from '../base/lifecycle.ts'

export interface Sight extends Closeable {
  /**
   * Looks at the log as it is seen now.
   * @param lost called when the log was opened again: what was read so far lay in another topic
   * @throws what the look throws; PositionLostError only where the log cannot be opened again
   */
  look<T>(look: (log: Log) => Promise<T>, lost: () => void): Promise<T>
}

/** @param log stays open; it is seen until a topic turns out to be another */
export function createSight(log: Log): Sight {
  let seen = log
  const see = async (next: Log): Promise<void> => {
    const before = seen
    seen = next
    if (before !== log) await before.close()
  }
  return {
    async look(look, lost) {
      try {
        return await look(seen)
      } catch (error) {
        if (!(error instanceof PositionLostError) || !log.reopened) throw error
        await see(await log.reopened())
        lost()
        return await look(seen)
      }
    },
    close: () => see(log),
  }
}
