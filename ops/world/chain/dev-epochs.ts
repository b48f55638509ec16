import { Contract } from 'ethers'
import { protocolStateInterface } from '../../../connectors/evm/contract/abi.ts'
import type { DevAccount } from './dev-accounts.ts'
import { createDevSender, type DevSender, type DevTransaction } from './dev-sender.ts'

const POLL_MS = 200
const RELEASE_GAS = 300_000

export interface EpochManagerOptions {
  readonly rpcUrl: string
  readonly chainId: number
  readonly protocolState: string
  readonly markets: readonly string[]
  /** The markets' epoch manager. */
  readonly account: DevAccount
  /** Blocks from one release to the next. */
  readonly everyBlocks: number
  /** Releases no more once a market has had this many epochs; absent = without end. */
  readonly epochsMax?: number
  /** Told of every failure; the manager goes on. */
  readonly onError?: (error: unknown) => void
}

/** Releases the next epoch of each market every N blocks, as the deployed epoch manager does. It asks the chain for the next epoch. */
export function startEpochManager(options: EpochManagerOptions): { close(): Promise<void> } {
  const sender = createDevSender(options.rpcUrl, options.chainId, options.account.privateKey)
  const abort = new AbortController()
  const running = releaseUntil(abort.signal, sender, options)
  return {
    close: async () => {
      abort.abort()
      sender.close()
      await running
    },
  }
}

async function releaseUntil(signal: AbortSignal, sender: DevSender, options: EpochManagerOptions): Promise<void> {
  while (!signal.aborted) {
    try {
      const due = await dueReleases(sender, options)
      if (due.length > 0) await sender.send(due)
    } catch (error) {
      if (!signal.aborted) options.onError?.(error)
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** A release lies in the block after the head, so it is due when that block is N past the release block of the epoch before. */
async function dueReleases(sender: DevSender, options: EpochManagerOptions): Promise<DevTransaction[]> {
  const contract = new Contract(options.protocolState, protocolStateInterface, sender.provider)
  const head = await sender.provider.getBlockNumber()
  const due: DevTransaction[] = []
  for (const market of options.markets) {
    const [, end, epochId] = (await contract.getFunction('currentEpoch')(market)) as [bigint, bigint, bigint]
    const [, releaseBlock] = (await contract.getFunction('epochInfo')(market, epochId)) as [bigint, bigint]
    if (options.epochsMax !== undefined && Number(epochId) >= options.epochsMax) continue
    if (epochId !== 0n && head + 1 < Number(releaseBlock) + options.everyBlocks) continue
    const size = (await contract.getFunction('EPOCH_SIZE')(market)) as bigint
    const args = [market, end + 1n, end + size]
    const data = protocolStateInterface.encodeFunctionData('releaseEpoch', args)
    due.push({ to: options.protocolState, data, gasLimit: RELEASE_GAS })
  }
  return due
}
