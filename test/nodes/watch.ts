/** What really happened on the chain, asked of the node itself, and what the sequencer said meanwhile. */
import { readFileSync } from 'node:fs'
import { dataSlice } from 'ethers'
import { protocolStateInterface } from '../../connectors/evm/contract/abi.ts'
import { devProvider } from '../../ops/world/chain/dev-sender.ts'

export interface Epoch {
  readonly dataMarket: string
  readonly epochId: number
  readonly releaseBlock: number
  /** When it was first seen in the block that it lies in now; milliseconds of `performance.now`. */
  readonly releasedAt: number
  /** When its ending was first seen, in whatever block. */
  completedAt: number | undefined
  /** Batches of it that the contract took. */
  readonly batches: readonly string[]
}

/** Something that an operator can see. */
export interface Said {
  readonly at: number
  readonly text: string
}

export interface WatchOptions {
  readonly rpcUrl: string
  readonly chainId: number
  readonly protocolState: string
  readonly startBlock: number
  readonly probes: () => string | undefined
  readonly pid: () => number | undefined
}

const LOOK_MS = 500
const PROBE_WAIT_MS = 3_000
const SAID_MAX = 20_000
const KIB_PER_MIB = 1_024

export class Watch {
  readonly said: Said[] = []
  /** Number of the newest block. */
  head = 0
  /** Most epochs that the chain had released at any time: a reorganisation takes some, and they are released again. */
  epochsMax = 0
  rssMiB = { first: 0, max: 0, last: 0 }
  private readonly options: WatchOptions
  private readonly provider
  private readonly firstSeen = new Map<string, number>()
  private canonical: Epoch[] = []
  private closed = false
  private readonly running: Promise<void>

  constructor(options: WatchOptions) {
    this.options = options
    this.provider = devProvider(options.rpcUrl, options.chainId)
    this.running = this.follow()
  }

  /** The epochs of the chain as it is now, by release. */
  get epochs(): readonly Epoch[] {
    return this.canonical
  }

  say(text: string): void {
    if (this.said.length >= SAID_MAX) this.said.shift()
    this.said.push({ at: performance.now(), text })
  }

  /** What was said between two moments; equal texts once. */
  between(from: number, to: number): string[] {
    return [...new Set(this.said.filter(({ at }) => at >= from && at <= to).map(({ text }) => text))]
  }

  async close(): Promise<void> {
    this.closed = true
    await this.running
    this.provider.destroy()
  }

  private async follow(): Promise<void> {
    while (!this.closed) {
      // a node in the middle of a reorganization may refuse; the next look is soon
      await this.look().catch(() => undefined)
      await Promise.all([this.ready(), this.weigh()])
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  }

  private async look(): Promise<void> {
    const { protocolState: address, startBlock: fromBlock } = this.options
    this.head = await this.provider.getBlockNumber()
    const names = ['EpochReleased', 'SnapshotBatchSubmitted', 'BatchSubmissionsCompleted'] as const
    const topics = names.map((name) => protocolStateInterface.getEvent(name)!.topicHash)
    const logs = await this.provider.getLogs({ address, topics: [topics], fromBlock, toBlock: 'latest' })
    const epochs = new Map<string, Epoch & { batches: string[] }>()
    // after a reorganisation a batch and an ending may lie before the release: the contract takes them
    const isRelease = ({ topics: [topic] }: (typeof logs)[number]) => topic === topics[0]
    for (const {
      topics: [topic, market, id],
      data,
      blockHash,
      blockNumber,
    } of [...logs.filter(isRelease), ...logs.filter((log) => !isRelease(log))]) {
      const name = names[topics.indexOf(topic!)]!
      const dataMarket = dataSlice(market!, 12)
      const key = `${dataMarket}/${Number(id)}`
      const at = this.seen(`${name} ${key}${name === 'BatchSubmissionsCompleted' ? '' : ` ${blockHash}`}`)
      if (name === 'EpochReleased')
        epochs.set(key, {
          ...{ dataMarket, epochId: Number(id), releaseBlock: blockNumber },
          ...{ releasedAt: at, completedAt: undefined, batches: [] },
        })
      const epoch = epochs.get(key)
      if (name === 'BatchSubmissionsCompleted' && epoch) epoch.completedAt = at
      if (name === 'SnapshotBatchSubmitted')
        epoch?.batches.push(protocolStateInterface.decodeEventLog(name, data, [topic!, market!, id!])[1] as string)
    }
    this.canonical = [...epochs.values()]
    this.epochsMax = Math.max(this.epochsMax, this.canonical.length)
  }

  private seen(what: string): number {
    const at = this.firstSeen.get(what) ?? performance.now()
    this.firstSeen.set(what, at)
    return at
  }

  private async ready(): Promise<void> {
    const probes = this.options.probes()
    if (probes === undefined) return
    const answer = await fetch(new URL('/readyz', probes), { signal: AbortSignal.timeout(PROBE_WAIT_MS) }).catch(
      () => undefined,
    )
    if (!answer) return this.say('readyz: no answer')
    const { roles } = (await answer.json()) as { roles: Record<string, { ready: boolean; detail: string }> }
    for (const [role, { ready, detail }] of Object.entries(roles)) if (!ready) this.say(`readyz: ${role}: ${detail}`)
  }

  private async weigh(): Promise<void> {
    const pid = this.options.pid()
    if (pid === undefined) return
    try {
      const kib = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])
      const last = Math.round(kib / KIB_PER_MIB)
      this.rssMiB = { first: this.rssMiB.first || last, max: Math.max(this.rssMiB.max, last), last }
    } catch {
      // it has ended, which is told elsewhere
    }
  }
}
