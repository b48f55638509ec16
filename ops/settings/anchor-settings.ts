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
      .describe('Blocks on top of a transaction’s block before the transaction is final.'),
    reorgDepthMax: whole(1, 1_000_000)
      .default(defaults.reorgDepthMax)
      .describe(
        'Blocks behind the head within which a final transaction is watched: a transaction that a reorganisation takes out there is sent again.',
      ),
    standstillMs: whole(1_000, 86_400_000)
      .default(defaults.standstillMs)
      .describe(
        'Time for which the next nonce of the signer may stay unused while transactions wait, ms; after it /readyz says so.',
      ),
    pollMs: whole(10, 60_000).default(defaults.pollMs).describe('Time between two looks at the head, ms.'),
    stuckBlocks: whole(1, 10_000)
      .default(defaults.stuckBlocks)
      .describe(
        'New blocks after which a transaction that could be next is signed anew at a higher fee, if `anchor.stuckMs` is over too.',
      ),
    stuckMs: whole(100, 86_400_000)
      .default(defaults.stuckMs)
      .describe('Time after which a transaction that could be next is signed anew at a higher fee, ms.'),
    rebroadcastMs: whole(100, 3_600_000)
      .default(defaults.rebroadcastMs)
      .describe(
        'Time after which a transaction that is in no block is sent again; also the longest pause after a refusal, ms.',
      ),
    gasMargin: z
      .number()
      .min(1)
      .max(10)
      .default(defaults.gasMargin)
      .describe('Factor for the gas limit: the estimate times this factor, and 50,000.'),
    transactionGasMax: whole(0, Number.MAX_SAFE_INTEGER)
      .default(defaults.transactionGasMax)
      .describe(
        'Gas that one transaction may have where the chain has such a limit beside the block’s (EIP-7825: 16777216); 0 for none.',
      ),
    transactionType: oneOf(...TRANSACTION_TYPES)
      .default(defaults.transactionType)
      .describe(
        'Form of transactions: `eip1559`, `legacy` (the whole gas price is paid), or `auto`: the first unless the chain has no base fee or nodes refuse it.',
      ),
    tipMax: wei
      .default(defaults.tipMax)
      .describe('A tip that a node suggests is believed up to this, wei. Stuck transactions may go above it.'),
    stepsAtOnce: whole(1, 64)
      .default(defaults.stepsAtOnce)
      .describe('Batches stored, and dry runs or signatures made, at one time.'),
    backoffMs: whole(10, 60_000)
      .default(defaults.backoffMs)
      .describe('First pause before a failed step is tried again, ms; it doubles with each.'),
    backoffMsMax: whole(100, 600_000)
      .default(defaults.backoffMsMax)
      .describe('The longest pause before a failed step is tried again, ms.'),
    purgeIntervalMs: whole(1_000, 86_400_000)
      .default(defaults.purgeIntervalMs)
      .describe('Time between two purges of intents that are done, ms.'),
  })
  .prefault({})
  .describe('The role anchor-effects.')
