/** The settings of the role that stores and sends. */
import { z } from 'zod'
import { ANCHOR_DEFAULTS } from '../../connectors/evm/anchor-effects/anchor-options.ts'
import { TRANSACTION_TYPES } from '../../connectors/evm/anchor-effects/anchor-price.ts'
import { oneOf } from '../base/options.ts'
import { wei, whole } from './market-schema.ts'

const file = z.string().min(1)
const defaults = ANCHOR_DEFAULTS

export const anchorSettings = z
  .strictObject({
    signerKeyFile: file
      .optional()
      .describe(
        'File with the private key of the sequencer’s account, 64 hex digits, for its reader alone: mode 0600, or root’s with 0440 as Kubernetes mounts it.',
      ),
    formerSignerKeyFiles: z
      .array(file)
      .default([])
      .describe(
        'Key files of accounts that signed before: they end the transactions that they began, and sign no other.',
      ),
    confirmations: whole(1, 10_000)
      .default(defaults.confirmations)
      .describe('Blocks on top of a transaction’s before it is final.'),
    reorgDepthMax: whole(1, 1_000_000)
      .default(defaults.reorgDepthMax)
      .describe(
        'Blocks behind the head within which a final transaction is watched: what a reorganisation takes out there is sent again.',
      ),
    standstillMs: whole(1_000, 86_400_000)
      .default(defaults.standstillMs)
      .describe('/readyz says so when the next nonce of the signer is not used for so long and transactions wait, ms.'),
    pollMs: whole(10, 60_000).default(defaults.pollMs).describe('Time between two looks at the head, ms.'),
    stuckBlocks: whole(1, 10_000)
      .default(defaults.stuckBlocks)
      .describe('A transaction that could be next is signed anew at a higher fee after so many new blocks, and'),
    stuckMs: whole(100, 86_400_000).default(defaults.stuckMs).describe('so long, ms.'),
    rebroadcastMs: whole(100, 3_600_000)
      .default(defaults.rebroadcastMs)
      .describe('While it is in no block it is sent again so often; also the longest pause after a refusal, ms.'),
    gasMargin: z
      .number()
      .min(1)
      .max(10)
      .default(defaults.gasMargin)
      .describe('Gas that is asked for: the estimate times this, and 50,000.'),
    transactionGasMax: whole(0, Number.MAX_SAFE_INTEGER)
      .default(defaults.transactionGasMax)
      .describe(
        'Gas that one transaction may have where the chain has such a limit beside the block’s (EIP-7825: 16777216); 0 for none.',
      ),
    transactionType: oneOf(...TRANSACTION_TYPES)
      .default(defaults.transactionType)
      .describe(
        'Form of what is signed: `eip1559`, `legacy` (the whole gas price is paid), or `auto`: the first unless the chain has no base fee or nodes refuse it.',
      ),
    tipMax: wei
      .default(defaults.tipMax)
      .describe('A tip that a node suggests is believed up to this, wei. Stuck transactions may go above it.'),
    stepsAtOnce: whole(1, 64)
      .default(defaults.stepsAtOnce)
      .describe('Batches stored, and dry runs or signatures made, at one time.'),
    backoffMs: whole(10, 60_000)
      .default(defaults.backoffMs)
      .describe('First pause before what failed is tried again, ms; doubles with each.'),
    backoffMsMax: whole(100, 600_000).default(defaults.backoffMsMax).describe('The longest such pause, ms.'),
    purgeIntervalMs: whole(1_000, 86_400_000)
      .default(defaults.purgeIntervalMs)
      .describe('Time between two purges of intents that are done, ms.'),
  })
  .prefault({})
  .describe('The role anchor-effects.')
