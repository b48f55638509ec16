import { ClassicLevel } from 'classic-level'
import { LogError } from '../../../streams/ports.ts'
import { EndFile, type EndMark, type PartitionEnd } from './end-file.ts'
import type { LevelOperation, LevelRange } from './level-operation.ts'
import { inspectFiles } from './leveldb/inspect.ts'
import type { FileFault } from './leveldb/write-logs.ts'
import { readSequence, type StoredTopic, sequenceKey } from './meta-rows.ts'
import { keepTopics } from './topics-file.ts'

/**
 * Large buffers mean few compactions: bursts of some MiB are the normal write, and recovery after a crash reads one buffer.
 * Without compression writing is 2.7 times as fast (bench/log.ts: 326k against 119k records of 400 B a second), for about
 * twice the space.
 */
const LEVEL_OPTIONS = {
  keyEncoding: 'buffer',
  valueEncoding: 'buffer',
  compression: false,
  writeBufferSize: 32 * 1024 * 1024,
  maxFileSize: 32 * 1024 * 1024,
  blockSize: 64 * 1024,
  cacheSize: 32 * 1024 * 1024,
} as const

/** Tables are read whole up to this size when the log is opened, the newest first; `log check` reads all of them. */
const VERIFY_BYTES = 1024 * 1024 * 1024
/** Faults that a refusal names. */
const FAULTS_NAMED = 3

/** A LevelDB directory. Every failure comes out as a `LogError` that says what to do. */
export class LevelStore {
  readonly directory: string
  private database: ClassicLevel<Buffer, Buffer> | undefined
  private readonly endFile: EndFile
  private end: EndMark | undefined

  constructor(directory: string) {
    this.directory = directory
    this.endFile = new EndFile(directory)
  }

  /** The acknowledged state, as the file beside the database knows it; undefined in a log of format 1 and in a new one. */
  get acknowledged(): EndMark | undefined {
    return this.end
  }

  /**
   * Opens what is whole, and refuses what is damaged before LevelDB can make it worse.
   * @param mustExist refuse to create anything
   * @throws LogError `NOT_FOUND`, `LOCKED`, `READ_ONLY`, `DISK_FULL`, `CORRUPT`, `IO_ERROR`
   */
  async open(mustExist: boolean): Promise<void> {
    const exists = await this.guard(() => this.inspect(VERIFY_BYTES))
    if (mustExist && !exists)
      throw new LogError('NOT_FOUND', `there is no log in ${this.directory}: start the sequencer there first`)
    // Created only here: a ClassicLevel opens, and creates, its directory by itself.
    this.database = new ClassicLevel<Buffer, Buffer>(this.directory, { ...LEVEL_OPTIONS, createIfMissing: !exists })
    await this.guard(() => this.level.open())
  }

  /** Opens whatever LevelDB can make of the files; for a repair, and on a copy. */
  async openAsItIs(): Promise<void> {
    this.database = new ClassicLevel<Buffer, Buffer>(this.directory, { ...LEVEL_OPTIONS, createIfMissing: false })
    await this.guard(() => this.level.open())
  }

  /** @throws LogError `LOCKED` when a process has the directory open */
  async checkUnlocked(): Promise<void> {
    // A file that another process is writing looks damaged. Only LevelDB can ask for the lock; this way it changes nothing else.
    try {
      await new ClassicLevel(this.directory).open({ createIfMissing: false, errorIfExists: true })
    } catch (error) {
      const classified = classify(error, this.directory)
      if (classified.code === 'LOCKED') throw classified
    }
  }

  /** After a failed write LevelDB's own log file is in an unknown state; opening again cuts it back to whole batches. */
  async reopen(): Promise<void> {
    await this.guard(async () => {
      await this.level.close()
      await this.inspect(0) // its tables are as they were
      await this.level.open({ createIfMissing: false })
    })
  }

  async close(): Promise<void> {
    await this.guard(async () => this.database?.close())
    await this.endFile.close().catch(() => {}) // it lags behind at worst
  }

  /** Begins to keep the end of the log in a file of its own. */
  async keepEnd(mark: EndMark): Promise<void> {
    await this.guard(() => this.endFile.create(mark))
    this.end = mark
  }

  /** Keeps the topics beside the database; a repair reads them where their rows are lost. */
  async keepTopics(topics: readonly StoredTopic[]): Promise<void> {
    await keepTopics(this.directory, topics).catch(() => {}) // the next start writes them again
  }

  /**
   * Notes a write that is on disk, before it is acknowledged. A disk that does not take this note has the write all the
   * same; the next note, or the next start, says it again.
   */
  async noteEnd(sequence: number, ends: Iterable<PartitionEnd>): Promise<void> {
    await this.endFile.note(sequence, ends).then(
      () => {
        this.end = { sequence, ends: [] }
      },
      () => {},
    )
  }

