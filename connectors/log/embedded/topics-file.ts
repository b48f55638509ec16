import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { StoredTopic } from './meta-rows.ts'

const NAME = 'TOPICS'

/**
 * Keeps the names and numbers of the topics beside the database, so that a repair can name the records of a topic whose own
 * row is lost. Nobody else reads it, and each start writes it anew.
 */
export async function keepTopics(directory: string, topics: readonly StoredTopic[]): Promise<void> {
  const text = JSON.stringify(topics)
  const path = join(directory, NAME)
  await writeFile(`${path}.new`, `${crc32(text).toString(16)}\n${text}\n`)
  await rename(`${path}.new`, path)
}

/** None when the file is missing or damaged. */
export async function readKeptTopics(directory: string): Promise<readonly StoredTopic[]> {
  const written = await readFile(join(directory, NAME), 'utf8').catch(() => '')
  const [checksum, text = ''] = written.split('\n')
  return text !== '' && checksum === crc32(text).toString(16) ? (JSON.parse(text) as StoredTopic[]) : []
}
