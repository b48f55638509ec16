import { createHash } from 'node:crypto'
import type { KafkaTopic } from './kafka-topic.ts'
import type { TopicConfig } from './ports.ts'
import type { OutputTypes, ProcessorSupplier } from './processor.ts'
import type { SealedPartition } from './seals.ts'
import type { Store, StoreBuilder } from './store.ts'

export type AnyTopic = KafkaTopic<unknown, unknown, unknown>

/** Writes to a topic: `keyed` by the partitioner, `broadcast` to every partition as a marker. */
export interface SinkNode {
  readonly type: 'sink'
  readonly topic: AnyTopic
  readonly mode: 'keyed' | 'broadcast'
}

/** Any supplier, as the engine calls it. */
export type AnySupplier = ProcessorSupplier<unknown, unknown, OutputTypes, unknown, unknown>

export interface ProcessorNode {
  readonly type: 'processor'
  readonly name: string
  readonly supplier: AnySupplier
  readonly stores: readonly StoreBuilder<Store>[]
  readonly outputs: ReadonlyMap<string, GraphNode[]>
}

export type GraphNode = SinkNode | ProcessorNode

/** Kafka Streams' sub-topology: what one task of it does with the records of its sources. */
export interface Stage {
  readonly name: string
  readonly sources: readonly AnyTopic[]
  /** Source topic → name of the preparation of its records. */
  readonly preparations: ReadonlyMap<string, string>
  readonly children: readonly GraphNode[]
  readonly stores: readonly StoreBuilder<Store>[]
}

export class TopologyError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'TopologyError'
  }
}

export class Topology {
  readonly stages: readonly Stage[]
  readonly globalTables: readonly AnyTopic[]
  /** Topics that the engine purges behind the stage that reads them. */
  readonly repartitionTopics: ReadonlySet<string>
  readonly deadLetterTopic: string | undefined
  /** The rules: everything beside the graph that decides outputs. */
  readonly rules: string | undefined

  constructor(parts: Pick<Topology, 'stages' | 'globalTables' | 'repartitionTopics' | 'deadLetterTopic' | 'rules'>) {
    this.stages = parts.stages
    this.globalTables = parts.globalTables
    this.repartitionTopics = parts.repartitionTopics
    this.deadLetterTopic = parts.deadLetterTopic
    this.rules = parts.rules
  }

  /** Every topic that is read or written, but for changelogs and the dead letters. */
  get topics(): readonly AnyTopic[] {
    const byName = new Map<string, AnyTopic>()
    const add = (topic: AnyTopic) => byName.set(topic.name, topic)
    for (const stage of this.stages) {
      stage.sources.forEach(add)
      for (const node of nodesOf(stage)) if (node.type === 'sink') add(node.topic)
    }
    this.globalTables.forEach(add)
    return [...byName.values()]
  }

  /** Changelogs: a partition per task, compacted for key-value stores, purged by the engine for scoped ones. */
  internalTopics(appId: string): readonly TopicConfig[] {
    return this.stages.flatMap((stage) => {
      const changelog = (name: string, cleanup: TopicConfig['cleanup']): TopicConfig => ({
        name: changelogTopic(appId, name),
        partitions: tasksOf(stage),
        cleanup,
      })
      const stores = stage.stores.map(({ name, kind }) => changelog(name, kind === 'key-value' ? 'compact' : 'delete'))
      return hasEngineState(stage) ? [...stores, changelog(engineStoreName(stage), 'compact')] : stores
    })
  }

  /** Topics with markers that stages of this topology write record by record, so that their markers carry counts. */
  get countedTopics(): ReadonlySet<string> {
    return new Set(this.stages.flatMap((stage) => countedSinks(stage).map(({ topic }) => topic.name)))
  }

  describe(): string {
    return describeTopology(this)
  }

  /** SHA-256 of `describe()` in hex: members of a group compare it when they join. */
  get fingerprint(): string {
    return sha256(this.describe())
  }
}

