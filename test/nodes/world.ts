/** A real chain with everybody who acts on it, proxies before its node, and a sequencer that knows only the proxies. */
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Contract, type JsonRpcProvider, Wallet } from 'ethers'
import { protocolStateInterface } from '../../connectors/evm/contract/abi.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { Lifecycle } from '../../ops/base/lifecycle.ts'
import { directoryPaths } from '../../ops/ground/directory-paths.ts'
import { devProvider } from '../../ops/world/chain/dev-sender.ts'
import { startValidator } from '../../ops/world/chain/dev-validator.ts'
import type { DevChain } from '../../ops/world/chain/devchain.ts'
import { startChain } from '../../ops/world/dev/chain.ts'
import { DEV_DEFAULTS } from '../../ops/world/dev/config.ts'
import { runSnapshotters } from '../../ops/world/snapshotters/run.ts'
import { startNitro } from '../real/nitro.ts'
import { NodeProxy } from '../real/node-proxy.ts'
import type { Orders, Running } from './process.ts'
import { Watch } from './watch.ts'

export interface WorldOptions {
  readonly directory: string
  readonly seed: number
  /** Nodes, each behind a proxy; all of them show the same chain. */
  readonly nodes: number
  /** By the rules of Arbitrum Nitro, as test/real/nitro.ts has them. */
  readonly nitro?: boolean | undefined
  readonly slots: number
  readonly projects: number
  /** Blocks, of a second each, from one release to the next. */
  readonly epochBlocks: number
  readonly window: number
  readonly depth: number
  readonly confirmations: number
  readonly log: (line: string) => void
}

export interface World {
  readonly proxies: readonly NodeProxy[]
  readonly watch: Watch
  readonly dataDir: string
  /** The node itself. */
  readonly rpcUrl: string
  /** Why the process ended although nobody had asked. */
  readonly ended: string | undefined
  /** Blocks since everything was set up: so many can leave the chain. */
  readonly length: number
  /** So many of the newest blocks are replaced by empty ones, as many as there are. */
  reorganise(depth: number): Promise<void>
  /** Seconds since 1970, of a block that there is. */
  secondOf(block: number): Promise<number | undefined>
  /** Kills the sequencer without a word, and starts it again on the same log; resolves when it runs. */
  killAndStart(): Promise<void>
  /** Ends the sequencer; the chain stays. */
  stopSequencer(): Promise<void>
  close(): Promise<void>
}

const PROCESS = fileURLToPath(new URL('process.ts', import.meta.url))
const SHIM = fileURLToPath(new URL('../../ops/bin/shim.mjs', import.meta.url))
/** Blocks come when there is something to put into them. */
const NO_BLOCKS_SECONDS = 3_600
/** Of the chain, or of the parent chain. */
const BLOCK_MS = 1_000
const GWEI = 1_000_000_000n
const RELEASE_FEE = 20n * GWEI
const RELEASE = { type: 2, gasLimit: 300_000 }
/** Much longer than anvil takes for a block. */
const REST_MS = 1_000
/** The release before is not in a block yet. */
const KNOWN = /already (known|imported)|underpriced/i
const LAST_WORDS_CHARS = 1_500
const LOUD = ['warn', 'error', 'fatal']

/** anvil must make no block meanwhile: it leaves a hole in its chain then, at which every follower stands still. */
async function reorganise(
  provider: JsonRpcProvider,
  { depth, startBlock, blockTimeSeconds }: { depth: number; startBlock: number; blockTimeSeconds: number },
): Promise<void> {
  await provider.send('evm_setIntervalMining', [0])
  try {
    const head = await headAtRest(provider)
    await provider.send('anvil_reorg', [Math.min(depth, head - startBlock), []])
    for (let number = Math.max(startBlock, head - depth); number <= head; number++)
      if ((await provider.getBlock(number)) === null) throw new Error(`anvil has no block ${number} below its head`)
  } finally {
    await provider.send('evm_setIntervalMining', [blockTimeSeconds])
  }
}

/** A block that was in the making when mining ended comes a little later. */
async function headAtRest(provider: JsonRpcProvider): Promise<number> {
  for (let head = await provider.getBlockNumber(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, REST_MS))
    const next = await provider.getBlockNumber()
    if (next === head) return head
    head = next
  }
}

