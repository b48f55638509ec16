import type { GroupListener, JoinOptions, Membership } from '../../../streams/ports.ts'
import type { GroupEvent, Groups } from './groups.ts'

/**
 * Joins a group whose coordinator lives in this process.
 *
 * The first assignment is delivered after `join` has resolved. Later ones are delivered at once, inside the call that
 * changed the group, so that no burst of a member that stays is sealed with an old generation.
 */
export function joinLocally(
  groups: Groups,
  options: JoinOptions,
  listener: GroupListener,
): Membership & { readonly memberId: string } {
  const early: GroupEvent[] = []
  let started = false
  let left = false
  const deliver = (event: GroupEvent): void => {
    if (left) return
    if (event.kind === 'assigned') listener.assigned(event.partitions, event.identity, event.standbys)
    else listener.lost(event.cause)
  }
  const memberId = groups.join(options, (event) => (started ? deliver(event) : early.push(event)))
  setImmediate(() => {
    started = true
    for (const event of early) deliver(event)
  })
  return {
    memberId,
    leave: async () => {
      left = true
      groups.leave(options.group, memberId)
    },
  }
}
