import type { KStream, StreamsBuilder } from './builder.ts'
import { checkTopology } from './check-topology.ts'
import type { Preparation } from './preparation.ts'
import type { Store, StoreBuilder } from './store.ts'
import {
  type AnySupplier,
  type AnyTopic,
  type GraphNode,
  nodesOf,
  type ProcessorNode,
  type Stage,
  Topology,
  TopologyError,
} from './topology.ts'

/** A source while the graph is being built; merged sources are one. */
interface Origin {
  readonly sources: AnyTopic[]
  readonly preparations: Map<string, string>
  readonly children: GraphNode[]
  merged: boolean
}

/** A KStream inside: a place in the graph to which children are added. */
interface StreamNode extends KStream<unknown, unknown, unknown, unknown> {
  readonly origin: Origin
  readonly children: GraphNode[]
}

export function createStreamsBuilder(): StreamsBuilder {
  const origins: Origin[] = []
  const globalTables: AnyTopic[] = []
  const repartitionTopics = new Set<string>()
  let deadLetterTopic: string | undefined
  let rules: string | undefined

  const source = (topic: AnyTopic, prepared?: Preparation<unknown, unknown>): StreamNode => {
    const preparations = new Map<string, string>()
    if (prepared) preparations.set(topic.name, prepared.name)
    const origin: Origin = { sources: [topic], preparations, children: [], merged: false }
    origins.push(origin)
    return streamOf(origin, origin.children, (repartitioned) => {
      if (repartitioned.retentionMs === undefined) repartitionTopics.add(repartitioned.name)
      return source(repartitioned)
    })
  }

  const builder = {
    stream: source,
    globalTable: (topic: AnyTopic) => void globalTables.push(topic),
    deadLetters(name: string) {
      deadLetterTopic = name
    },
    rules(text: string) {
      rules = text
    },
    build() {
      const stages = origins.filter(({ merged }) => !merged).map(toStage)
      const topology = new Topology({ stages, globalTables, repartitionTopics, deadLetterTopic, rules })
      checkTopology(topology)
      return topology
    },
  }
  return builder as StreamsBuilder
}

function streamOf(origin: Origin, children: GraphNode[], source: (topic: AnyTopic) => StreamNode): StreamNode {
  const sink = (topic: AnyTopic) => void children.push({ type: 'sink', topic, mode: 'keyed' })
  const node = {
    origin,
    children,
    process(
      name: string,
      outputs: readonly string[],
      supplier: AnySupplier,
      ...stores: readonly StoreBuilder<Store>[]
    ) {
      const grown = new Map<string, GraphNode[]>(outputs.map((output) => [output, []]))
      children.push({ type: 'processor', name, supplier, stores, outputs: grown })
      return Object.fromEntries([...grown].map(([output, nodes]) => [output, streamOf(origin, nodes, source)]))
    },
    merge(other: StreamNode) {
      if (children !== origin.children || other.children !== other.origin.children)
        throw new TopologyError('merge joins two sources, before any processor')
      if (other.children.length > 0 || origin === other.origin)
        throw new TopologyError('merge joins two different sources of which the second has no processor yet')
      other.origin.merged = true
      origin.sources.push(...other.origin.sources)
      for (const [topic, name] of other.origin.preparations) origin.preparations.set(topic, name)
      return node
    },
    to: sink,
    broadcast: (topic: AnyTopic) => void children.push({ type: 'sink', topic, mode: 'broadcast' }),
    repartition(topic: AnyTopic) {
      sink(topic)
      return source(topic)
    },
  }
  return node as StreamNode
}

function toStage({ sources, preparations, children }: Origin): Stage {
  const first = children.find((node): node is ProcessorNode => node.type === 'processor')
  if (!first) throw new TopologyError(`nothing processes ${sources.map(({ name }) => name).join(', ')}`)
  const stage: Stage = { name: first.name, sources, preparations, children, stores: [] }
  const stores = [...nodesOf(stage)].flatMap((node) => (node.type === 'processor' ? node.stores : []))
  return { ...stage, stores: [...new Set(stores)] }
}
