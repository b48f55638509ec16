import { type AnyTopic, nodesOf, type SinkNode, type Stage, type Topology, TopologyError } from './topology.ts'

/** The characters that Kafka takes in a topic name; names of processors and stores become part of topics and groups. */
const NAME = /^[a-zA-Z0-9._-]{1,200}$/

/** Throws `TopologyError` for a graph that could not run, so that nothing of it shows only while running. */
export function checkTopology(topology: Topology): void {
  checkNames(topology)
  checkTopics(topology)
  for (const stage of topology.stages) checkSources(stage)
  checkWriters(topology)
  checkRepartitions(topology)
}

function checkNames({ stages }: Topology): void {
  const owners = new Map<string, string>()
  const claim = (kind: string, name: string, stage: string) => {
    if (!NAME.test(name)) throw new TopologyError(`${JSON.stringify(name)} is no name for a ${kind}`)
    const other = owners.get(`${kind} ${name}`)
    if (other !== undefined)
      throw new TopologyError(`${kind} ${name} is in stage ${other} and again in stage ${stage}; names are unique`)
    owners.set(`${kind} ${name}`, stage)
  }
  for (const stage of stages) {
    for (const node of nodesOf(stage)) if (node.type === 'processor') claim('processor', node.name, stage.name)
    for (const { name } of stage.stores) claim('store', name, stage.name)
  }
}

function checkTopics({ stages, globalTables }: Topology): void {
  const known = new Map<string, AnyTopic>()
  const check = (topic: AnyTopic) => {
    if (!NAME.test(topic.name)) throw new TopologyError(`${JSON.stringify(topic.name)} is no name for a topic`)
    const other = known.get(topic.name) ?? topic
    if (other.partitions !== topic.partitions)
      throw new TopologyError(`topic ${topic.name} is given ${other.partitions} and ${topic.partitions} partitions`)
    known.set(topic.name, topic)
  }
  for (const stage of stages) {
    stage.sources.forEach(check)
    for (const { topic } of sinksOf(stage)) check(topic)
  }
  for (const table of globalTables) {
    check(table)
    if (table.cleanup !== 'compact') throw new TopologyError(`global table ${table.name} is not compacted`)
  }
}

function checkSources({ name, sources }: Stage): void {
  const counts = new Set(sources.map(({ partitions }) => partitions))
  if (counts.size > 1) throw new TopologyError(`the sources of stage ${name} have different partition counts`)
  if (new Set(sources.map((topic) => topic.name)).size < sources.length)
    throw new TopologyError(`stage ${name} reads a topic twice`)
  // Alignment is per topic: with two of them a marker would not be one cut through all of the stage's input.
  if (sources.filter(({ markers }) => markers).length > 1)
    throw new TopologyError(`stage ${name} merges two topics with markers`)
}

/** A topic with markers has one writing stage: its tasks are the `of` senders, and their counts are all there is. */
function checkWriters({ stages }: Topology): void {
  const writers = new Map<string, string>()
  for (const stage of stages)
    for (const { topic, mode } of sinksOf(stage)) {
      if (mode === 'broadcast' && !topic.markers)
        throw new TopologyError(`stage ${stage.name} broadcasts to ${topic.name}, which has no marker protocol`)
      if (!topic.markers) continue
      const other = writers.get(topic.name)
      if (other !== undefined)
        throw new TopologyError(`${topic.name} has markers and is written by ${other} and again by ${stage.name}`)
      writers.set(topic.name, stage.name)
    }
}

/** The engine deletes what the one reader of a repartition topic has committed. */
function checkRepartitions({ stages, repartitionTopics }: Topology): void {
  for (const name of repartitionTopics) {
    const readers = stages.filter(({ sources }) => sources.some((topic) => topic.name === name))
    if (readers.length > 1)
      throw new TopologyError(
        `${name} is purged behind its reader but read by ${readers.map((stage) => stage.name).join(' and ')}; give it a retentionMs`,
      )
  }
}

const sinksOf = (stage: Stage): SinkNode[] =>
  [...nodesOf(stage)].filter((node): node is SinkNode => node.type === 'sink')
