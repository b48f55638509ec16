/** File, environment and flags become one configuration: parsed once, frozen, all faults reported together. */
import { hostname } from 'node:os'
import type { z } from 'zod'
import { checkRules, type ProtocolRules } from '../../topology/rules.ts'
import { connectionFaults, keyFileFaults, type SettingFault, whyUnreadable } from './faults.ts'
import { readSealSigner } from './keys/marker-key.ts'
import { settingAt } from './list.ts'
import { howToGive, NEEDED, refusal } from './refusal.ts'
import { type Address, addressSchema, configSchema, isOfAddress, type SequencerSettings } from './schema.ts'
import {
  CONFIG_VARIABLE,
  type Fault,
  type FlagValues,
  fromEnvironment,
  fromFile,
  fromFlags,
  type Given,
  type Layer,
} from './sources.ts'

export type { Address }

export interface Configuration {
  readonly settings: SequencerSettings & { readonly instanceId: string }
  readonly rules: ProtocolRules
  /** Path → where its value came from; what is not in it has its default. */
  readonly sources: ReadonlyMap<string, string>
}

type Environment = Readonly<Record<string, string | undefined>>

/** Settings without which a command cannot work, by path. Sections with faults of their own are missing. */
export type Need = (settings: Partial<SequencerSettings>) => readonly string[]

/** Throws CliError that lists every fault with its place. */
export function readConfiguration(flags: FlagValues, environment: Environment, need: Need = () => []): Configuration {
  const layers = layersOf(flags, environment)
  const { value: settings, sources } = read(configSchema, [...layers, needed(layers, need)], crossFaults)
  return deepFreeze({
    settings: { ...settings, instanceId: settings.instanceId ?? hostname() },
    rules: rulesOf(settings),
    sources,
  })
}

/** Only what is needed to read a cluster: the rest is deployed there. Throws as `readConfiguration`. */
export function readAddress(flags: FlagValues, environment: Environment): Address {
  const layers = layersOf(flags, environment).map(({ given, faults }) => ({
    given: given.filter(({ path }) => !settingAt(path) || isOfAddress(path)),
    faults,
  }))
  return deepFreeze(read(addressSchema, layers, connectionFaults).value)
}

function read<T>(
  schema: z.ZodType<T>,
  layers: readonly Layer[],
  check: (parsed: T) => readonly SettingFault[],
): { value: T; sources: ReadonlyMap<string, string> } {
  const given = new Map(layers.flatMap((layer) => layer.given.map((one) => [one.path, one] as const)))
  const faults = layers.flatMap((layer) => layer.faults)
  const parsed = schema.safeParse(nested([...given.values()]))
  if (!parsed.success) faults.push(...parsed.error.issues.flatMap((issue) => faultsOf(issue, given)))
  else
    faults.push(
      ...check(parsed.data).map((fault) => ({
        ...fault,
        source: given.get(fault.path)?.source ?? howToGive(fault.path),
      })),
    )
  if (faults.length > 0 || !parsed.success) throw refusal(faults)
  return { value: parsed.data, sources: new Map([...given.values()].map(({ path, source }) => [path, source])) }
}

/** Checked section by section, so that faults elsewhere do not hide what is missing. */
function needed(layers: readonly Layer[], need: Need): Layer {
  const raw = nested(layers.flatMap(({ given }) => given))
  const sections = Object.entries(configSchema.shape).flatMap(([section, schema]) => {
    const parsed = schema.safeParse(raw[section])
    return parsed.success ? [[section, parsed.data]] : []
  })
  const good = Object.fromEntries(sections) as Partial<SequencerSettings>
  const missing = need(good).filter((path) => path.split('.')[0]! in good && isMissing(valueAt(good, path)))
  return { given: [], faults: missing.map((path) => ({ path, message: NEEDED, source: howToGive(path) })) }
}

