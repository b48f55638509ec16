import { LogError, PositionLostError } from '../../../streams/ports.ts'
import type { TopicMetadata } from './requests/metadata.ts'

/**
 * The topics as this process first saw them, with the partitions that it works with. Keys are looked for in the partitions where they were
 * put, and positions mean something in the log that they were kept for: so a topic with fewer partitions, or with another id, is not gone on
 * with. Partitions that somebody adds change nothing: nobody here writes or reads them.
 */
export class TopicIdentities {
  private readonly partitionCounts = new Map<string, number>()
  private readonly ids = new Map<string, string>()
  private readonly changes = new Map<string, LogError>()

  /** Id of the topic as it was first seen; undefined when it was not, and where the cluster gives none. */
  idOf(topic: string): string | undefined {
    return this.ids.get(topic)
  }

  /** The process works with so many partitions of the topic, however many there are. */
  expects(topic: string, partitions: number): void {
    this.partitionCounts.set(topic, partitions)
  }

  /** The topic with the partitions that the process works with: those that somebody has added are left out. */
  ownPartitions(found: TopicMetadata): TopicMetadata {
    return { ...found, leaders: found.leaders.slice(0, this.partitionCounts.get(found.name)) }
  }

  /** @returns whether the topic is still the same */
  learn(found: TopicMetadata): boolean {
    const change = this.changeOf(found)
    if (change) this.changes.set(found.name, change)
    else this.changes.delete(found.name)
    return change === undefined
  }

  /** Why no position in the topic means anything any more, as far as is known; undefined when nothing speaks against it. */
  lossOf(topic: string): PositionLostError | undefined {
    const change = this.changes.get(topic)
    return change instanceof PositionLostError ? change : undefined
  }

  /** The topic does not exist so far: its maker may choose its partitions. */
  missing(topic: string): void {
    this.partitionCounts.delete(topic)
  }

  /** The error about a missing topic: that it never existed, as far as is known here, or that it was deleted. */
  unknown(topic: string): LogError {
    const id = this.ids.get(topic)
    if (id === undefined) return new LogError('UNKNOWN_TOPIC', `there is no topic ${topic}`)
    return new PositionLostError(
      'TOPIC_DELETED',
      { topic },
      `topic ${topic}, whose id was ${id}, was deleted while this process ran; it may have been made anew since. ${ADVICE}`,
    )
  }

  /** @throws LogError `TOPIC_MISMATCH`, PositionLostError `TOPIC_RECREATED` when one of them has changed */
  expectUnchanged(topics: readonly string[]): void {
    for (const topic of topics) {
      const change = this.changes.get(topic)
      if (change) throw change
    }
  }

  private changeOf({ name, id, leaders: { length: found } }: TopicMetadata): LogError | undefined {
    const known = this.ids.get(name) ?? id
    if (known !== undefined) this.ids.set(name, known)
    if (id !== undefined && id !== known)
      return new PositionLostError('TOPIC_RECREATED', { topic: name }, recreated(name, known!, id))
    const expected = this.partitionCounts.get(name) ?? found
    this.partitionCounts.set(name, expected)
    if (found >= expected) return undefined
    return new LogError('TOPIC_MISMATCH', tooFew(name, found, expected))
  }
}

/** Says that a topic is not the one that was deployed. */
export const tooFew = (name: string, found: number, expected: number): string =>
  `topic ${name} has ${found} partitions, not ${expected}. Kafka takes none away, so it was deleted and made anew by somebody else: ` +
  `which partition a key is in, and so where its state is, follows from their number. ${ADVICE}`

const recreated = (name: string, known: string, id: string): string =>
  `topic ${name} was deleted and made anew while this process ran: its id was ${known} and is ${id} now. Nothing is read ` +
  `from it, since positions in the old one mean nothing in the new one. ${ADVICE}`

const ADVICE = 'See "When the log has lost something" in docs/operations.md'
