/**
 * Stores in memory, each backed by a partition of its changelog: the writes of a burst become one changelog record per
 * key when the burst is sealed. Folding the changelog gives the same state in the same order, compacted or not.
 */
import type { LogRecord, OutgoingRecord } from './ports.ts'
import { UnreadableError } from './read-record.ts'
import type { KeyValueStore, ScopedStore, Store, StoreBuilder } from './store.ts'

/** The engine's demands on a store, beside the interface of its processors. */
export interface StateStore extends Store {
  readonly changelog: string
  /** Entries, over all scopes. */
  readonly rowCount: number
  /** Moves the writes since the last seal into `records`. */
  seal(records: OutgoingRecord[], partition: number, timestamp: number): void
  /** The sealed writes are in the changelog, from this offset on; undefined when the answer was lost. */
  committed(baseOffset: number | undefined): void
  /** Applies one record of the changelog, in its order. */
  restore(record: LogRecord): void
  /** Forgets everything, to be restored from the start. */
  clear(): void
  /**
   * Changelog records before this offset are needed no more once the next burst is in the log; 0 when nothing may go (or the topic is
   * compacted instead).
   */
  purgeBefore(): number
}

export function createStateStore(builder: StoreBuilder<Store>, changelog: string): StateStore {
  return builder.kind === 'key-value' ? new KeyValueState(builder, changelog) : new ScopedState(builder, changelog)
}

/** Iterates in the order of the last puts: the one order that a compacted changelog keeps. */
class KeyValueState implements StateStore, KeyValueStore<unknown> {
  readonly name: string
  readonly changelog: string
  private readonly serde: StoreBuilder<Store>['value']
  private readonly values = new Map<string, unknown>()
  private readonly dirty = new Set<string>()

  constructor(builder: StoreBuilder<Store>, changelog: string) {
    this.name = builder.name
    this.changelog = changelog
    this.serde = builder.value
  }

  get(key: string): unknown {
    return this.values.get(key)
  }

  put(key: string, value: unknown): void {
    this.values.delete(key)
    this.values.set(key, value)
    this.dirty.delete(key)
    this.dirty.add(key)
  }

  delete(key: string): void {
    if (this.values.delete(key)) this.dirty.add(key)
  }

  entries(): IterableIterator<[string, unknown]> {
    return this.values.entries()
  }

  get size(): number {
    return this.values.size
  }

  get rowCount(): number {
    return this.values.size
  }

  seal(records: OutgoingRecord[], partition: number, timestamp: number): void {
    const topic = this.changelog
    for (const key of this.dirty) {
      const value = this.values.get(key)
      const bytes = value === undefined ? null : this.serde.encode(value)
      records.push({ topic, partition, timestamp, key: Buffer.from(key), value: bytes })
    }
    this.dirty.clear()
  }

  committed(): void {}

  restore({ key, value }: LogRecord): void {
    const name = textOf(key!)
    const row = value === null ? undefined : this.serde.decode(value)
    this.values.delete(name)
    if (row !== undefined) this.values.set(name, row)
  }

  clear(): void {
    this.values.clear()
    this.dirty.clear()
  }

  purgeBefore(): number {
    return 0
  }
}

/** First byte of a scoped changelog key. */
const ENTRY = 0x45
const DROP = 0x44
const SEPARATOR = '\0'

/** The kind of the last write of a key since the last seal. A key put again after a delete moves to the end, so both are logged. */
const PUT = 0
const DELETED = 1
const PUT_AGAIN = 2

class Scope {
  readonly values = new Map<string, unknown>()
  readonly dirty = new Map<string, number>()
  /** Whether the changelog knows this scope. */
  logged = false
  /** Offset of its first changelog record, when known. */
  firstOffset: number | undefined
}

/** Iterates in insertion order, scopes and keys alike: its changelog is never compacted. */
class ScopedState implements StateStore, ScopedStore<unknown> {
  readonly name: string
  readonly changelog: string
  rowCount = 0
  private readonly serde: StoreBuilder<Store>['value']
  private readonly byScope = new Map<string, Scope>()
  private readonly dirty = new Set<string>()
  /** Scopes of the changelog that were dropped since the last commit. */
  private readonly dropped = new Set<string>()
  /** Records of the sealed burst: scope of each, from the base offset on. */
  private sealed: string[] = []
  /** Offset behind the last changelog record known. */
  private end = 0

  constructor(builder: StoreBuilder<Store>, changelog: string) {
    this.name = builder.name
    this.changelog = changelog
    this.serde = builder.value
  }

  get(scope: string, key: string): unknown {
    return this.byScope.get(scope)?.values.get(key)
  }

