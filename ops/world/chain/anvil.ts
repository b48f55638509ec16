/**
 * The process of the development chain. It runs apart from us, so that a kill -9 of the sequencer does not roll the chain
 * back by what anvil had not written yet: the next start takes it over. A guard ends it when nobody has touched the
 * heartbeat file for `idleSeconds`.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { delimiter, dirname, join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { boundedFetch } from '../../../connectors/bounded-fetch.ts'
import { EvmError } from '../../../connectors/evm/errors.ts'

const START_WAIT_MS = 30_000
const STOP_WAIT_MS = 15_000
const PROBE_TIMEOUT_MS = 2_000
const PROBE_BYTES_MAX = 64 * 2 ** 10
const POLL_MS = 50
const HEARTBEAT_MS = 5_000
const LOG_TAIL_CHARS = 2_000
/** The deployed relayer sends 40 M gas with each batch, so its chain takes at least that. */
const BLOCK_GAS_LIMIT = 60_000_000

/** $1 heartbeat, $2 the guard's mark, $3 idle seconds, then the command. Ends the chain (which writes its state) on TERM. */
const GUARD = `
beat=$1; seen=$2; idle=$3; shift 3
touch "$seen" # nothing is newer than a file that is not there
"$@" & chain=$!
stop() { echo "ending the chain after $still s without a heartbeat"; kill -TERM "$chain" 2>/dev/null; wait "$chain"; exit 0; }
trap stop TERM INT HUP
still=0
while kill -0 "$chain" 2>/dev/null; do
  sleep 1 & wait $!
  if [ "$beat" -nt "$seen" ]; then touch "$seen"; still=0; else still=$((still + 1)); fi
  [ "$still" -lt "$idle" ] || stop
done
wait "$chain"; code=$?
echo "anvil ended with code $code"; exit $code
`

export interface AnvilOptions {
  /** Directory of this chain alone: state, heartbeat, log and the record of the running process. */
  readonly directory: string
  /** 0 takes a free one. A chain of this directory that still runs keeps the port it has. */
  readonly port: number
  readonly chainId: number
  readonly blockTimeSeconds: number
  readonly fundedAccounts: number
  readonly idleSeconds: number
  /** Seconds between two writes of the state; only a kill of anvil itself, not of us, loses what lies between. */
  readonly stateIntervalSeconds: number
  /**
   * The states of so many newest blocks are kept; absent: those of 1,500, and of 3,600 older ones on disk, a copy each. anvil forgets only
   * when it does not make the blocks by itself (with an interval of 2 s or less it keeps 1,500): so we ask for each, and a
   * chain that nobody holds stands still.
   */
  readonly statesKept?: number
  /** The chain is gone although nobody closed it; called once. */
  readonly onEnded?: (error: EvmError) => void
}

export interface Anvil {
  readonly rpcUrl: string
  readonly port: number
  /** The chain was running already. */
  readonly adopted: boolean
  /** Ends the chain; its state is on disk when this resolves. */
  close(): Promise<void>
}

interface RunningRecord {
  readonly guardPid: number
  readonly port: number
  readonly chainId: number
}

export async function startAnvil(options: AnvilOptions): Promise<Anvil> {
  const directory = resolve(options.directory)
  mkdirSync(directory, { recursive: true })
  const files = filesOf(directory)
  writeFileSync(files.heartbeat, '')
  const running = await takeOver(files, options.chainId)
  const { guardPid, port } = running ?? (await launch(options, files))
  const look = () => {
    touch(files.heartbeat)
    if (isOurGuard(guardPid, files)) return
    clearInterval(beat)
    clearInterval(blocks)
    options.onEnded?.(new EvmError('ANVIL_FAILED', `the development chain ended by itself: ${lastWords(files)}`))
  }
  const beat = setInterval(look, Math.min(HEARTBEAT_MS, (options.idleSeconds * 1000) / 4)).unref()
  const blocks = options.statesKept === undefined ? undefined : mineEvery(port, options.blockTimeSeconds)
  return {
    rpcUrl: urlOf(port),
    port,
    adopted: running !== undefined,
    close: async () => {
      clearInterval(beat)
      clearInterval(blocks)
      await stopGuard(guardPid, files)
      rmSync(files.running, { force: true })
    },
  }
}

/** A block that is late is not made up for, as on any chain. */
function mineEvery(port: number, seconds: number): NodeJS.Timeout {
  let isMining = false
  const mine = async (): Promise<void> => {
    if (isMining) return
    isMining = true
    await ask(port, 'evm_mine').catch(() => {}) // the heartbeat finds out when the chain is gone
    isMining = false
  }
  return setInterval(() => void mine(), seconds * 1_000).unref()
}

type Files = ReturnType<typeof filesOf>
const filesOf = (directory: string) => ({
  running: join(directory, 'anvil.json'),
  state: join(directory, 'state.json'),
  heartbeat: join(directory, 'heartbeat'),
  seen: join(directory, 'heartbeat.seen'),
  log: join(directory, 'anvil.log'),
})

const urlOf = (port: number): string => `http://127.0.0.1:${port}`

/** The chain of this directory when it still runs; one that runs but does not answer is ended first. */
async function takeOver(files: Files, chainId: number): Promise<RunningRecord | undefined> {
  const record = readRecord(files.running)
  if (!record || !isOurGuard(record.guardPid, files)) return undefined
  if (await answersAs(record.port, chainId)) return record
  await stopGuard(record.guardPid, files)
  return undefined
}