  /** @returns whether there is a log @throws LogError when it is damaged, or open elsewhere */
  private async inspect(verifyBytes: number): Promise<boolean> {
    const kept = this.end ?? (await EndFile.read(this.directory))
    const numbers = {
      key: sequenceKey,
      read: (value: Buffer) => readSequence(value).sequence,
      acknowledged: kept === 'damaged' ? undefined : kept?.sequence,
    }
    const { exists, faults } = await inspectFiles(this.directory, numbers, kept !== undefined, verifyBytes)
    const all = kept === 'damaged' ? [...faults, { file: 'END', message: 'neither of its copies can be read' }] : faults
    if (all.length > 0) {
      await this.checkUnlocked()
      throw damaged(this.directory, all)
    }
    if (kept !== 'damaged') this.end = kept
    return exists
  }

  /** All operations or none, durable when it resolves. */
  async write(operations: LevelOperation[]): Promise<void> {
    await this.guard(() => this.level.batch(operations, { sync: true }))
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    return await this.guard(() => this.level.get(key))
  }

  /** The entries of a range in key order, at most about `chunkBytes` at a time. Stopping early is fine. */
  async *entries(range: LevelRange, chunkBytes: number): AsyncGenerator<[Buffer, Buffer]> {
    const iterator = await this.guard(async () => this.level.iterator({ ...range, highWaterMarkBytes: chunkBytes }))
    try {
      for (;;) {
        const chunk = await this.guard(() => iterator.nextv(ENTRIES_PER_CHUNK))
        if (chunk.length === 0) return
        yield* chunk
      }
    } finally {
      await iterator.close()
    }
  }

  /** The keys of a range in order. For ranges that mostly are empty. */
  async keys(range: LevelRange): Promise<Buffer[]> {
    return await this.guard(() => this.level.keys(range).all())
  }

  async firstKey(range: LevelRange): Promise<Buffer | undefined> {
    return (await this.guard(() => this.level.keys({ ...range, limit: 1 }).all()))[0]
  }

  /** Deletes a range; it is gone for good when this resolves. For ranges that mostly are empty. */
  async erase(range: LevelRange): Promise<void> {
    const keys = await this.keys(range)
    if (keys.length > 0) await this.write(keys.map((key) => ({ type: 'del', key })))
  }

  /** Deletes a range, in the background of whatever else is written; not atomic. */
  async clear(range: LevelRange): Promise<void> {
    await this.guard(() => this.level.clear(range))
  }

  private get level(): ClassicLevel<Buffer, Buffer> {
    return this.database!
  }

  private async guard<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      throw classify(error, this.directory)
    }
  }
}

const ENTRIES_PER_CHUNK = 1_000

function damaged(directory: string, faults: readonly FileFault[]): LogError {
  const named = faults.slice(0, FAULTS_NAMED).map(({ file, message }) => `${file}: ${message}`)
  const more = faults.length > FAULTS_NAMED ? `; and ${faults.length - FAULTS_NAMED} more faults` : ''
  return new LogError(
    'CORRUPT',
    `the log in ${directory} is damaged, and nothing there was changed: ${named.join('; ')}${more}`,
  )
}

/** The meaning of a LevelDB failure for the user of the log. */
function classify(error: unknown, directory: string): LogError {
  if (error instanceof LogError) return error
  const text = messagesOf(error)
  const failure = (code: string, message: string, retriable: boolean): LogError =>
    new LogError(code, `${message} (${text})`, { retriable, cause: error })
  if (/LEVEL_LOCKED|lock .*(temporarily unavailable|already held)/i.test(text)) {
    return failure(
      'LOCKED',
      `another process has the log in ${directory} open: stop it, or use another directory`,
      false,
    )
  }
  if (/no space left|file too large|quota exceeded|ENOSPC|EDQUOT|EFBIG/i.test(text)) {
    return failure('DISK_FULL', `no space left for the log in ${directory}: free some, writing goes on by itself`, true)
  }
  if (/read-only|permission denied|not permitted|EROFS|EACCES|EPERM/i.test(text)) {
    return failure('READ_ONLY', `the log's directory ${directory} cannot be written`, false)
  }
  if (/EEXIST|ENOTDIR|not a directory/i.test(text)) {
    return failure('NOT_A_DIRECTORY', `${directory} is not a directory`, false)
  }
  if (/corrupt|missing files|bad record|invalid argument|no such file/i.test(text)) {
    return failure('CORRUPT', `the log in ${directory} is damaged`, false)
  }
  return failure('IO_ERROR', `the log in ${directory} cannot be read or written`, true)
}

function messagesOf(error: unknown): string {
  const messages: string[] = []
  for (let cause = error; cause instanceof Error && messages.length < 4; cause = cause.cause) {
    const code = (cause as { code?: unknown }).code
    messages.push(typeof code === 'string' ? `${code}: ${cause.message}` : cause.message)
  }
  return messages.join('; ')
}
