import type { Serde } from './serde.ts'

/**
 * State of one task, backed by a changelog partition with the task's number. Writes are visible to later records of the
 * same burst at once and kept only if the burst commits. Values are immutable: put a new one instead of changing one.
 */
export interface KeyValueStore<V> extends Store {
  get(key: string): V | undefined
  put(key: string, value: V): void
  delete(key: string): void
  /** Live view in insertion order; do not write while iterating. */
  entries(): IterableIterator<[key: string, value: V]>
  readonly size: number
}

/**
 * State that belongs to scopes which end (an epoch of a market), so a whole scope is dropped in O(1) writes. Its changelog
 * is purged up to the oldest live scope instead of compacted.
 */
export interface ScopedStore<V> extends Store {
  get(scope: string, key: string): V | undefined
  put(scope: string, key: string, value: V): void
  delete(scope: string, key: string): void
  /** Live view in insertion order; do not write to the scope while iterating. */
  entries(scope: string): IterableIterator<[key: string, value: V]>
  /** Number of keys in a scope. */
  sizeOf(scope: string): number
  scopes(): IterableIterator<string>
  dropScope(scope: string): void
}

export interface Store {
  readonly name: string
}

/** Declares a store. The name becomes `<appId>-<name>-changelog`, so it is the user's and never generated. */
export interface StoreBuilder<S extends Store> {
  readonly name: string
  readonly kind: 'key-value' | 'scoped'
  readonly value: Serde<unknown>
  /** Only a phantom: ties the builder to the type of the store it makes. */
  readonly storeType?: S
}

export const keyValueStore = <V>(name: string, value: Serde<V>): StoreBuilder<KeyValueStore<V>> => ({
  name,
  kind: 'key-value',
  value: value as Serde<unknown>,
})

export const scopedStore = <V>(name: string, value: Serde<V>): StoreBuilder<ScopedStore<V>> => ({
  name,
  kind: 'scoped',
  value: value as Serde<unknown>,
})
