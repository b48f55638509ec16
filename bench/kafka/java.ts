/** Kafka Streams at the same work: bench/java, compiled and run. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cached } from '../../ops/world/brokers/cache.ts'
import { findTool, runTool } from '../../ops/world/brokers/tools.ts'
import type { Measured } from './client.ts'
import type { WorkKind } from './work.ts'

const STREAMS_VERSION = '4.1.0'
const FETCH_WAIT_MS = 600_000
const RUN_WAIT_MS = 600_000
const SOURCES = fileURLToPath(new URL('../java/', import.meta.url))

export interface JavaRun {
  readonly kind: WorkKind
  readonly guarantee: 'at_least_once' | 'exactly_once_v2'
  readonly bootstrap: string
  readonly input: string
  readonly output: string
  readonly appId: string
  readonly records: number
  readonly warmUp: number
}

/** Rejects with RealPartError without Java, Maven or a compiler. */
export async function runJava(run: JavaRun): Promise<Measured> {
  const libraries = await streamsLibraries()
  const classes = await mkdtemp(join(tmpdir(), 'bench-java-'))
  try {
    await runTool(
      'javac',
      ['-cp', join(libraries, '*'), '-d', classes, join(SOURCES, 'StreamsBench.java')],
      RUN_WAIT_MS,
    )
    const { bootstrap, kind, guarantee, input, output, appId, records, warmUp } = run
    const args = [bootstrap, kind, guarantee, input, output, appId, String(records), String(warmUp)]
    const classPath = `${classes}:${join(libraries, '*')}`
    const { stdout } = await promisify(execFile)(
      findTool('java'),
      ['-Xmx1g', '-cp', classPath, 'StreamsBench', ...args],
      { timeout: RUN_WAIT_MS },
    )
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as Measured
  } finally {
    await rm(classes, { recursive: true, force: true })
  }
}

const streamsLibraries = (): Promise<string> =>
  cached(`kafka-streams-${STREAMS_VERSION}`, (directory) => {
    const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${directory}`]
    return runTool(findTool('mvn'), ['-q', '-B', '-ntp', '-f', join(SOURCES, 'pom.xml'), ...goal], FETCH_WAIT_MS)
  })