export async function startWorld(options: WorldOptions): Promise<World> {
  const { directory, seed, log } = options
  const parts = new Lifecycle(log)
  try {
    const dataDir = join(directory, 'sequencer')
    const config = {
      ...DEV_DEFAULTS,
      blockTime: options.nitro ? NO_BLOCKS_SECONDS : DEV_DEFAULTS.blockTime,
      dataDir: directory,
      seed,
      chainPort: 0,
      snapshotters: options.slots,
      epochBlocks: options.epochBlocks,
      window: options.window,
      rpc: undefined,
    }
    const chain = await parts.add(
      'chain',
      startChain(config, (error) => log(error.message), [], {}),
    )
    const proxies = await startNodes(options, chain, parts)
    let sequencer: Sequencer | undefined
    const { rpcUrl, chainId, protocolState, startBlock } = chain
    const at = { rpcUrl, chainId, protocolState, startBlock }
    const watch = await parts.add(
      'watch',
      new Watch({ ...at, probes: () => sequencer?.running?.probes, pid: () => sequencer?.child.pid }),
    )
    const orders = ordersOf(options, chain, proxies, dataDir)
    sequencer = await startProcess(orders, watch)
    await parts.add('sequencer', { close: () => sequencer!.close() })
    const { intake } = sequencer.running!
    const warn = (who: string) => (error: unknown) => log(`${who}: ${(error as Error).message}`)
    await parts.add('releases', startReleases(options, chain, warn('epoch manager')))
    if (!options.nitro) await startValidators(chain, parts)
    await parts.add('snapshotters', startSnapshotters(options, chain, intake, dataDir))
    const provider = devProvider(rpcUrl, chainId)
    await parts.add('provider', { close: async () => provider.destroy() })
    return {
      proxies,
      watch,
      dataDir,
      rpcUrl,
      get length() {
        return watch.head - startBlock
      },
      get ended() {
        return sequencer!.ended
      },
      reorganise: (depth) => reorganise(provider, { depth, startBlock, blockTimeSeconds: config.blockTime }),
      secondOf: async (block) => (await provider.getBlock(block))?.timestamp,
      async killAndStart() {
        await sequencer!.kill()
        const intakePort = Number(/\/tcp\/(\d+)/.exec(intake)![1])
        sequencer = await startProcess({ ...orders, intakePort }, watch)
      },
      stopSequencer: () => sequencer!.close(),
      close: () => parts.close(),
    }
  } catch (error) {
    await parts.close()
    throw error
  }
}

const ordersOf = (
  { depth, confirmations, nitro }: WorldOptions,
  { chainId, protocolState, markets, startBlock, accounts }: DevChain,
  proxies: readonly NodeProxy[],
  dataDir: string,
): Orders => ({
  dataDir,
  rpcUrls: proxies.map(({ url }) => url),
  ...{ chainId, protocolState, markets, startBlock, depth, confirmations },
  signerKey: accounts.sequencer.privateKey,
  contractBlock: nitro ? 'l1BlockNumber' : 'number',
  intakePort: 0,
})

/** The nodes of the chain as the sequencer sees them. */
async function startNodes(
  { nodes, seed, nitro }: WorldOptions,
  { rpcUrl, chainId, protocolState }: DevChain,
  parts: Lifecycle,
): Promise<readonly NodeProxy[]> {
  if (nitro) {
    const chain = await parts.add(
      'nitro',
      startNitro({ rpcUrl, chainId, protocolState, nodes, seed, parentMs: BLOCK_MS }),
    )
    chain.start()
    return chain.proxies
  }
  const proxies = await Promise.all(
    Array.from({ length: nodes }, (_, i) => NodeProxy.start(rpcUrl, { seed: seed + i })),
  )
  for (const proxy of proxies) await parts.add('proxy', proxy)
  return proxies
}

/**
 * Releases an epoch every so many seconds, from where the chain is now. It does not wait for a transaction: one that has left
 * the chain is sent again, in the place that the chain has for it.
 */
