/** Checks that each role without a consumer group has a process, by what the processes say themselves. */
import type { Log } from '../../../streams/ports.ts'
import type { Topics } from '../../../topology/topics.ts'
import { isStage } from '../../base/roles.ts'
import { duration } from '../../base/words.ts'
import { type ProcessStatus, type RoleHolder, type RoleStatus, rolesOf } from '../../reading/processes.ts'
import { readProcesses } from '../../reading/read-processes.ts'
import { type Finding, notLookedAt } from './finding.ts'

/** The process that had a stage without members, and for how long nothing was heard of it; empty when none is known. */
export function lastHolder(processes: readonly ProcessStatus[], stage: string, now: number): string {
  const holder = rolesOf(processes)
    .find(({ role }) => role === stage)
    ?.processes.find(({ standing }) => standing === 'SILENT')
  return holder === undefined ? '' : `; ${silentWords(holder, now)}`
}

const silentWords = ({ instanceId, since }: RoleHolder, now: number): string =>
  `${instanceId} had it, and was not heard of for ${duration(now - since)}`

export const processesIn = async (log: Log, topics: Topics, now: number): Promise<readonly ProcessStatus[]> =>
  (await readProcesses(log, topics)).list(now).items

export function examineConnectors(items: readonly ProcessStatus[], now: number): readonly Finding[] {
  if (items.length === 0) return [notLookedAt('processes', 'none has said how it is: none runs, or all are older')]
  return rolesOf(items)
    .filter(({ role }) => !isStage(role))
    .map((role) => findingOf(role, now))
}

function findingOf({ role, standing, processes }: RoleStatus, now: number): Finding {
  const holder = processes.find((one) => one.standing === standing) ?? processes[0]
  if (standing === 'RUNS' || standing === 'STANDS_BY') {
    const word = standing === 'RUNS' ? 'works it' : 'stands by; none works it yet'
    return { check: role, ok: standing === 'RUNS' ? true : null, detail: `${holder!.instanceId} ${word}` }
  }
  const advice = `Start a process with --roles ${role}.`
  if (holder === undefined) return { check: role, ok: false, detail: 'no process has it', advice }
  const { instanceId, detail, since } = holder
  const time = duration(now - since)
  if (standing === 'NOBODY') {
    return {
      check: role,
      ok: false,
      detail: silentWords(holder, now),
      advice: `${advice} Or look at that one: it was killed, or is cut off.`,
    }
  }
  const said = `${instanceId} ${standing === 'WAITS' ? 'waits' : 'does not run it'} for ${time}${detail && `: ${detail}`}`
  return {
    check: role,
    ok: false,
    detail: said,
    advice: standing === 'WAITS' ? adviceFor(detail) : 'Read the last lines of it.',
  }
}

/** @param detail what the role waits for */
const adviceFor = (detail: string): string =>
  LOST.test(detail) ? START_AGAIN : 'Bring back what it waits for: it goes on by itself.'

/** The words about a log that is not what was read from it. */
const LOST = /was deleted|were deleted|made anew|has lost/
const START_AGAIN =
  'It does not go on by itself. See "When the log has lost something" in docs/operations.md; a process that only looks on (api) is started again.'
