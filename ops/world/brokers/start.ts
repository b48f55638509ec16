/** Apache Kafka on loopback: one broker or three, as child processes that end with us. For tests, benchmarks and trials. */

import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type BrokerPorts, serverProperties } from './broker-settings.ts'
import { RealPartError } from './errors.ts'
import type { Telling } from './fetching.ts'
import { type JavaProcess, type Supervision, startJava } from './java-process.ts'
import { kafkaLibraries } from './libraries.ts'
import { freePorts } from './ports.ts'
import { brokersAlive } from './probe.ts'
import { findTool, runTool } from './tools.ts'

const START_WAIT_MS = 120_000
const FORMAT_WAIT_MS = 60_000
const POLL_MS = 50
/** Between finding a free port and using it another program may take it. */
const PORT_TRIES = 3
const PORT_TAKEN = /Address already in use|BindException/
/** A single compiler tier starts a third faster; benchmarks pass their own. */
const JVM = ['-Xms64m', '-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'] as const

export interface KafkaOptions extends Telling, Supervision {
  readonly brokers: 1 | 3
  /** Data, settings and logs. A directory that was used before keeps its topics (on other ports). */
  readonly directory: string
  /** Given the port a broker listens on, the port that clients are told: the port of a proxy before it. */
  readonly advertised?: (nodeId: number, port: number) => number | Promise<number>
  /** Broker settings beside or instead of the usual ones; settings of one broker may depend on its ports. */
  readonly properties?: Readonly<Record<string, string>> | ((ports: BrokerPorts) => Readonly<Record<string, string>>)
  readonly jvm?: readonly string[]
}

export interface KafkaBroker extends JavaProcess {
  readonly nodeId: number
  /** Port of the broker for clients, behind the proxy if there is one. */
  readonly port: number
  readonly logFile: string
}

export interface Kafka {
  /** host:port of each broker, as clients are to connect. */
  readonly bootstrap: readonly string[]
  readonly brokers: readonly KafkaBroker[]
  readonly directory: string
  /** The folder of Kafka's jars, for its own tools. */
  readonly libraries: string
  close(): Promise<void>
}

/** Rejects with RealPartError: `TOOL_MISSING` without Java or Maven, `TOOL_FAILED`, `START_FAILED`, `STOPPED`. */
export async function startKafka(options: KafkaOptions): Promise<Kafka> {
  const java = findTool('java')
  const libraries = await kafkaLibraries(options)
  const directory = resolve(options.directory)
  mkdirSync(directory, { recursive: true })
  for (let tries = 1; ; tries++) {
    try {
      return await startNodes({ ...options, directory, java, libraries })
    } catch (error) {
      if (tries === PORT_TRIES || !(error instanceof RealPartError) || !PORT_TAKEN.test(error.said)) throw error
    }
  }
}

interface Start extends KafkaOptions {
  readonly java: string
  readonly libraries: string
}

async function startNodes(start: Start): Promise<Kafka> {
  const { directory, libraries, log } = start
  const nodes = await choosePorts(start)
  log?.(`starting ${nodes.size === 1 ? 'one Kafka broker' : `${nodes.size} Kafka brokers`}; logs in ${directory}`)
  const started = await Promise.allSettled([...nodes.keys()].map((nodeId) => startNode(nodeId, nodes, start)))
  const brokers = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const close = async () => {
    await Promise.all(brokers.map((broker) => broker.stop()))
  }
  const failed = started.find((result) => result.status === 'rejected')
  if (failed) {
    await close()
    throw failed.reason
  }
  await untilTogether(brokers, start.signal).catch(async (error: unknown) => {
    await close()
    throw error
  })
  const bootstrap = [...nodes.values()].map(({ advertised }) => `127.0.0.1:${advertised}`)
  return { bootstrap, brokers, directory, libraries, close }
}

async function choosePorts({ brokers, advertised }: Start): Promise<ReadonlyMap<number, BrokerPorts>> {
  const ports = await freePorts(3 * brokers)
  const nodes = new Map<number, BrokerPorts>()
  for (let nodeId = 1; nodeId <= brokers; nodeId++) {
    const [clients, between, controllers] = ports.slice(3 * (nodeId - 1)) as [number, number, number]
    const told = (await advertised?.(nodeId, clients)) ?? clients
    nodes.set(nodeId, { clients, advertised: told, brokers: between, controllers })
  }
  return nodes
}

async function startNode(nodeId: number, nodes: ReadonlyMap<number, BrokerPorts>, start: Start): Promise<KafkaBroker> {
  const { directory, java, libraries, jvm = JVM, properties = {} } = start
  const dataDirectory = join(directory, `broker-${nodeId}`)
  const settings = join(directory, `broker-${nodeId}.properties`)
  const logFile = join(directory, `broker-${nodeId}.log`)
  const more = typeof properties === 'function' ? properties(nodes.get(nodeId)!) : properties
  writeFileSync(settings, serverProperties({ nodeId, nodes, dataDirectory, more }))
  const classPath = ['-cp', join(libraries, '*')]
  if (!existsSync(join(dataDirectory, 'meta.properties'))) {
    const format = ['format', `--cluster-id=${clusterId(directory)}`, '--config', settings] // an id may begin with a dash
    await runTool(java, [...jvm, ...classPath, 'kafka.tools.StorageTool', ...format], FORMAT_WAIT_MS, start)
  }
  const { clients: port } = nodes.get(nodeId)!
  const process = await startJava({
    name: `Kafka broker ${nodeId}`,
    java,
    args: [...jvm, '-Dorg.slf4j.simpleLogger.showDateTime=true', ...classPath, 'kafka.Kafka', settings],
    directory,
    logFile,
    healthy: async () => (await brokersAlive(port)) > 0,
    startWaitMs: START_WAIT_MS,
    signal: start.signal,
    onEnded: start.onEnded,
  })
  return Object.assign(process, { nodeId, port, logFile })
}

/** A broker serves before it knows of the others. */
async function untilTogether(brokers: readonly KafkaBroker[], signal: AbortSignal | undefined): Promise<void> {
  const deadline = Date.now() + START_WAIT_MS
  for (const { port, nodeId, logFile } of brokers)
    while ((await brokersAlive(port)) < brokers.length) {
      if (signal?.aborted) throw new RealPartError('STOPPED', `Kafka broker ${nodeId} was stopped while it started`)
      if (Date.now() > deadline)
        throw new RealPartError('START_FAILED', `Kafka broker ${nodeId} does not see the others; its log is ${logFile}`)
      await pause(POLL_MS)
    }
}

/** 16 bytes as 22 characters; the same at each start on this directory. */
function clusterId(directory: string): string {
  const file = join(directory, 'cluster-id')
  if (!existsSync(file)) writeFileSync(file, randomBytes(16).toString('base64url'))
  return readFileSync(file, 'utf8')
}
