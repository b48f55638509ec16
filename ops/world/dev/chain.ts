/** The chain of `dev` and of `devchain`, and who acts on it: an epoch manager and validators. */
import { rmSync, writeFileSync } from 'node:fs'
import type { Lifecycle } from '../../base/lifecycle.ts'
import { directoryPaths } from '../../ground/directory-paths.ts'
import { startEpochManager } from '../chain/dev-epochs.ts'
import { startValidator } from '../chain/dev-validator.ts'
import { type DevChain, type DevChainOptions, startDevChain } from '../chain/devchain.ts'
import { type SlotWallet, slotWallet } from '../snapshotters/wallets.ts'
import type { ChainConfig } from './config.ts'

/** Some minutes, so that no outage, no busy machine and no laptop that sleeps a while makes a batch late. */
const BATCH_WINDOW_BLOCKS = 600
const ATTESTATION_WINDOW_BLOCKS = 1_200
const QUOTA_PER_EPOCH = 0.75
/**
 * Each state is a copy of all that the contract keeps; the clock and the anchor read as of the newest block, or one or two before.
 * anvil writes the whole chain each time, which after some hours takes a second; a kill of anvil loses what came since.
 */
const FEW_STATES = { statesKept: 4, stateIntervalSeconds: 5 }

/** @param history what anvil keeps; `{}` for a chain that is to be reorganised, which takes the states of its old blocks */
export function startChain(
  config: Omit<ChainConfig, 'sequencer'>,
  onEnded: (error: Error) => void,
  sequencers: readonly string[] = [],
  history: Pick<DevChainOptions, 'statesKept' | 'stateIntervalSeconds'> = FEW_STATES,
): Promise<DevChain> {
  const wallets = Array.from({ length: config.snapshotters + config.spareSlots }, (_, i) =>
    slotWallet(config.seed, i + 1),
  )
  writeSpareSlots(directoryPaths(config.dataDir).spareSlots, wallets.slice(config.snapshotters))
  return startDevChain({
    ...history,
    onEnded,
    sequencers,
    directory: directoryPaths(config.dataDir).chain,
    rpcUrl: config.rpc,
    port: config.chainPort,
    blockTimeSeconds: config.blockTime,
    markets: config.markets + config.spareMarkets,
    days: { epochs: config.dayEpochs, quota: config.dayQuota ?? quotaOf(config.dayEpochs) },
    windows: {
      snapshot: config.window,
      batch: config.window + BATCH_WINDOW_BLOCKS,
      attestation: config.window + ATTESTATION_WINDOW_BLOCKS,
    },
    slots: wallets.map(({ slotId, address }) => ({ slotId, owner: address })),
  })
}

/** The quota that a snapshotter earns that sends one submission in most epochs. */
const quotaOf = (dayEpochs: number): number => Math.ceil(dayEpochs * QUOTA_PER_EPOCH)

/** For a program that plays their owners; there is no file when there are none. */
function writeSpareSlots(file: string, wallets: readonly SlotWallet[]): void {
  rmSync(file, { force: true })
  if (wallets.length === 0) return
  const rows = wallets.map(({ slotId, address, privateKey }) => ({
    slotId,
    address,
    privateKey: Buffer.from(privateKey).toString('hex'),
  }))
  writeFileSync(file, JSON.stringify(rows), { mode: 0o600 })
}

/** Releases epochs and attests until `parts` close. */
export async function startActors(
  { epochBlocks }: Pick<ChainConfig, 'epochBlocks'>,
  { rpcUrl, chainId, protocolState, markets, accounts, startBlock }: DevChain,
  parts: Lifecycle,
  warn: (who: string) => (error: unknown) => void,
): Promise<void> {
  const world = { rpcUrl, chainId, protocolState, markets }
  const manager = { ...world, account: accounts.epochManager, everyBlocks: epochBlocks, onError: warn('epoch manager') }
  await parts.add('epoch manager', startEpochManager(manager))
  for (const account of accounts.validators)
    await parts.add(
      'validator',
      startValidator({ ...world, account, fromBlock: startBlock, onError: warn('validator') }),
    )
}
