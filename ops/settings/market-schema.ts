/** The rules of a data market as settings; topology/rules.ts says more of what each means. */
import { z } from 'zod'
import { MARKET_DEFAULTS, PROJECT_PATTERNS_MAX, TEXT_BYTES_MAX } from '../../topology/rules.ts'
import { DATA_SOURCES_MAX } from '../../topology/shared/data-sources.ts'
import { address } from '../base/options.ts'

export const wei = z.string().regex(/^\d{1,30}$/, 'not a whole number of wei')

export const whole = (min: number, max: number) => z.number().int().min(min).max(max)

export const marketSchema = z.strictObject({
  dataMarket: address,
  windowUnit: z
    .enum(['blocks', 'seconds'])
    .default(MARKET_DEFAULTS.windowUnit)
    .describe('The unit of the contract’s submission window: blocks, or seconds of block time.'),
  epochsAhead: whole(0, 1_000)
    .default(MARKET_DEFAULTS.epochsAhead)
    .describe('Epochs that a submission may be ahead of the epochs which can have been released when it came.'),
  epochSecondsMin: z
    .number()
    .min(0.05)
    .max(86_400)
    .default(MARKET_DEFAULTS.epochSecondsMin)
    .describe(
      'Fewest seconds from one release to the next, on average. With more, owners have less room for early votes.',
    ),
  epochsWaitingMax: whole(1, 1_000_000)
    .default(MARKET_DEFAULTS.epochsWaitingMax)
    .describe('Epochs that an owner of a slot may wait for, however long the clock is behind.'),
  clockSkewSeconds: whole(0, 3_600)
    .default(MARKET_DEFAULTS.clockSkewSeconds)
    .describe('Seconds by which the clock of an intake may differ from the time of the blocks.'),
  perSlotPerEpoch: whole(1, 1_000_000)
    .default(MARKET_DEFAULTS.perSlotPerEpoch)
    .describe('Distinct submissions of a slot taken in an epoch.'),
  fullNodes: z.array(address).default([]).describe('Signers with a quota of their own.'),
  perFullNodePerEpoch: whole(1, 10_000_000)
    .default(MARKET_DEFAULTS.perFullNodePerEpoch)
    .describe('Distinct submissions of such a signer taken in an epoch.'),
  projectIds: z
    .array(z.string().min(1).max(TEXT_BYTES_MAX.projectId))
    .max(PROJECT_PATTERNS_MAX)
    .default([])
    .describe('Project ids that the market takes, whole or with one `*`: `*:UNISWAPV2`. None: all of them.'),
  projectIdBytesMax: whole(1, TEXT_BYTES_MAX.projectId)
    .default(MARKET_DEFAULTS.projectIdBytesMax)
    .describe('Bytes of a project id.'),
  snapshotCidBytesMax: whole(1, TEXT_BYTES_MAX.snapshotCid)
    .default(MARKET_DEFAULTS.snapshotCidBytesMax)
    .describe('Bytes of a snapshot CID.'),
  nodeVersionBytesMax: whole(1, TEXT_BYTES_MAX.nodeVersion)
    .default(MARKET_DEFAULTS.nodeVersionBytesMax)
    .describe('Bytes of a node version.'),
  overQuotaMax: whole(0, 10_000)
    .default(MARKET_DEFAULTS.overQuotaMax)
    .describe(
      'Distinct submissions beyond its quota (or as many again as the quota, whichever is more) that an owner may sign in an epoch; an owner who signs more has none that count.',
    ),
  flagged: z.array(address).default([]).describe('Signers that are refused.'),
  votesMin: whole(1, 1_000_000).default(MARKET_DEFAULTS.votesMin).describe('Fewest votes for a winner.'),
  shareMin: z
    .number()
    .min(0)
    .max(1)
    .default(MARKET_DEFAULTS.shareMin)
    .describe('Smallest share of the votes that the winner must have.'),
  batchProjectsMax: whole(1, 100_000).default(MARKET_DEFAULTS.batchProjectsMax).describe('Projects in a batch.'),
  batchBytesMax: whole(1_024, 8 * 1024 * 1024)
    .default(MARKET_DEFAULTS.batchBytesMax)
    .describe('Bytes of a batch.'),
  batchGasMax: whole(100_000, 1_000_000_000)
    .default(MARKET_DEFAULTS.batchGasMax)
    .describe('Gas of the transaction that submits a batch, as reckoned from its texts.'),
  batchCalldataMax: whole(1_000, 8 * 1024 * 1024)
    .default(MARKET_DEFAULTS.batchCalldataMax)
    .describe('Bytes of calldata of that transaction. geth takes 128 KiB.'),
  tree: z
    .enum(['chained', 'fresh'])
    .default(MARKET_DEFAULTS.tree)
    .describe('Submission-id trees: one per epoch, or one per batch.'),
  rewards: z
    .enum(['off', 'counts', 'on'])
    .default(MARKET_DEFAULTS.rewards)
    .describe(
      'The submissions of each slot and day: not counted, counted, or also told to the contract (updateRewards), which closes the day.',
    ),
  payoutEpochs: whole(1, 1_000_000)
    .default(MARKET_DEFAULTS.payoutEpochs)
    .describe('Epochs of a day after which the contract is told the counts that have changed.'),
  payoutGasMax: whole(300_000, 1_000_000_000)
    .default(MARKET_DEFAULTS.payoutGasMax)
    .describe('Gas of one such call, as reckoned from its slots.'),
  daysKept: whole(3, 1_000)
    .default(MARKET_DEFAULTS.daysKept)
    .describe('Days of which the counts of the slots are kept: a row for each slot and day.'),
  dataSources: z
    .array(z.string().min(1).max(TEXT_BYTES_MAX.projectId).toLowerCase())
    .max(DATA_SOURCES_MAX)
    .default([])
    .describe(
      'Data sources of the market, in its order: each slot may report only the source whose turn it is. A source is the second part of a project id. None: no check.',
    ),
})
