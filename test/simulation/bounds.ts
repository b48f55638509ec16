/** How often a simulated run reached each bound of the rules: what is never reached is not tested by it. */
import { END_OF_BATCHES, isNonceOnly } from '../../schemas/anchor-keys.ts'
import type { Anchor, AnchorIntent, AnchorKey, Batch, Verdict } from '../../schemas/types.ts'
import type { MarketRules, ProtocolRules } from '../../topology/rules.ts'
import { addCosts, costOfBatch, costOfProject } from '../../topology/shared/batch-cost.ts'
import { quotaOf } from '../../topology/shared/quota.ts'
import { NO_ROOM_RULE } from '../../topology/validate/validate.ts'
import { groupBy } from './reading.ts'
import type { Outcome, Played } from './undisturbed.ts'

type Reached = Record<string, number>

/** By what a verdict says; `expected` tells bounds of one rule apart. */
const BY_VERDICT: Readonly<Record<string, (verdict: Verdict) => boolean>> = {
  'waiting room of an owner (overQuotaMax)': ({ reason, stage }) => reason === 'RATE_LIMITED' && stage === 'validate',
  'room before the first block (parkedMax)': ({ rule, expected }) =>
    rule === NO_ROOM_RULE && expected.endsWith('before the first block'),
  'room of strangers to their slot (parkedMax)': ({ rule, expected }) =>
    rule === NO_ROOM_RULE && expected.endsWith('who do not have the slot'),
  'epochs of an owner that wait (epochsAhead, epochSecondsMin)': ({ reason, stage }) =>
    reason === 'EPOCH_TOO_FAR' && stage === 'validate',
  'length of a project id (projectIdBytesMax)': ({ reason, rule }) =>
    reason === 'OVERSIZE' && rule.startsWith('projectId'),
  'length of a CID (snapshotCidBytesMax)': ({ reason, rule }) =>
    reason === 'OVERSIZE' && rule.startsWith('snapshotCid'),
  'length of a node version (nodeVersionBytesMax)': ({ reason, rule }) =>
    reason === 'OVERSIZE' && rule.startsWith('nodeVersion'),
  'texts that are empty, not printable or no UUID': ({ reason }) => reason === 'MALFORMED',
  'projects of other markets (projectIds)': ({ reason }) => reason === 'FOREIGN_PROJECT',
  'signatures of another form': ({ reason }) => reason === 'BAD_SIGNATURE',
  'slots of others': ({ reason }) => reason === 'SLOT_MISMATCH',
  copies: ({ reason }) => reason === 'DUPLICATE',
  deadlines: ({ reason }) => reason === 'DEADLINE_PASSED',
  'headers unknown at the close': ({ reason, stage }) => reason === 'UNKNOWN_HEADER' && stage !== 'validate',
  'headers too old': ({ reason }) => reason === 'STALE_HEADER',
  'headers of blocks that left the chain': ({ reason }) => reason === 'ORPHANED_HEADER',
}

/** Names of all bounds. */
export const BOUNDS: readonly string[] = [
  ...Object.keys(BY_VERDICT),
  'quota of an owner (perSlotPerEpoch)',
  'messages of an owner that are told apart (overQuotaMax)',
  'longest project id that votes',
  'longest CID that votes',
  'longest node version that votes',
  'records that nobody can read, and forged markers',
  'batches cut by projects (batchProjectsMax)',
  'batches cut by bytes (batchBytesMax)',
  'batches cut by gas (batchGasMax)',
  'batches cut by calldata (batchCalldataMax)',
  'batches behind whose final block the chain went back',
  'endings that waited for their lost batches again',
  'nonces given up, and filled',
  'nonces that were nobody’s, and filled',
]

export function boundsReached(played: Played, rules: ProtocolRules): Reached {
  const market = rules.markets[0]!
  const reached: Reached = Object.fromEntries(BOUNDS.map((name) => [name, 0]))
  const verdicts = [...played.outcome.verdicts.values()]
  for (const [name, isAt] of Object.entries(BY_VERDICT)) reached[name] = verdicts.filter(isAt).length
  Object.assign(
    reached,
    quotasReached(played, market),
    textsReached(played, market),
    cutsReached(played.outcome, market),
  )
  reached['records that nobody can read, and forged markers'] = played.unreadable
  return reached
}

