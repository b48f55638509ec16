/** The node that a log is compared with. */
import type { EpochTick } from '../../schemas/types.ts'
import type { Log } from '../../streams/ports.ts'
import type { Topics } from '../../topology/topics.ts'
import { CliError, EXIT } from '../cli-error.ts'
import { decoded } from '../log-reading/decoded.ts'
import { scan } from '../log-reading/scan.ts'
import type { OpenedLog } from '../open-log.ts'
import { shownUrl, withoutKeys } from '../shown-url.ts'
import { type ChainOptions, type ChainReader, openChainReader } from './chain.ts'

const TICKS_ASKED = 500
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
async function isChainOf(chain: ChainReader, log: Log, { epochTicks }: Topics): Promise<boolean> {
  const partition = { topic: epochTicks.name, partition: 0 }
  const [bounds] = await log.bounds([partition])
  const heads: EpochTick[] = []
  for await (const records of scan(log, partition, { from: bounds!.stable - TICKS_ASKED }))
    for (const { value: tick } of decoded(epochTicks, 0, records, () => undefined))
      if (tick?.kind === 'HEAD') heads.push(tick)
  for (const { blockNumber, blockHash } of heads.slice(-BLOCKS_ASKED))
    if ((await chain.blockHash(blockNumber)) === blockHash) return true
  return heads.length === 0
}
