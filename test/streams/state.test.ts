import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { LogRecord, OutgoingRecord } from '../../streams/ports.ts'
import { createStateStore, type StateStore } from '../../streams/state.ts'
import { type KeyValueStore, keyValueStore, type ScopedStore, scopedStore } from '../../streams/store.ts'
import { json } from './fixture.ts'

const keyValue = keyValueStore<number>('kv', json<number>())
const scoped = scopedStore<number>('sc', json<number>())
const openKeyValue = () => createStateStore(keyValue, 'kv-changelog') as StateStore & KeyValueStore<number>
const openScoped = () => createStateStore(scoped, 'sc-changelog') as StateStore & ScopedStore<number>

/** A changelog partition: transactions leave a control record behind, as in the log. */
class Changelog {
  records: LogRecord[] = []
  private end = 0

  commit(store: StateStore): number {
    const sealed: OutgoingRecord[] = []
    store.seal(sealed, 0, 1)
    const base = this.end
    for (const { timestamp, key, value } of sealed)
      this.records.push({ offset: this.end++, timestamp, key, value, headers: [] })
    this.end++
    store.committed(base)
    return sealed.length
  }

  compact(): void {
    const newest = new Map(this.records.map(({ key, offset }) => [Buffer.from(key!).toString('latin1'), offset]))
    const keep = new Set(newest.values())
    this.records = this.records.filter(({ offset }) => keep.has(offset))
  }

  deleteBefore(offset: number): void {
    this.records = this.records.filter((record) => record.offset >= offset)
  }

  into<S extends StateStore>(store: S): S {
    for (const record of this.records) store.restore(record)
    return store
  }
}

const contentOf = (store: ScopedStore<number>) => [...store.scopes()].map((scope) => [scope, [...store.entries(scope)]])

test('default: a write shows at once and is one changelog record per key and burst', () => {
  const store = openKeyValue()
  const log = new Changelog()
  store.put('a', 1)
  store.put('a', 2)
  store.put('b', 3)
  store.delete('b')
  expect(store.get('a')).toBe(2)
  expect(store.size).toBe(1)
  expect(log.commit(store)).toBe(2)
  expect(log.commit(store)).toBe(0)
  expect([...log.into(openKeyValue()).entries()]).toEqual([['a', 2]])
})

test('default: dropping a scope is one record, and none when the log never knew it', () => {
  const store = openScoped()
  const log = new Changelog()
  for (let i = 0; i < 10; i++) store.put('epoch', `${i}`, i)
  expect(log.commit(store)).toBe(10)
  store.dropScope('epoch')
  store.put('passing', 'x', 1)
  store.dropScope('passing')
  expect(log.commit(store)).toBe(1)
  expect(contentOf(log.into(openScoped()))).toEqual([])
})

test('behavior: a scoped changelog may go up to the first record of the oldest live scope', () => {
  const store = openScoped()
  const log = new Changelog()
  store.put('1', 'a', 1)
  log.commit(store) // offset 0, control 1
  store.put('2', 'a', 2)
  log.commit(store) // offset 2
  expect(store.purgeBefore()).toBe(0)
  store.dropScope('1')
  log.commit(store) // offset 4
  expect(store.purgeBefore()).toBe(2)
  log.deleteBefore(store.purgeBefore())
  const restored = log.into(openScoped())
  expect(contentOf(restored)).toEqual([['2', [['a', 2]]]])
  expect(restored.purgeBefore()).toBe(2)
  store.dropScope('2')
  expect(store.purgeBefore(), 'once the drop is in the log').toBe(5)
  log.commit(store) // offset 6
  expect(store.purgeBefore()).toBe(7)
})

test('behavior: while it is not known where a scope begins nothing goes', () => {
  const store = openScoped()
  store.put('1', 'a', 1)
  store.seal([], 0, 1)
  store.committed(undefined)
  expect(store.purgeBefore()).toBe(0)
})

test('error: a scope cannot contain the separator', () => {
  expect(() => openScoped().put('a\0b', 'k', 1)).toThrow('zero character')
})

const keys = fc.constantFrom('a', 'b', 'c', 'd')
const scopes = fc.constantFrom('1', '2', '3')
type Step = (kv: KeyValueStore<number>, sc: ScopedStore<number>) => void
const step: fc.Arbitrary<Step | 'commit' | 'compact' | 'purge'> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(scopes, keys, fc.nat(9)).map(
      ([s, k, v]): Step =>
        (kv, sc) => {
          kv.put(k, v)
          sc.put(s, k, v)
        },
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(scopes, keys).map(
      ([s, k]): Step =>
        (kv, sc) => {
          kv.delete(k)
          sc.delete(s, k)
        },
    ),
  },
  {
    weight: 1,
    arbitrary: scopes.map(
      (s): Step =>
        (_, sc) =>
          sc.dropScope(s),
    ),
  },
  { weight: 2, arbitrary: fc.constant('commit' as const) },
  { weight: 1, arbitrary: fc.constantFrom('compact' as const, 'purge' as const) },
)

test('behavior: the folded changelog is the live state, in the same order, after any writes, compaction and purge', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const kv = openKeyValue()
      const sc = openScoped()
      const [kvLog, scLog] = [new Changelog(), new Changelog()]
      let kept: unknown = [[], []]
      let needed = 0
      const content = (kv: KeyValueStore<number>, sc: ScopedStore<number>) => [[...kv.entries()], contentOf(sc)]
      const commit = () => {
        needed = sc.purgeBefore()
        kvLog.commit(kv)
        scLog.commit(sc)
        kept = content(kv, sc)
      }
      for (const next of steps) {
        if (next === 'commit') commit()
        else if (next === 'compact') kvLog.compact()
        else if (next === 'purge') scLog.deleteBefore(Math.min(needed, sc.purgeBefore()))
        else next(kv, sc)
        const afterCrash = content(kvLog.into(openKeyValue()), scLog.into(openScoped()))
        expect(afterCrash, 'a crash takes back what was not committed, and nothing else').toEqual(kept)
      }
      commit()
      expect([...kvLog.into(openKeyValue()).entries()]).toEqual([...kv.entries()])
      const restored = scLog.into(openScoped())
      expect(contentOf(restored)).toEqual(contentOf(sc))
      for (const scope of sc.scopes()) expect(restored.sizeOf(scope)).toBe(sc.sizeOf(scope))
    }),
    { numRuns: 500 },
  )
})

test('behavior: a cleared store is empty and can be restored again', () => {
  const log = new Changelog()
  const store = openScoped()
  store.put('1', 'a', 1)
  log.commit(store)
  store.clear()
  expect(contentOf(store)).toEqual([])
  expect(contentOf(log.into(store))).toEqual([['1', [['a', 1]]]])
})
