/** The errors with which a fetch of a partition fails. */
import { LogError, PositionLostError } from '../../../streams/ports.ts'
import type { Ask } from './fetch-ask.ts'

export const notGiven = ({ name, offset }: Ask): LogError =>
  new LogError('OFFSET_NOT_AVAILABLE', `${name}: the leader does not give what it has from ${offset} on`, {
    retriable: true,
  })

/** For good: a reader that went on would miss the records in the place of those that are gone. */
export const truncated = ({ topic, partition, name, offset }: Ask, which: string): PositionLostError =>
  new PositionLostError(
    'TRUNCATED',
    { topic, partition },
    `${name}: records before offset ${offset} were read here, and the cluster has lost ${which} (an unclean leader election, ` +
      'a lost disk, or a topic made anew)',
  )

export const asLogError = (error: unknown): LogError =>
  error instanceof LogError ? error : new LogError('FETCH_FAILED', (error as Error).message, { cause: error })

/** For a damaged record. Retriable: a replica that has what was written may become the leader, or an operator deletes the record. */
export const damagedAt = ({ name, offset }: Ask, { code, message }: LogError): LogError =>
  new LogError(code, `${name}, offset ${offset}: ${message}`, { retriable: true })
