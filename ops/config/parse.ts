/** File, environment and flags become one configuration: parsed once, frozen, all faults reported together. */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { z } from 'zod'
import { readSignerKey } from '../../connectors/evm/anchor-signer.ts'
import { checkRules, type ProtocolRules } from '../../topology/rules.ts'
import { CliError } from '../cli-error.ts'
import { configSchema, type SequencerSettings } from './schema.ts'
import { settingAt } from './settings.ts'
import {
  CONFIG_VARIABLE,
  type Fault,
  type FlagValues,
  fromEnvironment,
  fromFile,
  fromFlags,
  type Given,
} from './sources.ts'

export interface Configuration {
  readonly settings: SequencerSettings & { readonly instanceId: string }
  readonly rules: ProtocolRules
  /** Path → where its value came from; what is not in it has its default. */
  readonly sources: ReadonlyMap<string, string>
}

/** Settings without which a command cannot work, by path. */
export type Need = (settings: SequencerSettings) => readonly string[]

/** Throws CliError that lists every fault with its place. */
export function readConfiguration(
  flags: FlagValues,
  environment: Readonly<Record<string, string | undefined>>,
  need: Need = () => [],
): Configuration {
  const file = (flags.config as string | undefined) ?? environment[CONFIG_VARIABLE]
  const layers = [...(file ? [fromFile(file)] : []), fromEnvironment(environment), fromFlags(flags)]
  const given = new Map(layers.flatMap((layer) => layer.given.map((one) => [one.path, one] as const)))
  const sourceOf = (path: string): string => given.get(path)?.source ?? howToGive(path)
  const faults = layers.flatMap((layer) => layer.faults)
  const parsed = configSchema.safeParse(nested([...given.values()]))
  if (!parsed.success) faults.push(...parsed.error.issues.flatMap((issue) => faultsOf(issue, given)))
  else faults.push(...crossFaults(parsed.data, need).map((fault) => ({ ...fault, source: sourceOf(fault.path) })))
  if (faults.length > 0 || !parsed.success) throw refusal(faults)
  const sources = new Map([...given.values()].map(({ path, source }) => [path, source]))
  return deepFreeze({
    settings: { ...parsed.data, instanceId: parsed.data.instanceId ?? hostname() },
    rules: rulesOf(parsed.data),
    sources,
  })
}

/** The rules of the topology: each market with its domain. */
const rulesOf = ({ rules, markets, chain }: SequencerSettings): ProtocolRules => ({
  ...rules,
  markets: markets.map((market) => ({
    ...market,
    chainId: chain.chainId,
    protocolState: chain.protocolState,
    dataSources: [],
  })),
})

/** What one setting alone cannot show. */
function crossFaults(settings: SequencerSettings, need: Need): Omit<Fault, 'source'>[] {
  const { kafka, registry, chain } = settings
  const faults: Omit<Fault, 'source'>[] = need(settings)
    .filter((path) => isMissing(valueAt(settings, path)))
    .map((path) => ({ path, message: 'is needed' }))
  const check = (holds: boolean, path: string, message: string): void => void (holds || faults.push({ path, message }))
  const readable = (path: string): void => {
    const file = valueAt(settings, path) as string | undefined
    const problem = file === undefined ? undefined : whyUnreadable(file, path)
    check(problem === undefined, path, problem ?? '')
  }
  const { mechanism, username, passwordFile } = kafka.sasl
  const some = mechanism ?? username ?? passwordFile
  for (const [path, value] of Object.entries({ mechanism, username, passwordFile }))
    check(some === undefined || value !== undefined, `kafka.sasl.${path}`, 'is needed to log in')
  check(
    (kafka.tls.certFile === undefined) === (kafka.tls.keyFile === undefined),
    'kafka.tls.keyFile',
    'certificate and key go together',
  )
  check(
    registry.username === undefined || registry.passwordFile !== undefined,
    'registry.passwordFile',
    'is needed to log in',
  )
  check(
    kafka.minInsyncReplicas <= kafka.replicationFactor,
    'kafka.minInsyncReplicas',
    `${kafka.minInsyncReplicas} of ${kafka.replicationFactor} copies cannot be`,
  )
  check(
    chain.rpcUrls === undefined || chain.rpcUrlsFile === undefined,
    'chain.rpcUrlsFile',
    'is given beside chain.rpcUrls',
  )
  for (const path of SECRET_FILES) readable(path)
  try {
    checkRules(rulesOf(settings))
  } catch (error) {
    faults.push({ path: 'markets', message: (error as Error).message })
  }
  return faults
}

const SECRET_FILES = [
  'kafka.tls.caFile',
  'kafka.tls.certFile',
  'kafka.tls.keyFile',
  'kafka.sasl.passwordFile',
  'registry.passwordFile',
  'chain.rpcUrlsFile',
  'anchor.signerKeyFile',
]

function whyUnreadable(file: string, path: string): string | undefined {
  try {
    if (path === 'anchor.signerKeyFile') readSignerKey(file)
    else if (readFileSync(file, 'utf8').trim() === '') return `${file} is empty`
    return undefined
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'SIGNER_KEY' ? message : `${file} cannot be read (${code})`
  }
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
  return [
    { path, message: missing ? 'is needed' : issue.message.replace(/^Invalid input: /, ''), source: sourceOf(path) },
  ]
}

/** No value was given at the path or anywhere under it. */
const valueMissing = (path: string, given: ReadonlyMap<string, Given>): boolean =>
  ![...given.keys()].some((known) => known === path || known.startsWith(`${path}.`) || path.startsWith(`${known}.`))

function howToGive(path: string): string {
  const setting = settingAt(path)
  if (!setting) return 'not set'
  return `not set: ${path} in the file, ${setting.variable}${setting.flag ? ` or ${setting.flag}` : ''}`
}

const refusal = (faults: readonly Fault[]): CliError =>
  new CliError(
    `the configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults
      .map(({ path, message, source }) => `  ${path ? `${path}: ` : ''}${message}  (${source})`)
      .join('\n')}`,
    'Every setting is in docs/configuration.md; `sequencer config print` shows what counts.',
  )

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
