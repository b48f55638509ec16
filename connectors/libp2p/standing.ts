/** What a connection, and all of one address, may still send, and how it has done so far. */
import { type IntakeLimits, TokenBucket } from './limits.ts'

export class Standing {
  readonly pace: TokenBucket
  /** Doubtful messages that are still taken. */
  readonly doubtful: TokenBucket
  /** Votes less doubtful messages. */
  credit = 0
  /** Signatures that are not the owner's, less votes, less time. */
  faults = 0

  constructor(limits: IntakeLimits, now: number, of: 'connection' | 'host') {
    const own = of === 'connection'
    this.pace = new TokenBucket(own ? limits.pacePerConnection : limits.pacePerHost, now)
    this.doubtful = new TokenBucket(own ? limits.doubtfulPerConnection : limits.doubtfulPerHost, now)
  }
}
