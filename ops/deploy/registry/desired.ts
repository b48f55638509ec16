import { pathToFileURL } from 'node:url'
import { type AvroSchema, loadRecords, subjectSchema } from '../../../schemas/load.ts'
import { SUBJECTS, type Subject } from '../../../schemas/subjects.ts'

/** The schema of each subject as this program writes it: subject without prefix → schema. */
export type Desired = ReadonlyMap<string, AvroSchema>

/** @param folder folder of *.avsc files; the program's own by default */
export function desiredSchemas(folder?: string): Desired {
  const records = folder === undefined ? loadRecords() : loadRecords(pathToFileURL(`${folder}/`))
  return new Map(
    Object.entries<Subject>(SUBJECTS).map(([name, subject]) => [name, subjectSchema(subject, records)] as const),
  )
}
