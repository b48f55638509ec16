/** The settings as a list: path, variable, flag, type, default, meaning. Read off the schema. */
import { z } from 'zod'
import { configSchema } from './schema.ts'

export interface Setting {
  /** As in the file, e.g. `kafka.tls.caFile`. */
  readonly path: string
  /** E.g. `SEQUENCER_KAFKA_TLS_CA_FILE`. */
  readonly variable: string
  /** The flag of its own, when it has one; `--set <path>=<value>` works for all. */
  readonly flag: string | undefined
  readonly type: 'string' | 'number' | 'boolean' | 'list' | 'map'
  readonly fallback: unknown
  readonly help: string
}

/** Settings that one gives by hand often enough to deserve a flag. */
export const FLAGS: Readonly<Record<string, string>> = {
  'kafka.brokers': '--kafka',
  'registry.url': '--registry',
  appId: '--app-id',
  prefix: '--prefix',
  instanceId: '--instance-id',
  roles: '--roles',
  'chain.rpcUrls': '--rpc',
  'ops.port': '--ops-port',
  'log.level': '--log-level',
}

interface Node {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, Node>>
  readonly anyOf?: readonly Node[]
}

/** Sections and settings in the order of the schema. A section has no variable. */
export const SETTINGS: readonly Setting[] = leavesOf(rootNode(), '')

/** The subject of a section, by path. */
export const SECTIONS: ReadonlyMap<string, string> = new Map(
  Object.entries(rootNode().properties ?? {}).flatMap(([path, node]) =>
    node.properties ? [[path, node.description ?? '']] : [],
  ),
)

export const settingAt = (path: string): Setting | undefined => SETTINGS.find((setting) => setting.path === path)

function rootNode(): Node {
  return z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Node
}

function leavesOf(node: Node, path: string): Setting[] {
  if (node.properties)
    return Object.entries(node.properties).flatMap(([key, child]) => leavesOf(child, path ? `${path}.${key}` : key))
  const { description: help = '', default: fallback } = node
  return [{ path, variable: variableOf(path), flag: FLAGS[path], type: typeOf(node), fallback, help }]
}

function variableOf(path: string): string {
  const words = path.replaceAll('.', '_').replace(/([a-z0-9])([A-Z])/g, '$1_$2')
  return `SEQUENCER_${words.toUpperCase()}`
}

function typeOf({ type, anyOf }: Node): Setting['type'] {
  if (type === 'array') return 'list'
  if (type === 'object') return 'map'
  if (type === 'boolean') return 'boolean'
  const kind = type ?? anyOf?.[0]?.type
  return kind === 'integer' || kind === 'number' ? 'number' : 'string'
}
