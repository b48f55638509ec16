/** The chain of `dev` and of `devchain`, and who acts on it: an epoch manager and validators. */
import { startEpochManager } from '../../connectors/evm/dev-epochs.ts'
import { startValidator } from '../../connectors/evm/dev-validator.ts'
import { type DevChain, startDevChain } from '../../connectors/evm/devchain.ts'
import { directoryPaths } from '../data-directory.ts'
import type { Lifecycle } from '../lifecycle.ts'
import { slotWallet } from '../snapshotters/wallets.ts'
import type { ChainConfig } from './config.ts'

/** Some minutes, so that no outage, no busy machine and no laptop that sleeps a while makes a batch late. */
const BATCH_WINDOW_BLOCKS = 600
const ATTESTATION_WINDOW_BLOCKS = 1_200

export const startChain = (
  config: Omit<ChainConfig, 'sequencer'>,
  onEnded: (error: Error) => void,
  sequencers: readonly string[] = [],
): Promise<DevChain> =>
  startDevChain({
    onEnded,
    sequencers,
    directory: directoryPaths(config.dataDir).chain,
    rpcUrl: config.rpc,
    port: config.chainPort,
    blockTimeSeconds: config.blockTime,
    markets: config.markets + config.spareMarkets,
    windows: {
      snapshot: config.window,
      batch: config.window + BATCH_WINDOW_BLOCKS,
      attestation: config.window + ATTESTATION_WINDOW_BLOCKS,
    },
    slots: Array.from({ length: config.snapshotters }, (_, i) => ({
      slotId: i + 1,
      owner: slotWallet(config.seed, i + 1).address,
    })),
  })

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