  put(name: string, key: string, value: unknown): void {
    const scope = this.byScope.get(name) ?? this.createScope(name)
    this.rowCount -= scope.values.size
    scope.values.set(key, value)
    this.rowCount += scope.values.size
    if (scope.dirty.size === 0) this.dirty.add(name)
    const written = scope.dirty.get(key)
    if (written === undefined) scope.dirty.set(key, PUT)
    else if (written === DELETED) {
      scope.dirty.delete(key)
      scope.dirty.set(key, PUT_AGAIN)
    }
  }

  delete(name: string, key: string): void {
    const scope = this.byScope.get(name)
    if (!scope?.values.delete(key)) return
    this.rowCount--
    if (scope.dirty.size === 0) this.dirty.add(name)
    scope.dirty.set(key, DELETED)
  }

  entries(scope: string): IterableIterator<[string, unknown]> {
    return (this.byScope.get(scope)?.values ?? NOTHING).entries()
  }

  sizeOf(scope: string): number {
    return this.byScope.get(scope)?.values.size ?? 0
  }

  scopes(): IterableIterator<string> {
    return this.byScope.keys()
  }

  dropScope(name: string): void {
    const scope = this.byScope.get(name)
    if (!scope) return
    this.rowCount -= scope.values.size
    this.byScope.delete(name)
    this.dirty.delete(name)
    if (scope.logged) this.dropped.add(name)
  }

  seal(records: OutgoingRecord[], partition: number, timestamp: number): void {
    const topic = this.changelog
    const sealed: string[] = []
    const write = (scope: string, key: Uint8Array, value: Uint8Array | null): void => {
      sealed.push(scope)
      records.push({ topic, partition, timestamp, key, value })
    }
    for (const name of this.dropped) write(name, scopedKey(DROP, name, ''), null)
    for (const name of this.dirty) {
      const { values, dirty } = this.byScope.get(name)!
      for (const [key, written] of dirty) {
        const bytes = scopedKey(ENTRY, name, key)
        if (written !== PUT) write(name, bytes, null)
        if (written !== DELETED) write(name, bytes, this.serde.encode(values.get(key)))
      }
      dirty.clear()
    }
    this.dirty.clear()
    this.sealed = sealed
  }

  committed(baseOffset: number | undefined): void {
    const { sealed } = this
    this.sealed = []
    this.dropped.clear()
    if (baseOffset !== undefined) this.end = baseOffset + sealed.length
    for (let at = 0; at < sealed.length; at++) {
      const scope = this.byScope.get(sealed[at]!)
      if (scope === undefined || scope.logged) continue
      scope.logged = true
      scope.firstOffset = baseOffset === undefined ? undefined : baseOffset + at
    }
  }

  restore({ key, value, offset }: LogRecord): void {
    this.end = offset + 1
    const text = textOf(key!.subarray(1))
    const split = text.indexOf(SEPARATOR)
    const name = text.slice(0, split)
    if (split < 0 || (key![0] !== DROP && key![0] !== ENTRY))
      throw new UnreadableError('undecodable', `no key of a scoped store: ${key!.length} bytes`)
    const row = value === null ? undefined : this.serde.decode(value)
    if (key![0] === DROP) {
      this.rowCount -= this.sizeOf(name)
      return void this.byScope.delete(name)
    }
    const scope = this.byScope.get(name) ?? this.createScope(name)
    scope.logged = true
    scope.firstOffset ??= offset
    const entry = text.slice(split + 1)
    this.rowCount -= scope.values.size
    if (row === undefined) scope.values.delete(entry)
    else scope.values.set(entry, row)
    this.rowCount += scope.values.size
  }

  clear(): void {
    this.byScope.clear()
    this.dirty.clear()
    this.dropped.clear()
    this.end = 0
    this.rowCount = 0
  }

  purgeBefore(): number {
    let oldest = this.end
    for (const { logged, firstOffset } of this.byScope.values()) if (logged) oldest = Math.min(oldest, firstOffset ?? 0)
    return oldest
  }

  private createScope(name: string): Scope {
    if (name.includes(SEPARATOR)) throw new Error(`a scope of store ${this.name} contains a zero character`)
    const scope = new Scope()
    this.byScope.set(name, scope)
    return scope
  }
}

const NOTHING: ReadonlyMap<string, unknown> = new Map()

function scopedKey(type: number, scope: string, key: string): Uint8Array {
  const text = scope + SEPARATOR + key
  const bytes = Buffer.allocUnsafe(1 + Buffer.byteLength(text))
  bytes[0] = type
  bytes.write(text, 1)
  return bytes
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}
