import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { cached } from './cache.ts'
import { findTool, runTool } from './tools.ts'

const KAFKA_VERSION = '4.3.1'
/** 50 MB from an empty cache. */
const FETCH_WAIT_MS = 600_000

/** The folder with Kafka's jars, fetched from Maven Central on first use. */
export const kafkaLibraries = (): Promise<string> =>
  cached(`kafka-${KAFKA_VERSION}`, (directory) =>
    runTool(
      findTool('mvn'),
      ['-q', '-B', '-ntp', '-f', pomFile(), 'dependency:copy-dependencies', `-DoutputDirectory=${directory}`],
      FETCH_WAIT_MS,
    ),
  )

/** Beside this file in the sources; dist/ has no copy of it. */
function pomFile(): string {
  const beside = new URL('./pom.xml', import.meta.url)
  return fileURLToPath(existsSync(beside) ? beside : new URL('../../../../ops/world/brokers/pom.xml', import.meta.url))
}
