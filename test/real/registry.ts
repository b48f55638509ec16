/** The registry of a test file, on a directory that goes with it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { type Registry, startRegistry } from '../../ops/world/brokers/registry.ts'
import { installMissing } from './debian.ts'

/** It may be fetched first. */
const START_WAIT_MS = 900_000

/** Started before the tests of the file that calls this, and stopped after them. */
export function useRegistry(): { readonly directory: string; readonly server: () => Registry } {
  const directory = mkdtempSync(join(tmpdir(), 'sequencer-registry-'))
  let server: Registry | undefined
  beforeAll(async () => {
    installMissing(['mvn', 'pip3'])
    server = await startRegistry({ directory, log: (line) => console.log(`[registry] ${line}`) })
  }, START_WAIT_MS)
  afterAll(async () => {
    await server?.stop()
    rmSync(directory, { recursive: true, force: true })
  })
  return { directory, server: () => server! }
}
