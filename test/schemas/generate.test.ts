import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { generateTypes } from '../../schemas/generate.ts'
import { loadRecords } from '../../schemas/load.ts'
import { SUBJECTS, type Subject } from '../../schemas/subjects.ts'

test('behavior: types.ts is what the schemas give (else: npm run schemas:generate)', () => {
  expect(readFileSync(new URL('../../schemas/types.ts', import.meta.url), 'utf8')).toBe(generateTypes())
})

test('behavior: each record lies in a file of its name and each subject names records that exist', () => {
  const records = loadRecords()
  for (const [file, record] of records) expect((record as { name: string }).name).toBe(file)
  for (const subject of Object.values<Subject>(SUBJECTS))
    for (const type of subject.types) expect(records.has(type), type).toBe(true)
})
