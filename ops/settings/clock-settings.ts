/** The settings of the role that follows the chain. */
import { z } from 'zod'
import { CLOCK_DEFAULTS as defaults } from '../../connectors/evm/clock/clock-options.ts'
import { whole } from './market-schema.ts'

export const clockSettings = z
  .strictObject({
    startBlock: whole(0, Number.MAX_SAFE_INTEGER)
      .optional()
      .describe('Block at which the very first start begins; the head when absent.'),
    depth: whole(0, 10_000).default(defaults.depth).describe('Blocks behind the head at which the clock reads.'),
    pollMs: whole(10, 60_000).default(defaults.pollMs).describe('Time between two looks at the head, ms.'),
    rangeBlocks: whole(1, 1_000).default(defaults.rangeBlocks).describe('Blocks read and written in one step.'),
    reorgDepthMax: whole(256, 100_000)
      .default(defaults.reorgDepthMax)
      .describe(
        'Blocks kept in memory for reorganizations; a deeper reorganization is followed with the blocks in the log.',
      ),
    secondLookBlocks: whole(0, 256)
      .default(defaults.secondLookBlocks)
      .describe('The logs of a block are asked for once more so many blocks later; 0: never.'),
    slotsRereadBlocks: whole(0, 10_000_000)
      .default(defaults.slotsRereadBlocks)
      .describe('Blocks between two full readings of the slots, one call for each slot; 0: only the first.'),
    backoffMsMax: whole(100, 600_000)
      .default(defaults.backoffMsMax)
      .describe('The longest pause between two attempts, ms.'),
    stallMs: whole(1_000, 86_400_000)
      .default(defaults.stallMs)
      .describe('Time without a new block after which another node is preferred, ms.'),
  })
  .prefault({})
  .describe('The role clock.')
