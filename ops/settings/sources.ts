/** Where settings come from: a file, the environment, flags. Each later one wins over the one before, setting by setting. */
import { readFileSync } from 'node:fs'
import { LineCounter, parseDocument, type YAMLError } from 'yaml'
import { SETTINGS, type Setting, settingAt } from './list.ts'

export interface Fault {
  readonly path: string
  readonly message: string
  /** Where the value came from, or how to give one. */
  readonly source: string
}

/** A setting as it was given. */
export interface Given {
  readonly path: string
  readonly value: unknown
  readonly source: string
}

export interface Layer {
  readonly given: readonly Given[]
  readonly faults: readonly Fault[]
  /** Nothing of it could be read, so what is missing elsewhere may stand there. */
  readonly isUnread?: boolean
}

/** Options of a command by commander's names: `set` is a list of `path=value`, the others as in FLAGS. */
export type FlagValues = Readonly<Record<string, unknown>>

export const CONFIG_VARIABLE = 'SEQUENCER_CONFIG'

/** Variables of ours that are no settings of a sequencer: where `npm run kafka` keeps what it fetched. */
const NO_SETTINGS = [CONFIG_VARIABLE, 'SEQUENCER_CACHE_DIR']

/** The variables that Kubernetes puts into every pod for a Service called `sequencer…`. */
const SERVICE_LINK = /_(SERVICE_(HOST|PORT)|PORT)(_[A-Z0-9_]+)?$/

/** YAML or JSON (which is YAML). Every leaf is a setting of its own, so that a variable can win over a single leaf. */
export function fromFile(path: string): Layer {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const message = `cannot be read (${(error as NodeJS.ErrnoException).code})`
    return { given: [], faults: [{ path: '', message, source: path }], isUnread: true }
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const at = (offset: number): string => `${path}:${lines.linePos(offset).line}`
  if (document.errors.length > 0)
    return {
      given: [],
      faults: document.errors.map((error: YAMLError) => ({
        path: '',
        message: error.message.split('\n')[0]!,
        source: at(error.pos[0]),
      })),
      isUnread: true,
    }
  const content: unknown = document.toJS()
  if (content === null || content === undefined) return { given: [], faults: [] }
  if (!isMap(content)) return { given: [], faults: [{ path: '', message: 'holds no settings', source: path }] }
  const lineOf = (keys: readonly string[]): string => {
    const node = document.getIn(keys, true) as { range?: readonly number[] } | undefined
    return node?.range ? at(node.range[0]!) : path
  }
  const given = leaves(content, [], lineOf)
  const isSection = ({ path: at }: Given): boolean => SETTINGS.some((setting) => setting.path.startsWith(`${at}.`))
  const faults = given.filter(isSection).map(({ path: at, source }) => ({ path: at, message: 'is a section', source }))
  return { given: given.filter((one) => !isSection(one)), faults }
}

export function fromEnvironment(environment: Readonly<Record<string, string | undefined>>): Layer {
  const given: Given[] = []
  const faults: Fault[] = []
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('SEQUENCER_') || NO_SETTINGS.includes(variable) || text === undefined) continue
    const setting = SETTINGS.find((candidate) => candidate.variable === variable)
    if (setting) given.push({ path: setting.path, value: parseText(setting, text), source: variable })
    else if (!SERVICE_LINK.test(variable))
      faults.push({ path: '', message: noSuchVariable(variable), source: variable })
  }
  return { given, faults }
}

export function fromFlags(flags: FlagValues): Layer {
  const given: Given[] = []
  const faults: Fault[] = []
  for (const setting of SETTINGS) {
    const value = setting.flag && flags[camel(setting.flag)]
    if (typeof value === 'string')
      given.push({ path: setting.path, value: parseText(setting, value), source: setting.flag! })
  }
  for (const text of (flags.set as readonly string[] | undefined) ?? []) {
    const at = text.indexOf('=')
    const path = text.slice(0, Math.max(at, 0))
    const setting = settingAt(path)
    if (setting) given.push({ path, value: parseText(setting, text.slice(at + 1)), source: `--set ${path}` })
    else faults.push({ path, message: at < 0 ? 'not <setting>=<value>' : 'no such setting', source: `--set ${text}` })
  }
  return { given, faults }
}

/** Text becomes what the setting's type asks for; what cannot be stays text, and the schema says so. */
function parseText({ type }: Setting, text: string): unknown {
  if (type === 'number') return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  if (type === 'string') return text
  if (type === 'list' && !text.trimStart().startsWith('['))
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function leaves(
  content: Readonly<Record<string, unknown>>,
  above: readonly string[],
  sourceOf: (keys: readonly string[]) => string,
): Given[] {
  return Object.entries(content).flatMap(([key, value]) => {
    const keys = [...above, key]
    const path = keys.join('.')
    if (isMap(value) && !settingAt(path)) return leaves(value, keys, sourceOf)
    return value === null ? [] : [{ path, value, source: sourceOf(keys) }]
  })
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const camel = (flag: string): string => flag.slice(2).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())

function noSuchVariable(variable: string): string {
  const asFile = SETTINGS.find((setting) => setting.variable === `${variable}_FILE`)
  return asFile
    ? `secrets are given as files: set ${asFile.variable} to the path of one`
    : 'no such setting; docs/configuration.md has them all'
}