function startReleases(
  { epochBlocks }: WorldOptions,
  { rpcUrl, chainId, protocolState, markets, accounts }: DevChain,
  onError: (error: unknown) => void,
): { close(): Promise<void> } {
  const provider = devProvider(rpcUrl, chainId)
  const wallet = new Wallet(accounts.epochManager.privateKey)
  const contract = new Contract(protocolState, protocolStateInterface, provider)
  const stop = new AbortController()
  let attempts = 0
  let last = -1n
  const release = async (): Promise<void> => {
    const [, end] = (await contract.getFunction('currentEpoch')(markets[0])) as [bigint, bigint]
    const nonce = await provider.getTransactionCount(wallet.address, 'latest')
    const data = protocolStateInterface.encodeFunctionData('releaseEpoch', [markets[0], end + 1n, end + 1n])
    attempts = end === last ? attempts + 1 : 1
    last = end
    // a pool may keep what a reorganisation has made worthless: what pays more takes its place
    const fees = { maxFeePerGas: RELEASE_FEE * BigInt(attempts), maxPriorityFeePerGas: BigInt(attempts) * GWEI }
    const raw = await wallet.signTransaction({ to: protocolState, data, nonce, chainId, ...RELEASE, ...fees })
    await provider.send('eth_sendRawTransaction', [raw])
  }
  const running = (async () => {
    while (!stop.signal.aborted) {
      await release().catch((error: unknown) => {
        if (!stop.signal.aborted && !KNOWN.test((error as Error).message)) onError(error)
      })
      await systemClock.sleep(epochBlocks * BLOCK_MS, stop.signal).catch(() => undefined)
    }
  })()
  return {
    async close() {
      stop.abort()
      await running
      provider.destroy()
    },
  }
}

/** What a reorganisation takes from them they complain of; it is not what is looked at here. */
async function startValidators(
  { rpcUrl, chainId, protocolState, markets, accounts, startBlock: fromBlock }: DevChain,
  parts: Lifecycle,
): Promise<void> {
  const world = { rpcUrl, chainId, protocolState, markets, fromBlock }
  for (const account of accounts.validators) await parts.add('validator', startValidator({ ...world, account }))
}

interface Sequencer {
  readonly child: ChildProcess
  readonly running: Running | undefined
  readonly ended: string | undefined
  kill(): Promise<void>
  close(): Promise<void>
}

/** Resolves when it runs. */
async function startProcess(orders: Orders, watch: Pick<Watch, 'say'>): Promise<Sequencer> {
  const child = fork(PROCESS, [JSON.stringify(orders)], {
    execArgv: ['--import', SHIM, '--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let asked = false
  let words = ''
  let pending = ''
  let ended: string | undefined
  const exited = new Promise<void>((resolve) =>
    child.once('close', (code, signal) => {
      if (!asked) ended = `ended (${code ?? signal}): ${words.trim().split('\n').at(-1)}`
      resolve()
    }),
  )
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-LAST_WORDS_CHARS)
    const lines = (pending + text).split('\n')
    pending = lines.pop()!
    for (const line of lines) watchLine(line, watch)
  })
  const running = await new Promise<Running>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Running))
    void exited.then(() => reject(new Error(`the sequencer did not start: ${words}`)))
  })
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    asked = true
    child.kill(signal)
    await exited
  }
  return {
    child,
    running,
    get ended() {
      return ended
    },
    kill: () => end('SIGKILL'),
    close: () => end('SIGTERM'),
  }
}

function watchLine(line: string, watch: Pick<Watch, 'say'>): void {
  if (!line.startsWith('{')) {
    watch.say(`stderr: ${line}`)
    return
  }
  const { level, event, ...fields } = JSON.parse(line) as Record<string, unknown>
  if (!LOUD.includes(String(level))) return
  const { role, detail, text, reason, epoch, block } = fields
  watch.say(`log: ${[event, role, epoch, block, detail, text, reason].filter((one) => one !== undefined).join(' ')}`)
}

async function startSnapshotters(
  { seed, slots, projects, window, epochBlocks }: WorldOptions,
  { rpcUrl, chainId, protocolState, markets }: DevChain,
  intake: string,
  dataDir: string,
): Promise<{ close(): Promise<void> }> {
  const stop = new AbortController()
  const running = runSnapshotters(
    {
      to: intake,
      ...{ rpcUrl, chainId, protocolState, seed, slots, projects },
      dataMarkets: markets,
      badShare: 0,
      minorityShare: 0,
      connections: slots,
      encryption: 'both',
      spreadMs: window * 500,
      lateByEpochs: Math.ceil((window + 1) / epochBlocks) + 1,
      deadlineBlocks: 100,
      ledger: directoryPaths(dataDir).ledger,
    },
    stop.signal,
  ).catch(() => undefined)
  return {
    async close() {
      stop.abort()
      await running
    },
  }
}
