import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { cached } from './cache.ts'
import { type FetchOptions, fetchByMaven } from './fetching.ts'

const KAFKA_VERSION = '4.3.1'
const MEGABYTES = 60

/** The folder with Kafka's jars, fetched from Maven Central on first use. */
export const kafkaLibraries = (ports: Pick<FetchOptions, 'log' | 'progress' | 'signal'> = {}): Promise<string> =>
  cached(`kafka-${KAFKA_VERSION}`, (directory) =>
    fetchByMaven(['-f', pomFile(), 'dependency:copy-dependencies', `-DoutputDirectory=${directory}`], {
      ...ports,
      what: `Kafka ${KAFKA_VERSION}`,
      from: 'Maven Central',
      megabytes: MEGABYTES,
    }),
  )

/** Beside this file in the sources; dist/ has no copy of it. */
function pomFile(): string {
  const beside = new URL('./pom.xml', import.meta.url)
  return fileURLToPath(existsSync(beside) ? beside : new URL('../../../../ops/world/brokers/pom.xml', import.meta.url))
}