function layersOf(flags: FlagValues, environment: Environment): Layer[] {
  const file = (flags.config as string | undefined) ?? environment[CONFIG_VARIABLE]
  const layers = [...(file ? [fromFile(file)] : []), fromEnvironment(environment), fromFlags(flags)]
  const unread = layers.find(({ isUnread }) => isUnread)
  if (unread) throw refusal(unread.faults)
  return layers
}

/** The rules of the topology: each market with its domain. */
const rulesOf = ({ rules, markets, addedMarkets, chain, markers }: SequencerSettings): ProtocolRules => ({
  ...rules,
  markerKeys: markerKeysOf(markers),
  unsignedMarkers: markers.unsignedFirst,
  unsealedRecords: markers.unsealedFirst ?? false, // of a new deployment; else see `agreedWith`
  addedMarkets,
  markets: markets.map((market) => ({
    ...market,
    chainId: chain.chainId,
    protocolState: chain.protocolState,
  })),
})

/** Keys for a process that has the key itself: this key alone when no others are named. */
function markerKeysOf({ publicKeys, signingKeyFile }: SequencerSettings['markers']): readonly string[] {
  if (publicKeys.length > 0 || !signingKeyFile) return publicKeys
  return whyUnreadable(signingKeyFile, 'markers.signingKeyFile') ? [] : [readSealSigner(signingKeyFile).publicKey]
}

/** Faults that one setting alone cannot show. */
function crossFaults(settings: SequencerSettings): SettingFault[] {
  const { kafka } = settings
  const faults = [...connectionFaults(settings), ...keyFileFaults(settings)]
  if (kafka.minInsyncReplicas > kafka.replicationFactor)
    faults.push({
      path: 'kafka.minInsyncReplicas',
      message: `${kafka.minInsyncReplicas} of ${kafka.replicationFactor} copies cannot be`,
    })
  try {
    checkRules(rulesOf(settings))
  } catch (error) {
    faults.push({ path: 'markets', message: (error as Error).message })
  }
  return faults
}

function faultsOf(issue: z.core.$ZodIssue, given: ReadonlyMap<string, Given>): Fault[] {
  const path = issue.path.map(String).join('.')
  const sourceOf = (at: string): string => {
    for (let above = at; above !== ''; above = above.slice(0, Math.max(0, above.lastIndexOf('.')))) {
      const source = given.get(above)?.source
      if (source) return source
    }
    return howToGive(at)
  }
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => {
      const at = path ? `${path}.${key}` : key
      const source = given.get(at)?.source ?? [...given.values()].find((one) => one.path.startsWith(`${at}.`))?.source
      return { path: at, message: 'no such setting', source: source ?? sourceOf(at) }
    })
  const missing = issue.code === 'invalid_type' && valueMissing(path, given)
  return [{ path, message: missing ? NEEDED : issue.message.replace(/^Invalid input: /, ''), source: sourceOf(path) }]
}

/** No value was given at the path or anywhere under it. */
const valueMissing = (path: string, given: ReadonlyMap<string, Given>): boolean =>
  ![...given.keys()].some((known) => known === path || known.startsWith(`${path}.`) || path.startsWith(`${known}.`))

function nested(given: readonly Given[]): Record<string, unknown> {
  const root: Record<string, unknown> = {}
  for (const section of ['kafka', 'registry', 'chain']) root[section] = {} // so that each setting missing in them is named
  for (const { path, value } of given) {
    const keys = path.split('.')
    const last = keys.pop()!
    const section = keys.reduce((at, key) => {
      const inner = (at[key] as Record<string, unknown> | undefined) ?? {}
      at[key] = inner
      return inner
    }, root)
    section[last] = value
  }
  return root
}

export const valueAt = (settings: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], settings)

const isMissing = (value: unknown): boolean => value === undefined || (Array.isArray(value) && value.length === 0)

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const child of Object.values(value)) deepFreeze(child)
  }
  return value
}
