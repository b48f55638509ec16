/** Rows that are read to be changed, as objects, between commits: at most ROWS_MAX of them. */
import type { ViewReader } from './store.ts'

/** An epoch has two; so many are in flight by far that a row is read from disk only after a restart. */
const ROWS_MAX = 2_048

export class RowCache {
  private readonly rows = new Map<string, object | undefined>()
  private readonly reader: () => ViewReader

  constructor(reader: () => ViewReader) {
    this.reader = reader
  }

  get<T extends object>(key: string): T | undefined {
    if (!this.rows.has(key)) this.rows.set(key, this.reader().getJson<T>(key))
    return this.rows.get(key) as T | undefined
  }

  /** Asks the disk, and keeps nothing. */
  onDisk(key: string): Buffer | undefined {
    return this.reader().get(key)
  }

  set(key: string, row: object): void {
    this.rows.delete(key)
    this.rows.set(key, row)
  }

  /** Only between commits: what a commit changed must not be read from disk before it is written. */
  trim(): void {
    for (const key of this.rows.keys()) {
      if (this.rows.size <= ROWS_MAX) return
      this.rows.delete(key)
    }
  }

  /** The rows on disk are others now. */
  clear(): void {
    this.rows.clear()
  }
}
