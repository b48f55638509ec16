import { type FileHandle, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'

/** Where a partition ends: its topic's number in the log, and the next offset. */
export interface PartitionEnd {
  readonly topicId: number
  readonly partition: number
  readonly end: number
}

/** The acknowledged state: the number of the last write, and the ends of the partitions after it. */
export interface EndMark {
  readonly sequence: number
  readonly ends: readonly PartitionEnd[]
}

const END_FILE = 'END'
const MAGIC = 'SEQ-END1'
/** magic | CRC-32 of the rest (u32) | partitions (u32) | number of the last write (f64) */
const HEAD_BYTES = 24
/** topic number (u32) | partition (u32) | end (f64) */
const ENTRY_BYTES = 16
const COPY_BYTES_MIN = 4_096

/**
 * Where the log ends, kept beside LevelDB's files: LevelDB takes a `.log` that was cut off for one that ended there. Written over
 * in place after each write, two copies in turn, so that one of them is whole at any moment; it takes no space that it does not
 * have already. It is not synced: a process that dies loses nothing of it, and after a power failure it may lag behind by what
 * the system had not written yet. It never is ahead of the log.
 */
export class EndFile {
  private readonly directory: string
  private handle: FileHandle | undefined
  private copy = Buffer.alloc(0)
  private places = new Map<string, number>()
  private turn = 0
  /** Bytes of one copy in the file. */
  private room = 0

  constructor(directory: string) {
    this.directory = directory
  }

  /** @returns undefined when there is none, `damaged` when neither copy can be read */
  static async read(directory: string): Promise<EndMark | 'damaged' | undefined> {
    let bytes: Buffer
    try {
      bytes = await readFile(join(directory, END_FILE))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    const marks = [copyAt(bytes, 0), copyAt(bytes, bytes.length / 2)].filter((mark) => mark !== undefined)
    if (marks.length === 0) return 'damaged'
    return marks.reduce((a, b) => (a.sequence >= b.sequence ? a : b))
  }

  /** Writes the file anew, whole or not at all. */
  async create({ sequence, ends }: EndMark): Promise<void> {
    const sizeBytes = HEAD_BYTES + ends.length * ENTRY_BYTES
    let room = COPY_BYTES_MIN
    while (room < sizeBytes * 1.5) room *= 2
    this.copy = Buffer.alloc(room)
    this.room = room
    this.copy.write(MAGIC, 'latin1')
    this.places = new Map()
    for (const one of ends) this.put(one)
    this.seal(sequence)
    const path = join(this.directory, END_FILE)
    const handle = await open(`${path}.new`, 'w+')
    try {
      await handle.write(Buffer.concat([this.copy, this.copy]), 0, room * 2, 0)
      await handle.sync()
      await rename(`${path}.new`, path)
    } catch (error) {
      await handle.close()
      throw error
    }
    await this.handle?.close()
    this.handle = handle
  }

  /** Notes a write that is on disk. Rejects when the file cannot be written; the log has the write all the same. */
  async note(sequence: number, ends: Iterable<PartitionEnd>): Promise<void> {
    for (const one of ends) this.put(one)
    if (!this.handle || this.copy.length !== this.room) return await this.create(this.mark(sequence))
    this.seal(sequence)
    this.turn = 1 - this.turn
    await this.handle.write(this.copy, 0, this.room, this.turn * this.room)
  }

  async close(): Promise<void> {
    const { handle } = this
    this.handle = undefined
    try {
      await handle?.datasync()
    } finally {
      await handle?.close()
    }
  }

  private mark(sequence: number): EndMark {
    return { sequence, ends: [...this.places.values()].map((place) => endAt(this.copy, place)) }
  }

  private put({ topicId, partition, end }: PartitionEnd): void {
    const name = `${topicId}/${partition}`
    let place = this.places.get(name)
    if (place === undefined) {
      place = HEAD_BYTES + this.places.size * ENTRY_BYTES
      this.places.set(name, place)
      if (place + ENTRY_BYTES > this.copy.length) this.copy = Buffer.concat([this.copy, Buffer.alloc(this.copy.length)])
    }
    this.copy.writeUInt32LE(topicId, place)
    this.copy.writeUInt32LE(partition, place + 4)
    this.copy.writeDoubleLE(end, place + 8)
  }

  private seal(sequence: number): void {
    const end = HEAD_BYTES + this.places.size * ENTRY_BYTES
    this.copy.writeUInt32LE(this.places.size, 12)
    this.copy.writeDoubleLE(sequence, 16)
    this.copy.writeUInt32LE(crc32(this.copy.subarray(12, end)), 8)
  }
}

const endAt = (copy: Buffer, place: number): PartitionEnd => ({
  topicId: copy.readUInt32LE(place),
  partition: copy.readUInt32LE(place + 4),
  end: copy.readDoubleLE(place + 8),
})

function copyAt(bytes: Buffer, from: number): EndMark | undefined {
  if (!Number.isInteger(from)) return undefined
  const copy = bytes.subarray(from)
  if (copy.length < HEAD_BYTES || copy.toString('latin1', 0, MAGIC.length) !== MAGIC) return undefined
  const count = copy.readUInt32LE(12)
  const end = HEAD_BYTES + count * ENTRY_BYTES
  if (end > copy.length || copy.readUInt32LE(8) !== crc32(copy.subarray(12, end))) return undefined
  const ends = Array.from({ length: count }, (_, at) => endAt(copy, HEAD_BYTES + at * ENTRY_BYTES))
  return { sequence: copy.readDoubleLE(16), ends }
}
