/** `sequencer devchain`: the development chain of `dev` alone, for a sequencer that runs elsewhere. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { Command } from 'commander'
import { Lifecycle, untilAborted } from '../../base/lifecycle.ts'
import { AS_JSON } from '../../base/options.ts'
import { answer, stderr } from '../../base/output.ts'
import { ensureWritable } from '../../ground/data-directory.ts'
import { devProvider } from '../chain/dev-sender.ts'
import type { DevChain } from '../chain/devchain.ts'
import { startActors, startChain } from './chain.ts'
import { type ChainConfig, DEV_DEFAULTS, parseChainConfig } from './config.ts'

const OWNER_ONLY = 0o600

export function devChainCommand(): Command {
  const fallback = (name: keyof typeof DEV_DEFAULTS): string => String(DEV_DEFAULTS[name])
  return new Command('devchain')
    .option('--data-dir <dir>', 'directory of the chain', '.data/chain')
    .option('--chain-port <port>', 'port of the chain; 0 takes a free one', fallback('chainPort'))
    .option('--rpc <url>', "development node with anvil's accounts that runs already, instead of an anvil of our own")
    .option('--snapshotters <n>', 'slots that simulated snapshotters own', fallback('snapshotters'))
    .option(
      '--spare-slots <n>',
      'slots after those, without a snapshotter; their keys are written to spare-slots.json',
      fallback('spareSlots'),
    )
    .option('--seed <n>', 'decides their keys', fallback('seed'))
    .option('--block-time <s>', 'seconds per block', fallback('blockTime'))
    .option('--epoch-blocks <n>', 'blocks from one release to the next', fallback('epochBlocks'))
    .option('--day-epochs <n>', 'epochs of a day', fallback('dayEpochs'))
    .option(
      '--day-quota <n>',
      'submissions with which a slot has earned the day; three for every four epochs unless given',
    )
    .option('--window <n>', 'submission window in blocks', fallback('window'))
    .option('--markets <n>', 'data markets', fallback('markets'))
    .option(
      '--sequencer <address...>',
      'more accounts that may anchor, beside the account of the key file; they are given coin',
    )
    .option(
      '--spare-markets <n>',
      'further ones in the contract, that `sequencer markets add` may add',
      fallback('spareMarkets'),
    )
    .option('--signer-key-file <file>', "write the sequencer's key there, as anchor.signerKeyFile wants it")
    .option('--json', AS_JSON)
    .action(async (given: Record<string, unknown>) => {
      const config = parseChainConfig(given)
      const stop = new AbortController()
      const onSignal = (): void => (stop.signal.aborted ? process.exit(130) : stop.abort())
      process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
      await runChain(config, stop.signal)
    })
}

const COIN_OF_EACH = 10n ** 20n

async function fund({ rpcUrl, chainId }: DevChain, accounts: readonly string[]): Promise<void> {
  const provider = devProvider(rpcUrl, chainId)
  for (const account of accounts) await provider.send('anvil_setBalance', [account, `0x${COIN_OF_EACH.toString(16)}`])
  provider.destroy()
}

async function runChain(config: ChainConfig, signal: AbortSignal): Promise<void> {
  ensureWritable(config.dataDir)
  const warn = (text: string): void => stderr.print(`warning: ${text}`)
  const parts = new Lifecycle(warn)
  try {
    let fail: (error: Error) => void = () => {}
    const ended = new Promise<never>((_, reject) => {
      fail = reject
    })
    ended.catch(() => {}) // heard by the race below, if it still runs
    const chain = await parts.add('chain', startChain(config, fail, config.sequencer))
    await fund(chain, config.sequencer)
    const { rpcUrl, chainId, protocolState, markets, startBlock, accounts } = chain
    const { signerKeyFile } = config
    if (signerKeyFile) {
      mkdirSync(dirname(signerKeyFile), { recursive: true })
      writeFileSync(signerKeyFile, accounts.sequencer.privateKey, { mode: OWNER_ONLY })
    }
    await startActors(config, chain, parts, (who) => (error) => {
      if (!signal.aborted) warn(`${who}: ${error instanceof Error ? error.message : error}`)
    })
    const served = markets.slice(0, config.markets)
    const spare = markets.slice(config.markets)
    const settings = { chain: { rpcUrls: [rpcUrl], chainId, protocolState }, markets: served, clock: { startBlock } }
    const told = { event: 'running', ...settings, spareMarkets: spare }
    answer(config.json, told, () => [
      'The chain runs. In the configuration of a sequencer:',
      `  chain: { rpcUrls: ["${rpcUrl}"], chainId: ${chainId}, protocolState: "${protocolState}" }`,
      `  markets: [${served.map((market) => `"${market}"`).join(', ')}]`,
      `  clock: { startBlock: ${startBlock} }`,
      ...(spare.length > 0 ? [`Not served until it is added: ${spare.join(', ')}`] : []),
    ])
    await Promise.race([ended, untilAborted(signal)])
  } finally {
    await parts.close()
  }
}
