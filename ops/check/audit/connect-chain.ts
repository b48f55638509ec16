/** The node that a log is compared with. */
import type { Log } from '../../../streams/ports.ts'
import type { Topics } from '../../../topology/topics.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { shownUrl, withoutKeys } from '../../base/shown-url.ts'
import type { OpenedLog } from '../../ground/open-log.ts'
import { type ChainOptions, type ChainReader, openChainReader } from './chain.ts'
import { newestHeads } from './newest-heads.ts'

const BLOCKS_ASKED = 20

/** The node that was named, or the first of the directory's own that answers; a node that is down is no fault there. */
export async function connectChain(
  { chain, log, topics }: OpenedLog,
  rpc: string | undefined,
): Promise<ChainReader | undefined> {
  for (const url of rpc === undefined ? chain.rpcUrls : [rpc]) {
    try {
      return await readerOf({ ...chain, url }, log, topics)
    } catch (error) {
      if (rpc === undefined) continue
      throw new CliError(
        `the node ${shownUrl(rpc)} cannot be asked: ${withoutKeys((error as Error).message)}`,
        'Check --rpc, or leave it out: the log is checked without a node too.',
        EXIT.unavailable,
        error,
      )
    }
  }
  return undefined
}

async function readerOf(options: ChainOptions, log: Log, topics: Topics): Promise<ChainReader> {
  const reader = await openChainReader(options)
  try {
    if (await isChainOf(reader, log, topics)) return reader
    throw new Error(`${options.url} has none of the blocks that the log knows`)
  } catch (error) {
    reader.close()
    throw error
  }
}

/** Whether the node has any of the newest blocks that the log knows: another development chain has the same chain id. */
async function isChainOf(chain: ChainReader, log: Log, topics: Topics): Promise<boolean> {
  const heads = await newestHeads(log, topics)
  for (const { blockNumber, blockHash } of heads.slice(-BLOCKS_ASKED))
    if ((await chain.blockHash(blockNumber)) === blockHash) return true
  return heads.length === 0
}
