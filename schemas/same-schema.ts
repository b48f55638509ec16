import { withFullNames } from './full-names.ts'
import { withoutDocs } from './history.ts'
import type { AvroSchema } from './load.ts'

/** Whether two texts are one schema: a registry may write names and attributes in another way than they were given. */
export const sameSchema = (one: AvroSchema, other: AvroSchema): boolean =>
  sameText(withoutDocs(one), withoutDocs(other))

/** As `sameSchema`, with the words. */
export const sameText = (one: AvroSchema, other: AvroSchema): boolean => textOf(one) === textOf(other)

const textOf = (schema: AvroSchema): string =>
  JSON.stringify(withFullNames(schema), (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
