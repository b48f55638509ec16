/**
 * `sequencer topology describe`: the graph as text, as JSON, or as a Mermaid diagram. Rules and fingerprint belong to a
 * configuration, and are shown of one.
 */
import { Command } from 'commander'
import { z } from 'zod'
import { createCodec } from '../../schemas/codec.ts'
import { memoryRegistry } from '../../schemas/registry.ts'
import { nodesOf, type Topology } from '../../streams/topology.ts'
import { sequencerTopology } from '../../topology/index.ts'
import { MARKET_DEFAULTS, RULES_DEFAULTS } from '../../topology/rules.ts'
import { sequencerStores } from '../../topology/stores.ts'
import { sequencerTopics } from '../../topology/topics.ts'
import { CliError } from '../base/cli-error.ts'
import { AS_JSON, parseOptions, whole } from '../base/options.ts'
import { stdout } from '../base/output.ts'
import { readConfiguration } from '../settings/parse.ts'

const schema = z.object({
  mermaid: z.boolean().default(false),
  json: z.boolean().default(false),
  config: z.string().optional(),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9._-]{0,100}$/, 'not up to 100 letters, digits, dots, underscores and hyphens')
    .optional(),
  partitions: whole(1, 1_000).optional(),
})

const PARTITIONS = 4
const RULES_LINE = /^ {2}Rules .*\n/m

export function topologyCommand(): Command {
  const command = new Command('topology')
  command
    .command('describe')
    .description('Print stages, topics, stores')
    .option('--mermaid', 'as a Mermaid flowchart')
    .option('--json', `${AS_JSON}; with --config also the fingerprint that members compare`)
    .option('--config <file>', 'with the names, partitions and rules of this configuration')
    .option('--prefix <text>', 'put before every topic name (none without a configuration)')
    .option('--partitions <n>', `partitions of the keyed topics (${PARTITIONS} without a configuration)`)
    .action(describe)
  return command
}

async function describe(given: unknown): Promise<void> {
  const { mermaid, json, config, prefix, partitions } = parseOptions(schema, given, 'topology describe')
  if (config !== undefined && (prefix !== undefined || partitions !== undefined))
    throw new CliError('--config says prefix and partitions already', 'Give it alone, or leave it out.')
  const topology = config === undefined ? await sampleTopology(prefix, partitions) : await configuredTopology(config)
  const fingerprint = config === undefined ? null : topology.fingerprint
  const text = config === undefined ? topology.describe().replace(RULES_LINE, '') : topology.describe()
  if (json) stdout.printJson({ fingerprint, text })
  else stdout.printRaw(mermaid ? mermaidOf(topology) : text)
}

async function configuredTopology(file: string): Promise<Topology> {
  const { settings, rules } = readConfiguration({ config: file }, process.env)
  const { prefix, partitions, anchoring } = settings
  const codec = await createCodec(memoryRegistry(), prefix)
  return sequencerTopology(rules, sequencerTopics(codec, { prefix, partitions }), sequencerStores(codec), anchoring)
}

/** The rules of any market: the graph does not depend on them. */
async function sampleTopology(prefix = '', n = PARTITIONS): Promise<Topology> {
  const codec = await createCodec(memoryRegistry(), prefix)
  const zero = `0x${'0'.repeat(40)}`
  const market = { ...MARKET_DEFAULTS, dataMarket: zero, chainId: 1, protocolState: zero }
  const topics = sequencerTopics(codec, {
    prefix,
    partitions: { submissions: n, validated: n, admitted: n, finalizations: n, verdicts: n },
  })
  return sequencerTopology({ ...RULES_DEFAULTS, markets: [market] }, topics, sequencerStores(codec))
}

/** Topics as rounded boxes, stages as boxes; an arrow for each that is read or written. */
function mermaidOf(topology: Topology): string {
  const lines = ['flowchart LR']
  for (const { name, partitions } of topology.topics) lines.push(`  ${id(name)}(["${name} · ${partitions}"])`)
  for (const stage of topology.stages) {
    lines.push(`  ${id(`stage ${stage.name}`)}["${stage.name}"]`)
    for (const source of stage.sources) lines.push(`  ${id(source.name)} --> ${id(`stage ${stage.name}`)}`)
    const written = new Set([...nodesOf(stage)].flatMap((node) => (node.type === 'sink' ? [node.topic.name] : [])))
    for (const topic of written) lines.push(`  ${id(`stage ${stage.name}`)} --> ${id(topic)}`)
  }
  for (const { name } of topology.globalTables)
    lines.push(
      `  ${id(name)} -. table .-> ${id(`stage ${topology.stages.find(({ name: stage }) => stage === 'validate')!.name}`)}`,
    )
  return `${lines.join('\n')}\n`
}

const id = (name: string): string => name.replace(/[^A-Za-z0-9]/g, '_')
