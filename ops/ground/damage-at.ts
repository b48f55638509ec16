import type { FetchPosition, Log } from '../../streams/ports.ts'
import type { Unreadable } from '../../streams/read-record.ts'
import { scan } from '../reading/scan.ts'

/**
 * The obstacle, in words, to a reader that may miss nothing and reads on from this position: a batch that is damaged and comes
 * before any record. Undefined when there is none, or when the log does not say.
 */
export async function damageAt(log: Log, { offset, ...at }: FetchPosition): Promise<string | undefined> {
  const met: Unreadable[] = []
  const pieces = scan(log, at, { from: offset, tell: (one) => void met.push(one) })
  try {
    await pieces.next()
    await pieces.return(undefined)
  } catch {
    return met[0]?.why // records behind it cannot be read at present
  }
  return met[0]?.why
}

/** The remedy. */
export const DAMAGE_ADVICE =
  'Let another replica lead: mostly it has the batch. "A damaged batch" in docs/operations.md says what to do when none has it.'
