import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { LogError } from '../../streams/ports.ts'

export type LevelOperation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer }

export interface LevelRange {
  readonly gte: Buffer
  readonly lt: Buffer
}

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

/** One LevelDB directory. Every failure comes out as a `LogError` that says what to do. */
export class LevelStore {
  readonly directory: string
  private database: ClassicLevel<Buffer, Buffer> | undefined

  constructor(directory: string) {
    this.directory = directory
  }

  /**
   * @param mustExist refuse to create anything
   * @throws LogError `NOT_FOUND`, `LOCKED`, `READ_ONLY`, `DISK_FULL`, `CORRUPT`, `IO_ERROR`
   */
  async open(mustExist: boolean): Promise<void> {
    if (mustExist && !(await exists(this.directory))) {
      throw new LogError('NOT_FOUND', `there is no log in ${this.directory}: start the sequencer there first`)
    }
    // Created only here: a ClassicLevel opens, and creates, its directory by itself.
    this.database = new ClassicLevel<Buffer, Buffer>(this.directory, { ...LEVEL_OPTIONS, createIfMissing: !mustExist })
    await this.guard(() => this.level.open())
  }

  /** After a failed write LevelDB's own log file is in an unknown state; opening again cuts it back to whole batches. */
  async reopen(): Promise<void> {
    await this.guard(async () => {
      await this.level.close()
      await this.level.open({ createIfMissing: false })
    })
  }

  async close(): Promise<void> {
    await this.guard(async () => this.database?.close())
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

  /** Deletes a range; it is gone for good when this resolves. For ranges that mostly are empty. */
  async erase(range: LevelRange): Promise<void> {
    const keys = await this.guard(() => this.level.keys(range).all())
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

async function exists(directory: string): Promise<boolean> {
  return await stat(join(directory, 'CURRENT')).then(
    () => true,
    () => false,
  )
}

/** What a failure of LevelDB means for whoever uses the log. */
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
    const hint = 'keep a copy of the directory, then restore it from a backup or start with an empty one'
    return failure('CORRUPT', `the log in ${directory} is damaged: ${hint}`, false)
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
