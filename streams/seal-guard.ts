/** The sealed records of a partition in their order: each counts once, and none out of its turn. */
import { EngineState, type Tally } from './engine-state.ts'
import type { LogRecord } from './ports.ts'
import { ForgedError, type Seal, type Seals, unsealed } from './seals.ts'

/**
 * The sealed records of one partition, as one reader takes them: each that is sealed for this partition and comes behind those
 * taken before it. So a copy of a record changes nothing, wherever it is put.
 */
export class SealGuard {
  private readonly topic: string
  private readonly partition: number
  private readonly seals: Seals
  private readonly state: EngineState

  /** @param state where the newest seal is remembered; by default as long as the guard is, for who reads from the start of the topic */
  constructor(topic: string, partition: number, seals: Seals, state: EngineState = new EngineState('', '')) {
    this.topic = topic
    this.partition = partition
    this.seals = seals
    this.state = state
  }

  /** @throws ForgedError: who may write there did not write the record, or it was taken before */
  take({ key, value, headers }: LogRecord): void {
    const { topic, partition, seals } = this
    const seal = seals.read({ topic, partition, key: key!, value: value! }, headers)
    const newest = this.state.find(this.keyOf())
    if (seal === undefined) {
      if (seals.unsealedFirst && newest === undefined) return
      throw unsealed()
    }
    if (newest && !seals.mayFollow(seal.key, newest.counts[KEY_FIELD]!))
      throw new ForgedError('it is sealed with a key that was replaced before')
    if (seal.writer !== undefined) {
      const own = this.state.find(this.keyOf(seal.writer))
      if (own) expectBehind(own, seal)
      this.keep(this.keyOf(seal.writer), seal)
    } else if (newest) expectBehind(newest, seal)
    this.keep(this.keyOf(), seal)
  }

  private keep(key: string, seal: Seal): void {
    const row = this.state.findOrCreate(key, LAST_FIELDS)
    row.counts.splice(0, LAST_FIELDS, seal.offset, seal.index, seal.key)
    this.state.touch(row)
  }

  /** The newest of the topic, or of one of its writers. */
  private keyOf(writer?: number): string {
    return writer === undefined ? `sealed/${this.topic}` : `sealed/${this.topic}/${writer}`
  }
}

/** Offset, index, key. */
const LAST_FIELDS = 3
const KEY_FIELD = 2

function expectBehind({ counts }: Tally, seal: Seal): void {
  const [offset, index] = counts as [number, number, number]
  if (seal.offset > offset || (seal.offset === offset && seal.index > index)) return
  throw new ForgedError(
    `it is there for the second time: it was made at ${seal.offset}.${seal.index}, the newest at ${offset}.${index}`,
  )
}
