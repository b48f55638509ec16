/** File, environment and flags become one configuration: parsed once, frozen, all faults reported together. */
import { existsSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { z } from 'zod'
import { readSignerKey } from '../../connectors/evm/anchor-effects/anchor-signer.ts'
import { whyNotKept } from '../../connectors/secret-file.ts'
import { checkRules, type ProtocolRules } from '../../topology/rules.ts'
import { readMarkerSigner } from './keys/marker-key.ts'
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
import { storageFaults } from './storage-settings.ts'

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
  check: (parsed: T) => readonly Omit<Fault, 'source'>[],
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
  return whyUnreadable(signingKeyFile, 'markers.signingKeyFile') ? [] : [readMarkerSigner(signingKeyFile).publicKey]
}

/** Faults that one setting alone cannot show. */
function crossFaults(settings: SequencerSettings): Omit<Fault, 'source'>[] {
  const { kafka, anchor, markers, intake, api } = settings
  const faults = [...connectionFaults(settings), ...unreadable('anchor.signerKeyFile', anchor.signerKeyFile)]
  faults.push(...unreadable('markers.signingKeyFile', markers.signingKeyFile), ...wrongMarkerKey(markers))
  faults.push(...anchor.formerSignerKeyFiles.flatMap((file) => unreadable('anchor.formerSignerKeyFiles', file)))
  faults.push(...unreadable('api.legacyTokenFile', api.legacyTokenFile))
  if (intake.peerKeyFile && existsSync(intake.peerKeyFile))
    // else it is made
    faults.push(...unreadable('intake.peerKeyFile', intake.peerKeyFile))
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

/** Markers that are signed by another key than the newest would not count anywhere. */
function wrongMarkerKey({ signingKeyFile, publicKeys }: SequencerSettings['markers']): Omit<Fault, 'source'>[] {
  if (signingKeyFile === undefined || whyUnreadable(signingKeyFile, 'markers.signingKeyFile')) return []
  const { publicKey } = readMarkerSigner(signingKeyFile)
  if (publicKeys.length === 0 || publicKeys.at(-1) === publicKey) return []
  return [{ path: 'markers.publicKeys', message: `the last must be ${publicKey}, the key in ${signingKeyFile}` }]
}

function connectionFaults({ kafka, registry, chain, storage }: Address): Omit<Fault, 'source'>[] {
  const { mechanism, username, passwordFile, plainWithoutTls } = kafka.sasl
  const { enabled, caFile, certFile, keyFile } = kafka.tls
  const faults: Omit<Fault, 'source'>[] = []
  const check = (holds: boolean, path: string, message: string): void => void (holds || faults.push({ path, message }))
  const login = mechanism ?? username ?? passwordFile
  for (const [name, value] of Object.entries({ mechanism, username, passwordFile }))
    check(login === undefined || value !== undefined, `kafka.sasl.${name}`, 'is needed to log in')
  const isEncrypted = enabled || caFile !== undefined || certFile !== undefined
  check(
    mechanism !== 'plain' || isEncrypted || plainWithoutTls,
    'kafka.sasl.mechanism',
    'plain sends the password as it is, and kafka.tls is off: turn that on, use scram-sha-512, or set kafka.sasl.plainWithoutTls',
  )
  const registryLogin = registry.username !== undefined || /^http:\/\/[^/]*@/i.test(registry.url)
  check(
    !registryLogin || !/^http:/i.test(registry.url) || registry.loginWithoutTls,
    'registry.url',
    'the password would be sent as it is: use https, or set registry.loginWithoutTls',
  )
  check(
    registry.tls.caFile === undefined || /^https:/i.test(registry.url),
    'registry.tls.caFile',
    'says who signed a certificate, and registry.url is not https',
  )
  check((certFile === undefined) === (keyFile === undefined), 'kafka.tls.keyFile', 'certificate and key go together')
  check(
    registry.username === undefined || registry.passwordFile !== undefined,
    'registry.passwordFile',
    'is needed to log in',
  )
  const nodes = chain.rpcUrls?.length
  check(
    nodes === undefined || chain.agreement <= nodes,
    'chain.agreement',
    `${chain.agreement} nodes must agree, and ${nodes} are named: add nodes to chain.rpcUrls, or lower it`,
  )
  check(chain.rpcUrls === undefined || !chain.rpcUrlsFile, 'chain.rpcUrlsFile', 'is given beside chain.rpcUrls')
  const files = {
    'kafka.tls.caFile': caFile,
    'kafka.tls.certFile': certFile,
    'kafka.tls.keyFile': keyFile,
    'kafka.sasl.passwordFile': passwordFile,
    'registry.tls.caFile': registry.tls.caFile,
    'registry.passwordFile': registry.passwordFile,
    'chain.rpcUrlsFile': chain.rpcUrlsFile,
  }
  faults.push(
    ...storageFaults(storage),
    ...storage.pinning.flatMap(({ tokenFile }) => unreadable('storage.pinning', tokenFile)),
  )
  return [...faults, ...Object.entries(files).flatMap(([path, file]) => unreadable(path, file))]
}

const unreadable = (path: string, file: string | undefined): Omit<Fault, 'source'>[] => {
  const message = file === undefined ? undefined : whyUnreadable(file, path)
  return message === undefined ? [] : [{ path, message }]
}

const PUBLIC_FILES = ['kafka.tls.caFile', 'kafka.tls.certFile', 'registry.tls.caFile']

function whyUnreadable(file: string, path: string): string | undefined {
  try {
    if (/^anchor\..*signerKeyFiles?$|^markers\.signingKeyFile$/i.test(path)) readSignerKey(file)
    else if (readFileSync(file, 'utf8').trim() === '') return `${file} is empty`
    return PUBLIC_FILES.includes(path) ? undefined : whyNotKept(file)
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
