/**
 * The processes of the sequencer, as each says of itself in the log. The API has no login, so machines and addresses are not told:
 * `sequencer status` on the log has them.
 */
import type { Topics } from '../../../topology/topics.ts'
import type { Closeable } from '../../base/lifecycle.ts'
import { type FollowPorts, followTopic } from '../../reading/follow-topic.ts'
import { type Processes, ProcessTable } from '../../reading/processes.ts'
import { REPORTS_RECALLED } from '../../reading/read-processes.ts'

export interface ProcessReports extends Closeable {
  list(): Processes
}

export function followProcesses(
  { clock, ...ports }: FollowPorts,
  { processes }: Pick<Topics, 'processes'>,
): ProcessReports {
  let table = new ProcessTable()
  let isLive = false
  const followed = followTopic({ clock, ...ports }, processes, {
    recalled: REPORTS_RECALLED,
    apply({ instanceId }, report) {
      const now = clock.now()
      table.apply(instanceId, report, isLive ? now : (report?.at ?? now))
    },
    caughtUp() {
      isLive = true // events from now on are heard by our own clock
    },
    clear() {
      table = new ProcessTable()
      isLive = false
    },
  })
  return { list: () => table.list(clock.now()), close: () => followed.close() }
}
