import type { KStream, StreamsBuilder } from './builder.ts'
import {
  type AnyTopic,
  type GraphNode,
  nodesOf,
  type ProcessorNode,
  type Stage,
  Topology,
  TopologyError,
} from './topology.ts'

/** A source while the graph is being built; merged sources point to one. */
interface Origin {
  sources: AnyTopic[]
  children: GraphNode[]
  mergedInto?: Origin
}

export function createStreamsBuilder(): StreamsBuilder {
  const origins: Origin[] = []
  const globalTables: AnyTopic[] = []
  const repartitionTopics = new Set<string>()
  let deadLetterTopic: string | undefined

  const source = (topic: AnyTopic): KStream<never, never> => {
    const origin: Origin = { sources: [topic], children: [] }
    origins.push(origin)
    return stream(origin, origin.children)
  }

  const stream = (origin: Origin, children: GraphNode[]): KStream<never, never> => {
    const sink = (topic: AnyTopic, mode: 'keyed' | 'broadcast') => void children.push({ type: 'sink', topic, mode })
    const kstream = {
      origin,
      children,
      process(name: string, outputs: readonly string[], supplier: never, ...stores: never[]) {
        const node: ProcessorNode = {
          type: 'processor',
          name,
          supplier,
          stores,
          outputs: new Map(outputs.map((output) => [output, []])),
        }
        children.push(node)
        return Object.fromEntries(
          [...node.outputs].map(([output, nodes]) => [output, stream(origin, nodes as GraphNode[])]),
        )
      },
      merge(other: { origin: Origin; children: GraphNode[] }) {
        if (children !== origin.children || other.children !== other.origin.children)
          throw new TopologyError('merge joins two sources, before any processor')
        other.origin.mergedInto = origin
        origin.sources.push(...other.origin.sources)
        return kstream
      },
      to: (topic: AnyTopic) => sink(topic, 'keyed'),
      broadcast: (topic: AnyTopic) => sink(topic, 'broadcast'),
      repartition(topic: AnyTopic) {
        sink(topic, 'keyed')
        repartitionTopics.add(topic.name)
        return source(topic)
      },
    }
    return kstream as never
  }

  return {
    stream: source as never,
    globalTable: (topic) => void globalTables.push(topic as never),
    deadLetters(name) {
      deadLetterTopic = name
    },
    build() {
      const stages = origins.filter((origin) => !origin.mergedInto).map(toStage)
      checkNames(stages)
      return new Topology({ stages, globalTables, repartitionTopics, deadLetterTopic })
    },
  } as StreamsBuilder
}

function toStage({ sources, children }: Origin): Stage {
  const first = children.find((node): node is ProcessorNode => node.type === 'processor')
  if (!first) throw new TopologyError(`nothing processes ${sources.map(({ name }) => name).join(', ')}`)
  const stage: Stage = { name: first.name, sources, children, stores: [] }
  const stores = [...nodesOf(stage)].flatMap((node) => (node.type === 'processor' ? node.stores : []))
  return { ...stage, stores: [...new Set(stores)] }
}

function checkNames(stages: readonly Stage[]): void {
  const owners = new Map<string, string>()
  const claim = (name: string, owner: string) => {
    const other = owners.get(name)
    if (other !== undefined) throw new TopologyError(`${name} is used by ${other} and by ${owner}; names are unique`)
    owners.set(name, owner)
  }
  for (const stage of stages) {
    const counts = new Set(stage.sources.map(({ partitions }) => partitions))
    if (counts.size > 1) throw new TopologyError(`the sources of stage ${stage.name} have different partition counts`)
    for (const node of nodesOf(stage)) if (node.type === 'processor') claim(`processor ${node.name}`, stage.name)
    for (const { name } of stage.stores) claim(`store ${name}`, stage.name)
  }
}
