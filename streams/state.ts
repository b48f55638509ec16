/** Stores in memory with a changelog: every write of a burst becomes one changelog record per key when the burst is sealed. */
import type { LogRecord, OutgoingRecord } from './ports.ts'
import type { KeyValueStore, ScopedStore, Store, StoreBuilder } from './store.ts'

export interface StateStore extends Store {
  readonly changelog: string
  /** Moves the writes since the last seal into `records`. */
  seal(records: OutgoingRecord[], partition: number, timestamp: number): void
  /** The sealed writes lie in the changelog from this offset on. */
  committed(baseOffset: number): void
  restore(record: LogRecord): void
  /** Changelog records before this offset are needed no more; 0 when nothing may go (or the topic is compacted instead). */
  purgeBefore(): number
}

const PUT = 0x50
const DROP = 0x44
const SEPARATOR = '\0'

export function createStateStore(builder: StoreBuilder<Store>, changelog: string): StateStore {
  return builder.kind === 'key-value' ? new KeyValueState(builder, changelog) : new ScopedState(builder, changelog)
}

class KeyValueState implements StateStore, KeyValueStore<unknown> {
  readonly name: string
  readonly changelog: string
  private readonly values = new Map<string, unknown>()
  private readonly dirty = new Set<string>()
  private readonly builder: StoreBuilder<Store>

  constructor(builder: StoreBuilder<Store>, changelog: string) {
    this.builder = builder
    this.name = builder.name
    this.changelog = changelog
  }

  get = (key: string): unknown => this.values.get(key)
  put(key: string, value: unknown): void {
    this.values.set(key, value)
    this.dirty.add(key)
  }
  delete(key: string): void {
    if (this.values.delete(key)) this.dirty.add(key)
  }
  entries = (): IterableIterator<[string, unknown]> => this.values.entries()
  get size(): number {
    return this.values.size
  }

  seal(records: OutgoingRecord[], partition: number, timestamp: number): void {
    for (const key of this.dirty) {
      const value = this.values.get(key)
      records.push({
        topic: this.changelog,
        partition,
        timestamp,
        key: Buffer.from(key),
        value: value === undefined ? null : this.builder.value.encode(value),
      })
    }
    this.dirty.clear()
  }
  committed(): void {}
  restore({ key, value }: LogRecord): void {
    const name = Buffer.from(key!).toString()
    if (value === null) this.values.delete(name)
    else this.values.set(name, this.builder.value.decode(value))
  }
  purgeBefore = (): number => 0
}

class Scope {
  readonly values = new Map<string, unknown>()
  /** Offset of the first changelog record of this scope; undefined until it is committed. */
  firstOffset: number | undefined
}

class ScopedState implements StateStore, ScopedStore<unknown> {
  readonly name: string
  readonly changelog: string
  private readonly byScope = new Map<string, Scope>()
  private readonly dropped = new Set<string>()
  private readonly dirty = new Map<string, Set<string>>()
  private readonly sealed: string[] = []
  /** Offset behind the last changelog record known. */
  private end = 0
  private readonly builder: StoreBuilder<Store>

  constructor(builder: StoreBuilder<Store>, changelog: string) {
    this.builder = builder
    this.name = builder.name
    this.changelog = changelog
  }

  get = (scope: string, key: string): unknown => this.byScope.get(scope)?.values.get(key)
  put(scope: string, key: string, value: unknown): void {
    this.scopeState(scope).values.set(key, value)
    this.touch(scope, key)
  }
  delete(scope: string, key: string): void {
    if (this.byScope.get(scope)?.values.delete(key)) this.touch(scope, key)
  }
  entries = (scope: string): IterableIterator<[string, unknown]> =>
    (this.byScope.get(scope)?.values ?? new Map()).entries()
  sizeOf = (scope: string): number => this.byScope.get(scope)?.values.size ?? 0
  scopes = (): IterableIterator<string> => this.byScope.keys()
  dropScope(scope: string): void {
    if (!this.byScope.delete(scope)) return
    this.dirty.delete(scope)
    this.dropped.add(scope)
  }

  private scopeState(scope: string): Scope {
    const known = this.byScope.get(scope)
    if (known) return known
    const state = new Scope()
    this.byScope.set(scope, state)
    return state
  }

  private touch(scope: string, key: string): void {
    const keys = this.dirty.get(scope)
    if (keys) keys.add(key)
    else this.dirty.set(scope, new Set([key]))
  }

  seal(records: OutgoingRecord[], partition: number, timestamp: number): void {
    this.sealed.length = 0
    const write = (scope: string, type: number, key: string, value: Uint8Array | null) => {
      this.sealed.push(scope)
      records.push({ topic: this.changelog, partition, timestamp, key: scopedKey(type, scope, key), value })
    }
    for (const scope of this.dropped) write(scope, DROP, '', null)
    for (const [scope, keys] of this.dirty) {
      const values = this.byScope.get(scope)?.values
      for (const key of keys) {
        const value = values?.get(key)
        write(scope, PUT, key, value === undefined ? null : this.builder.value.encode(value))
      }
    }
    this.dropped.clear()
    this.dirty.clear()
  }
  committed(baseOffset: number): void {
    this.end = baseOffset + this.sealed.length
    this.sealed.forEach((scope, i) => {
      const state = this.byScope.get(scope)
      if (state) state.firstOffset ??= baseOffset + i
    })
    this.sealed.length = 0
  }
  restore({ key, value, offset }: LogRecord): void {
    const type = key![0]
    this.end = offset + 1
    const [scope, name] = Buffer.from(key!).toString('utf8', 1).split(SEPARATOR) as [string, string]
    if (type === DROP) return void this.byScope.delete(scope)
    const state = this.scopeState(scope)
    state.firstOffset ??= offset
    if (value === null) state.values.delete(name)
    else state.values.set(name, this.builder.value.decode(value))
  }
  purgeBefore(): number {
    let oldest = this.end
    for (const { firstOffset } of this.byScope.values()) oldest = Math.min(oldest, firstOffset ?? 0)
    return oldest
  }
}

const scopedKey = (type: number, scope: string, key: string): Uint8Array => {
  const text = scope + SEPARATOR + key
  const bytes = Buffer.allocUnsafe(1 + Buffer.byteLength(text))
  bytes[0] = type
  bytes.write(text, 1)
  return bytes
}