/** How deep reorganisations were met. */
export function anchoringReached(
  intents: readonly { readonly key: AnchorKey; readonly value: AnchorIntent }[],
  rows: readonly { readonly key: AnchorKey; readonly row: Anchor }[],
): Reached {
  const back = rows.filter(({ row }) => row.state === 'REORGED')
  const fillers = intents.filter(({ key, value }) => isNonceOnly(key) && value.step === 'SIGN')
  const isEnding = ({ key }: { readonly key: AnchorKey }) => key.batchIndex === END_OF_BATCHES
  return {
    'batches behind whose final block the chain went back': back.filter((one) => !isEnding(one)).length,
    'endings that waited for their lost batches again': back.filter((one) => isEnding(one) && one.row.nonce < 0).length,
    'nonces given up, and filled': fillers.filter(({ value }) => value.rawTransactions.length > 0).length,
    'nonces that were nobody’s, and filled': fillers.filter(({ value }) => value.rawTransactions.length === 0).length,
  }
}

/** More than are told apart is a flood; anything less is over the quota. */
function quotasReached({ sent, outcome }: Played, market: MarketRules): Reached {
  const refused = sent.filter(({ place }) => outcome.verdicts.get(place)?.reason === 'RATE_LIMITED')
  const owners = groupBy(refused, ({ submission }) => `${submission.epochId}/${submission.slotId}`)
  const { signedMax } = quotaOf(market, false)
  const floods = [...owners.values()].filter(({ length }) => length > signedMax)
  return {
    'quota of an owner (perSlotPerEpoch)': owners.size - floods.length,
    'messages of an owner that are told apart (overQuotaMax)': floods.length,
  }
}

function textsReached({ sent, outcome }: Played, market: MarketRules): Reached {
  const voting = sent.filter(({ place }) => outcome.verdicts.get(place)?.reason === 'COUNTED')
  const longest = (name: 'projectId' | 'snapshotCid' | 'nodeVersion', most: number) =>
    voting.filter(({ submission }) => Buffer.byteLength(submission[name] ?? '') === most).length
  return {
    'longest project id that votes': longest('projectId', market.projectIdBytesMax),
    'longest CID that votes': longest('snapshotCid', market.snapshotCidBytesMax),
    'longest node version that votes': longest('nodeVersion', market.nodeVersionBytesMax),
  }
}

/** Why the next project is not in the batch before it. */
function cutsReached({ batches }: Outcome, market: MarketRules): Reached {
  const [projects, bytes, gas, calldata] = [
    'batches cut by projects (batchProjectsMax)',
    'batches cut by bytes (batchBytesMax)',
    'batches cut by gas (batchGasMax)',
    'batches cut by calldata (batchCalldataMax)',
  ] as const
  const reached: Reached = { [projects]: 0, [bytes]: 0, [gas]: 0, [calldata]: 0 }
  for (const ofEpoch of batches.values())
    for (const [i, batch] of ofEpoch.slice(0, -1).entries()) {
      const cost = costOfBatch([...costsOf(batch), costsOf(ofEpoch[i + 1]!)[0]!].reduce(addCosts))
      const why = [
        ...(batch.projectIds.length === market.batchProjectsMax ? [projects] : []),
        ...(cost.gas > market.batchGasMax ? [gas] : []),
        ...(cost.calldata > market.batchCalldataMax ? [calldata] : []),
      ]
      if (why.length === 1) reached[why[0]!]!++
      if (why.length === 0) reached[bytes]!++
    }
  return reached
}

const costsOf = ({ projectIds, snapshotCids }: Batch) =>
  projectIds.map((id, i) => costOfProject(Buffer.byteLength(id), Buffer.byteLength(snapshotCids[i]!)))

/** One line a bound, in the order of their names. */
export function boundsTable(reached: Readonly<Reached>, seeds: number): string {
  const rows = BOUNDS.map((name) => `${name.padEnd(60)} ${reached[name] ?? 0}`)
  return [`bounds reached in ${seeds} runs with an adversary:`, ...rows].join('\n')
}

export const addReached = (a: Readonly<Reached>, b: Readonly<Reached>): Reached =>
  Object.fromEntries(BOUNDS.map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]))