/** A pid may belong to another program by now, or to a dead child nobody waited for: the guard's command line names our files. */
function isOurGuard(pid: number, files: Files): boolean {
  try {
    const proc = `/proc/${pid}/cmdline`
    const command = existsSync('/proc/self/cmdline')
      ? readFileSync(proc, 'utf8')
      : execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' })
    return command.includes(files.heartbeat)
  } catch {
    return false
  }
}

async function launch(options: AnvilOptions, files: Files): Promise<RunningRecord> {
  const binary = findAnvil()
  const port = await choosePort(options.port)
  const log = openSync(files.log, 'w')
  const mining =
    options.statesKept === undefined
      ? ['--block-time', options.blockTimeSeconds]
      : ['--no-mining', '--prune-history', options.statesKept]
  const command = [binary, '--port', port, '--chain-id', options.chainId, ...mining]
  command.push('--accounts', options.fundedAccounts, '--gas-limit', BLOCK_GAS_LIMIT, '--hardfork', 'cancun', '--silent')
  command.push('--state', files.state, '--state-interval', options.stateIntervalSeconds)
  const guard = spawn(
    'sh',
    ['-c', GUARD, 'sh', files.heartbeat, files.seen, String(options.idleSeconds), ...command.map(String)],
    {
      detached: true,
      stdio: ['ignore', log, log],
    },
  )
  closeSync(log)
  guard.unref()
  const record = { guardPid: guard.pid!, port, chainId: options.chainId }
  writeFileSync(files.running, JSON.stringify(record))
  await untilAnswering(guard, record, files)
  return record
}

async function untilAnswering(guard: ChildProcess, record: RunningRecord, files: Files): Promise<void> {
  const deadline = Date.now() + START_WAIT_MS
  while (!(await answersAs(record.port, record.chainId))) {
    const ended = guard.exitCode !== null || guard.signalCode !== null
    if (ended || Date.now() > deadline) {
      await stopGuard(record.guardPid, files)
      rmSync(files.running, { force: true })
      const why = ended ? `ended with code ${guard.exitCode}` : `did not answer within ${START_WAIT_MS / 1000} s`
      throw new EvmError(
        'ANVIL_FAILED',
        `anvil ${why} on port ${record.port} (state ${files.state}): ${lastWords(files)}`,
      )
    }
    await pause(POLL_MS)
  }
}

const lastWords = (files: Files): string => readFileSync(files.log, 'utf8').slice(-LOG_TAIL_CHARS).trim()

/** The first candidate that is there. */
export function findAnvil(candidates = anvilCandidates()): string {
  const found = candidates.find((file) => existsSync(file))
  if (found) return found
  throw new EvmError(
    'ANVIL_MISSING',
    `There is no anvil for ${process.platform}-${process.arch} among the installed packages and none on PATH. ` +
      'Install Foundry (https://getfoundry.sh), or point to a node that runs already with --rpc.',
  )
}

/** The binary of the npm package where its platform is ours, then those on PATH. */
function anvilCandidates(): string[] {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'anvil'))
  if (process.platform !== 'linux' || process.arch !== 'x64') return onPath
  try {
    const manifest = createRequire(import.meta.url).resolve('@foundry-rs/anvil-linux-amd64/package.json')
    return [join(dirname(manifest), 'bin', 'anvil'), ...onPath]
  } catch {
    return onPath // an optional dependency
  }
}

/** `wanted`, or a free port for 0. */
async function choosePort(wanted: number): Promise<number> {
  const server = createServer()
  return new Promise((done, fail) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const what = cause.code === 'EADDRINUSE' ? 'is in use by another program' : `cannot be used (${cause.code})`
      fail(new EvmError('PORT_BUSY', `port ${wanted} for the development chain ${what}`, { cause }))
    })
    server.listen(wanted, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : wanted
      server.close(() => done(port))
    })
  })
}

/** Something on the port speaks JSON-RPC, calls itself anvil and has our chain id. */
async function answersAs(port: number, chainId: number): Promise<boolean> {
  try {
    const client = await ask(port, 'web3_clientVersion')
    return String(client).startsWith('anvil') && Number(await ask(port, 'eth_chainId')) === chainId
  } catch {
    return false
  }
}

async function ask(port: number, method: string): Promise<unknown> {
  const asked = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: [] })
  const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: asked }
  const bounds = { timeoutMs: PROBE_TIMEOUT_MS, bytesMax: PROBE_BYTES_MAX }
  const { body } = await boundedFetch(urlOf(port), request, bounds)
  return (JSON.parse(body.toString('utf8')) as { result?: unknown }).result
}

/** TERM lets anvil write its state; what does not end by that is killed with its whole process group. */
async function stopGuard(pid: number, files: Files): Promise<void> {
  const deadline = Date.now() + STOP_WAIT_MS
  if (isOurGuard(pid, files)) signalTo(pid, 'SIGTERM')
  while (isOurGuard(pid, files)) {
    if (Date.now() > deadline) signalTo(-pid, 'SIGKILL')
    await pause(POLL_MS)
  }
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // it ended by itself
  }
}

function readRecord(file: string): RunningRecord | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as RunningRecord
  } catch {
    return undefined
  }
}

function touch(file: string): void {
  try {
    const now = new Date()
    utimesSync(file, now, now)
  } catch {
    // the directory was removed: the guard then ends the chain
  }
}
