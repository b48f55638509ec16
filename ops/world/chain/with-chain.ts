/** A data directory opened for the audit, with its development chain running: `dev` ends the chain when it ends. */

import { type OpenedDirectory, openDirectory } from '../../ground/data-directory.ts'
import { directoryPaths, hasOwnChain } from '../../ground/directory-paths.ts'
import { startAnvil } from './anvil.ts'
import { DEV_CHAIN_OPTIONS } from './devchain.ts'

/** No block is made while we look. */
const BLOCK_SECONDS = 3_600

export async function openWithChain(dataDir: string): Promise<OpenedDirectory> {
  const directory = await openDirectory(dataDir)
  const { chain } = directoryPaths(dataDir)
  if (!hasOwnChain(dataDir)) return directory
  try {
    const anvil = await startAnvil({ ...DEV_CHAIN_OPTIONS, directory: chain, port: 0, blockTimeSeconds: BLOCK_SECONDS })
    return {
      ...directory,
      chain: { ...directory.chain, rpcUrls: [anvil.rpcUrl] },
      async close() {
        await directory.close()
        await anvil.close()
      },
    }
  } catch {
    return directory // the log is audited without a node too
  }
}
