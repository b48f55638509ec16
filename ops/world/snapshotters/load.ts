/** Load: submissions signed beforehand, then sent as fast as the intake takes them. */
import { JsonRpcProvider } from 'ethers'
import { messagesOf, type PlanOptions } from './plan.ts'
import { createSenders, type Sender, type SendersOptions } from './stream-pool.ts'
import { slotWallet } from './wallets.ts'

export interface LoadOptions
  extends Omit<PlanOptions, 'wallets' | 'badShare' | 'minorityShare' | 'lateByEpochs'>,
    SendersOptions {
  readonly rpcUrl: string
  readonly dataMarket: string
  readonly slots: number
  /** Epoch they are signed for: the newest released one, if its votes are to count. */
  readonly epochId: number
  /** Submissions to sign and send. All are kept in memory, some 700 bytes each. */
  readonly presign: number
}

export interface LoadReport {
  readonly submissions: number
  readonly signSeconds: number
  readonly signedPerSecond: number
  readonly sendSeconds: number
  /** Handed to the connections; what the sequencer made of them, its metrics say. */
  readonly sentPerSecond: number
}

/** Distinct submissions: slots take turns, each round with another deadline. */
export async function runLoad(options: LoadOptions, signal: AbortSignal): Promise<LoadReport> {
  const head = await headOf(options)
  const signing = performance.now()
  const frames = sign(options, head)
  const signSeconds = (performance.now() - signing) / 1000
  const senders = await createSenders(options, signal)
  const sending = performance.now()
  const sent = await Promise.all(senders.map((sender, i) => sendEvery(sender, frames, i, senders.length, signal)))
  const sendSeconds = (performance.now() - sending) / 1000
  await Promise.all(senders.map((sender) => sender.close()))
  const submissions = sent.reduce((sum, n) => sum + n, 0)
  return {
    submissions,
    signSeconds,
    signedPerSecond: Math.round(frames.length / signSeconds),
    sendSeconds,
    sentPerSecond: Math.round(submissions / sendSeconds),
  }
}

async function headOf({ rpcUrl, chainId }: LoadOptions): Promise<{ number: number; hash: string }> {
  const provider = new JsonRpcProvider(rpcUrl, chainId, { staticNetwork: true, cacheTimeout: -1 })
  try {
    const block = await provider.send('eth_getBlockByNumber', ['latest', false])
    return { number: Number(block.number), hash: block.hash }
  } finally {
    provider.destroy()
  }
}

function sign(options: LoadOptions, head: { number: number; hash: string }): Uint8Array[] {
  const wallets = Array.from({ length: options.slots }, (_, i) => slotWallet(options.seed, i + 1))
  const plan = { ...options, wallets, badShare: 0, minorityShare: 0, lateByEpochs: 0 }
  const epoch = { dataMarket: options.dataMarket, epochId: options.epochId, releaseBlock: 0, staleHeader: head.hash }
  const frames: Uint8Array[] = []
  for (let round = 0; frames.length < options.presign; round++)
    for (const wallet of wallets) {
      // another deadline makes another digest, so that nothing is a duplicate when the projects are through
      const later = { ...plan, deadlineBlocks: plan.deadlineBlocks + round }
      frames.push(...messagesOf(later, epoch, { wallet, kind: 'good' }, head).map(({ bytes }) => bytes))
    }
  return frames.slice(0, options.presign)
}

async function sendEvery(
  sender: Sender,
  frames: readonly Uint8Array[],
  first: number,
  step: number,
  signal: AbortSignal,
): Promise<number> {
  let sent = 0
  for (let at = first; at < frames.length && !signal.aborted; at += step)
    if (await sender.send(frames[at]!, false)) sent++
  return sent
}
