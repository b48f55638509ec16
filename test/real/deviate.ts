/** A right answer of a node, wrong in one random place. */

const ODD: readonly unknown[] = [
  null,
  undefined,
  true,
  12_345,
  -1,
  1.5,
  '',
  '0x',
  '0x0',
  '-0x1',
  'garbage',
  `0x${'ff'.repeat(40)}`,
  `0x${'12'.repeat(32)}`,
  [],
  [null],
  {},
  { toString: 'no' },
]

type Place = readonly (string | number)[]

/** Every place in a value: its own, and those of all that is in it. */
function placesOf(value: unknown, at: Place = []): Place[] {
  if (typeof value !== 'object' || value === null) return [at]
  return [at, ...Object.entries(value).flatMap(([key, part]) => placesOf(part, [...at, key]))]
}

/** @param dice numbers from 0 up to 1. @returns the value with one of its parts replaced by something odd, and where */
export function deviate(value: unknown, dice: () => number): { readonly value: unknown; readonly what: string } {
  const places = placesOf(value)
  const place = places[Math.floor(dice() * places.length)]!
  const odd = ODD[Math.floor(dice() * ODD.length)]
  return { value: replaced(value, place, odd), what: `${place.join('.') || 'all'} = ${JSON.stringify(odd)}` }
}

function replaced(value: unknown, [key, ...rest]: Place, odd: unknown): unknown {
  if (key === undefined) return odd
  const copy = Array.isArray(value) ? [...value] : { ...(value as object) }
  Reflect.set(copy, key, replaced(Reflect.get(copy, key), rest, odd))
  return copy
}
