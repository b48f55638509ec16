/** The view on disk: one LevelDB directory that may be thrown away at any time, since the topics have everything. */
import { mkdirSync, rmSync } from 'node:fs'
import { ClassicLevel } from 'classic-level'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { endOf, keyOf } from './keys.ts'
import { fromJson, LAYOUT, TABLE } from './rows.ts'

export type ViewWrite =
  | { readonly type: 'put'; readonly key: string; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: string }

export interface RangeOptions {
  /** Begins every key of the range. */
  readonly prefix: string
  /** Go on behind this key. */
  readonly after?: string | undefined
  readonly newestFirst?: boolean
  readonly limit: number
}

/** The view as it was at one moment: everything read through it belongs together. */
export interface ViewReader {
  /** Position of the last commit it reflects. */
  readonly position: string
  /** Another one after every write, also one that only takes old rows away and leaves the position as it is. */
  readonly version: string
  get(key: string): Buffer | undefined
  getJson<T>(key: string): T | undefined
  range(options: RangeOptions): Promise<readonly (readonly [string, Buffer])[]>
}

const OWNER_ONLY = 0o700
/** Processes that may keep their views in one directory. */
const BESIDE_MAX = 16
const ENTRIES_PER_CHUNK = 512
const LAYOUT_KEY = keyOf(TABLE.meta, 'layout')
const POSITION = keyOf(TABLE.meta, 'position')
const OPTIONS = {
  keyEncoding: 'utf8',
  valueEncoding: 'buffer',
  writeBufferSize: 8 * 1024 * 1024,
  cacheSize: 16 * 1024 * 1024,
} as const

export class ViewStore {
  private readonly level: ClassicLevel<string, Buffer>
  private readonly layout: Buffer
  private writes = 0

  /** @param layout version of the meaning of its rows; kept with them */
  constructor(level: ClassicLevel<string, Buffer>, layout: string) {
    this.level = level
    this.layout = Buffer.from(layout)
  }

  /** Empties it unless its rows mean what ours do. */
  async check(): Promise<void> {
    const found = await this.level.get(LAYOUT_KEY)
    if (!found?.equals(this.layout)) await this.empty()
  }

  async empty(): Promise<void> {
    await this.level.clear()
    await this.level.put(LAYOUT_KEY, this.layout)
    this.writes++
  }

  /** All of it or nothing. Not synced: what a crash of the machine takes is read from the topics again. */
  async write(operations: readonly ViewWrite[], position: string): Promise<void> {
    const moved = { type: 'put', key: POSITION, value: Buffer.from(position) } as const
    await this.level.batch([...operations, moved])
    this.writes++
  }

  async read<T>(ask: (reader: ViewReader) => Promise<T>): Promise<T> {
    const snapshot = this.level.snapshot()
    try {
      return await ask(this.reader({ snapshot }))
    } finally {
      await snapshot.close()
    }
  }

  /** The newest rows, whatever is written meanwhile; for the writer itself. */
  newest(): ViewReader {
    return this.reader({})
  }

  async close(): Promise<void> {
    await this.level.close()
  }

  private reader(at: { snapshot?: ReturnType<ClassicLevel['snapshot']> }): ViewReader {
    const get = (key: string) => this.level.getSync(key, at as object)
    const position = get(POSITION)?.toString() ?? ''
    return {
      position,
      version: `${this.writes} ${position}`,
      get,
      getJson: <T>(key: string) => {
        const row = get(key)
        return row && fromJson<T>(row)
      },
      range: ({ prefix, after, newestFirst = false, limit }) => {
        const end = endOf(prefix)
        const bounds = newestFirst
          ? { gte: prefix, lt: after ?? end }
          : { ...(after === undefined ? { gte: prefix } : { gt: after }), lt: end }
        return this.collect({ ...at, ...bounds, reverse: newestFirst, limit })
      },
    }
  }

  private async collect(options: object): Promise<[string, Buffer][]> {
    const iterator = this.level.iterator({ ...options, highWaterMarkBytes: 256 * 1024 })
    try {
      const found: [string, Buffer][] = []
      for (;;) {
        const chunk = await iterator.nextv(ENTRIES_PER_CHUNK)
        if (chunk.length === 0) return found
        for (const entry of chunk) found.push(entry)
      }
    } finally {
      await iterator.close()
    }
  }
}

/**
 * Opens the view, empty when there is none, when it is damaged, or when it was made for another log or by an older layout.
 * A directory that another process has open is left to it: the next free one of `directory`, `directory-2`, … is taken.
 * @param identity identity of the view's source: log, contract, topics
 */
export async function openViewStore(directory: string, identity: string): Promise<ViewStore> {
  for (let number = 1; number <= BESIDE_MAX; number++) {
    const level = await openLevel(number === 1 ? directory : `${directory}-${number}`)
    if (level === 'taken') continue
    const store = new ViewStore(level, `${LAYOUT} ${identity}`)
    await store.check()
    return store
  }
  throw new CliError(
    `${BESIDE_MAX} processes keep their views in ${directory}`,
    'Give each its own api.viewDirectory.',
    EXIT.unavailable,
  )
}

async function openLevel(directory: string): Promise<ClassicLevel<string, Buffer> | 'taken'> {
  for (let attempt = 1; ; attempt++) {
    try {
      mkdirSync(directory, { recursive: true, mode: OWNER_ONLY })
      const level = new ClassicLevel<string, Buffer>(directory, OPTIONS)
      await level.open()
      return level
    } catch (error) {
      const why = reasonOf(error)
      if (/LEVEL_LOCKED/.test(why)) return 'taken'
      const damaged = /corrupt|missing files|bad record|no such file/i.test(why)
      if (!damaged || attempt > 1) throw unopenable(directory, why, error)
      rmSync(directory, { recursive: true, force: true }) // only derived rows: they are built anew
    }
  }
}

const unopenable = (directory: string, why: string, cause: unknown): CliError =>
  new CliError(
    `the view in ${directory} cannot be opened (${why})`,
    'Give api.viewDirectory a directory that this user may write to.',
    EXIT.unavailable,
    cause,
  )

function reasonOf(error: unknown): string {
  const words: string[] = []
  for (let cause = error; cause instanceof Error && words.length < 4; cause = cause.cause)
    words.push(`${(cause as { code?: string }).code ?? ''} ${cause.message}`.trim())
  return words.join('; ')
}
