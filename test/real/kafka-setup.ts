/** One broker for all tests that need a broker; started when such a file runs. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { startKafka } from '../../ops/world/brokers/start.ts'
import { installMissing } from './debian.ts'

declare module 'vitest' {
  interface ProvidedContext {
    kafka: SharedKafka
  }
}

/** What tests are given of the broker that they share; they do not stop it. */
export interface SharedKafka {
  readonly bootstrap: readonly string[]
  /** Of Kafka's own tools: `java -cp <libraries>/* …`. */
  readonly libraries: string
}

export async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  installMissing(['java', 'mvn'])
  const log = (line: string) => console.log(`[kafka] ${line}`)
  const directory = mkdtempSync(join(tmpdir(), 'sequencer-kafka-'))
  const kafka = await startKafka({ brokers: 1, directory, log })
  provide('kafka', { bootstrap: kafka.bootstrap, libraries: kafka.libraries })
  return async () => {
    await kafka.close()
    rmSync(directory, { recursive: true, force: true })
  }
}
