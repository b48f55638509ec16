/** Arbitraries of the fuzz tests of the intake. */
import fc from 'fast-check'

const text = fc.string({ unit: 'binary', maxLength: 200 })
const uint = fc.maxSafeNat()
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })

/** A message as a collector writes it, with every kind of text; absent fields are left out, as omitempty does. */
export const message = fc
  .record({
    id: fc.uuid(),
    body: fc.record({
      request: fc.record({
        slotId: optional(uint),
        deadline: optional(uint),
        snapshotCid: optional(text),
        epochId: optional(uint),
        projectId: optional(text),
      }),
      signature: optional(text),
      header: optional(fc.string({ maxLength: 66 })),
      dataMarket: optional(fc.string({ maxLength: 42 })),
      nodeVersion: optional(fc.string({ maxLength: 16 })),
    }),
    extra: optional(fc.jsonValue({ maxDepth: 4 })),
  })
  .map(({ id, body, extra }) => ({ id, body, bytes: Buffer.from(id + JSON.stringify({ ...body, extra })) }))

export const stream = fc.array(message, { minLength: 1, maxLength: 8 })

/** Cuts bytes into chunks at arbitrary places. */
export const cut = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end))
}
export const places = fc.array(fc.nat(), { maxLength: 12 })

/** A change of some bytes: each overwrites, removes or inserts at a place. */
export const mutations = fc.array(
  fc.record({
    place: fc.nat(),
    kind: fc.constantFrom('set', 'remove', 'insert'),
    byte: fc.integer({ min: 0, max: 255 }),
  }),
  { minLength: 1, maxLength: 6 },
)

export function mutate(bytes: Buffer, changes: readonly { place: number; kind: string; byte: number }[]): Buffer {
  return changes.reduce((current, { place, kind, byte }) => {
    const at = place % Math.max(1, current.length)
    const rest = current.subarray(kind === 'insert' ? at : at + 1)
    return Buffer.concat([current.subarray(0, at), kind === 'remove' ? Buffer.alloc(0) : Buffer.of(byte), rest])
  }, bytes)
}
