/** Simulated snapshotters: they follow the chain, sign for each released epoch, and send to a real intake. */
import { appendFileSync } from 'node:fs'
import { Interface, JsonRpcProvider, type Log, toBeHex, zeroPadValue } from 'ethers'
import type { PlannedMessage } from './message.ts'
import { type Assignment, assignKinds, expectedOf, messagesOf, type PlanOptions, type ReleasedEpoch } from './plan.ts'
import { createSenders, pause, type Sender, type SendersOptions } from './stream-pool.ts'
import { type SlotWallet, slotWallet } from './wallets.ts'

const EVENTS = new Interface([
  'event EpochReleased(address indexed dataMarketAddress, uint256 indexed epochId, uint256 begin, uint256 end, uint256 timestamp)',
])
const POLL_MS = 200
const LOG_RANGE_BLOCKS = 100

export interface SnapshottersOptions extends Omit<PlanOptions, 'wallets'>, SendersOptions {
  readonly rpcUrl: string
  readonly dataMarkets: readonly string[]
  /** Slots from 1 to this many. */
  readonly slots: number
  /** Over how long the messages of an epoch are spread. */
  readonly spreadMs: number
  /** Ends after this many epochs of each market; undefined = when stopped. */
  readonly epochs?: number | undefined
  /** JSON line per message sent: what it was and which verdicts it deserves. */
  readonly ledger?: string | undefined
  readonly onError?: (error: unknown) => void
}

export interface SnapshottersReport {
  readonly epochs: number
  readonly sent: number
  readonly byKind: Readonly<Record<string, number>>
  readonly reconnects: number
}

/** Runs until the signal, or until it has sent for `epochs` epochs of each market. */
export async function runSnapshotters(options: SnapshottersOptions, signal: AbortSignal): Promise<SnapshottersReport> {
  const wallets = Array.from({ length: options.slots }, (_, i) => slotWallet(options.seed, i + 1))
  const provider = new JsonRpcProvider(options.rpcUrl, options.chainId, { staticNetwork: true, cacheTimeout: -1 })
  const senders = await createSenders(options, signal)
  const run = new Run({ ...options, wallets }, senders, signal)
  try {
    await run.follow(provider)
  } finally {
    provider.destroy()
    await Promise.all(senders.map((sender) => sender.close()))
  }
  return run.report()
}

class Run {
  private readonly options: SnapshottersOptions & { readonly wallets: readonly SlotWallet[] }
  private readonly senders: readonly Sender[]
  private readonly signal: AbortSignal
  private readonly byKind = new Map<string, number>()
  private readonly epochsOf = new Map<string, number>()
  private sent = 0

  constructor(options: Run['options'], senders: readonly Sender[], signal: AbortSignal) {
    this.options = options
    this.senders = senders
    this.signal = signal
  }

  async follow(provider: JsonRpcProvider): Promise<void> {
    const sending: Promise<void>[] = []
    let next: number | undefined
    while (!this.signal.aborted && !this.enough()) {
      try {
        const head = await provider.getBlockNumber()
        next ??= head + 1
        const to = Math.min(head, next + LOG_RANGE_BLOCKS)
        for (const epoch of to < next ? [] : await this.released(provider, next, to))
          sending.push(this.sendEpoch(provider, epoch))
        next = Math.max(next, to + 1)
      } catch (error) {
        if (!this.signal.aborted) this.options.onError?.(error)
      }
      await pause(POLL_MS, this.signal)
    }
    await Promise.all(sending)
  }

  report(): SnapshottersReport {
    const epochs = [...this.epochsOf.values()].reduce((sum, n) => sum + n, 0)
    const reconnects = this.senders.reduce((sum, sender) => sum + sender.reconnects, 0)
    return { epochs, sent: this.sent, byKind: Object.fromEntries(this.byKind), reconnects }
  }

  private enough = (): boolean => {
    const { epochs, dataMarkets } = this.options
    return epochs !== undefined && dataMarkets.every((market) => (this.epochsOf.get(market) ?? 0) >= epochs)
  }

  private async released(provider: JsonRpcProvider, fromBlock: number, toBlock: number): Promise<ReleasedEpoch[]> {
    const { protocolState, dataMarkets } = this.options
    const markets = dataMarkets.map((market) => zeroPadValue(market, 32))
    const logs = await provider.getLogs({
      address: protocolState,
      topics: [EVENTS.getEvent('EpochReleased')!.topicHash, markets],
      fromBlock,
      toBlock,
    })
    const epochs: ReleasedEpoch[] = []
    for (const log of logs) epochs.push(await releasedIn(log, provider))
    return epochs
  }

  private async sendEpoch(provider: JsonRpcProvider, epoch: ReleasedEpoch): Promise<void> {
    this.epochsOf.set(epoch.dataMarket, (this.epochsOf.get(epoch.dataMarket) ?? 0) + 1)
    const assignments = assignKinds(this.options, epoch)
    const stepMs = this.options.spreadMs / assignments.length
    await Promise.all(assignments.map((assignment, i) => this.sendSlot(provider, epoch, assignment, i * stepMs)))
  }

  private async sendSlot(
    provider: JsonRpcProvider,
    epoch: ReleasedEpoch,
    assignment: Assignment,
    delayMs: number,
  ): Promise<void> {
    await pause(delayMs, this.signal)
    if (this.signal.aborted) return
    try {
      const head = await this.head(provider)
      const sender = this.senders[assignment.wallet.slotId % this.senders.length]!
      for (const message of messagesOf(this.options, epoch, assignment, head)) {
        if (await sender.send(message.bytes, message.ownStream)) this.sentOne(message)
      }
    } catch (error) {
      if (!this.signal.aborted) this.options.onError?.(error)
    }
  }

  private latest: { at: number; head: Promise<{ number: number; hash: string }> } | undefined
  /** The newest block, asked for at most once in 200 ms. */
  private head(provider: JsonRpcProvider): Promise<{ number: number; hash: string }> {
    const now = Date.now()
    if (!this.latest || now - this.latest.at > POLL_MS)
      this.latest = {
        at: now,
        head: provider
          .send('eth_getBlockByNumber', ['latest', false])
          .then((block) => ({ number: Number(block.number), hash: block.hash as string })),
      }
    return this.latest.head
  }

  private sentOne(message: PlannedMessage): void {
    this.sent++
    this.byKind.set(message.kind, (this.byKind.get(message.kind) ?? 0) + 1)
    const { submissionId, slotId, epochId, projectId, dataMarket, kind } = message
    const line = { submissionId, slotId, epochId, projectId, dataMarket, kind, expected: expectedOf(message) }
    if (this.options.ledger) appendFileSync(this.options.ledger, `${JSON.stringify(line)}\n`)
  }
}

async function releasedIn({ topics, data, blockNumber }: Log, provider: JsonRpcProvider): Promise<ReleasedEpoch> {
  const event = EVENTS.parseLog({ topics: [...topics], data })!
  const before = await provider.send('eth_getBlockByNumber', [toBeHex(blockNumber - 1), false])
  return {
    dataMarket: (event.args[0] as string).toLowerCase(),
    epochId: Number(event.args[1]),
    releaseBlock: blockNumber,
    staleHeader: before.hash,
  }
}