export const changelogTopic = (appId: string, store: string): string => `${appId}-${store}-changelog`
/** The store in which the engine keeps a task's offsets, alignments and counts; part of its changelog's name. */
export const engineStoreName = (stage: Stage): string => `${stage.name}-engine`
/** Whether the engine has anything to remember of a stage beyond its committed offsets. */
export const hasEngineState = (stage: Stage): boolean =>
  stage.stores.length > 0 ||
  stage.sources.some(({ markers, seals }) => markers || seals) ||
  countedSinks(stage).length > 0
/** The changelogs of every store of a stage, the engine's own last. */
export const changelogsOf = (appId: string, stage: Stage): string[] =>
  [...stage.stores.map(({ name }) => name), ...(hasEngineState(stage) ? [engineStoreName(stage)] : [])].map((store) =>
    changelogTopic(appId, store),
  )
/** Topics that a stage writes and, though nobody of the topology reads them, counts on to keep what it wrote. */
export const ordersOf = (stage: Stage): string[] =>
  [...nodesOf(stage)].flatMap((node) => (node.type === 'sink' && node.topic.holdsOrders ? [node.topic.name] : []))
export const tasksOf = (stage: Stage): number =>
  stage.sources.reduce((max, { partitions }) => Math.max(max, partitions), 0)

/** Partitions in which a stage seals each record: it has to know where they end. */
export const sealedBy = (stage: Stage): SealedPartition[] =>
  [...nodesOf(stage)].flatMap((node) => {
    if (node.type !== 'sink' || !node.topic.seals) return []
    const { name: topic, partitions, seals } = node.topic
    return Array.from({ length: partitions }, (_, partition) => ({ topic, partition, seals }))
  })

function countedSinks(stage: Stage): SinkNode[] {
  return [...nodesOf(stage)].filter(
    (node): node is SinkNode => node.type === 'sink' && node.mode === 'keyed' && node.topic.markers !== undefined,
  )
}

export function* nodesOf(stage: Stage): IterableIterator<GraphNode> {
  const seen = new Set<GraphNode>()
  const queue = [...stage.children]
  for (let node = queue.shift(); node; node = queue.shift()) {
    if (seen.has(node)) continue
    seen.add(node)
    yield node
    if (node.type === 'processor') for (const children of node.outputs.values()) queue.push(...children)
  }
}

function describeTopology(topology: Topology): string {
  const lines = ['Topology']
  for (const stage of topology.stages) {
    lines.push(`  Stage ${stage.name} (${tasksOf(stage)} tasks)`)
    lines.push(`    Source ${stage.sources.map(describeTopic).join(', ')} --> ${targets(stage.children)}`)
    for (const node of nodesOf(stage)) {
      if (node.type === 'sink') continue
      const stores = node.stores.map(({ name, kind }) => `${name} (${kind})`).join(', ')
      lines.push(`    Processor ${node.name}${stores ? ` [stores: ${stores}]` : ''}`)
      for (const [output, children] of node.outputs) lines.push(`      ${output} --> ${targets(children)}`)
    }
  }
  for (const table of topology.globalTables) lines.push(`  Global table ${describeTopic(table)}`)
  if (topology.deadLetterTopic) lines.push(`  Dead letters ${topology.deadLetterTopic}`)
  if (topology.rules !== undefined) lines.push(`  Rules ${sha256(topology.rules)}`)
  return `${lines.join('\n')}\n`
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const describeTopic = ({ name, partitions }: AnyTopic): string => `${name} (${partitions})`
const targets = (nodes: readonly GraphNode[]): string => (nodes.length === 0 ? 'none' : nodes.map(target).join(', '))
const target = (node: GraphNode): string =>
  node.type === 'processor'
    ? node.name
    : `${node.mode === 'broadcast' ? 'every partition of ' : ''}${describeTopic(node.topic)}`
