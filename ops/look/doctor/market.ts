/** The facts that the owners of the contract can change at any time, as far as serving a market needs them. */
import { readContract } from '../../../connectors/evm/anchor-effects/anchor-chain.ts'
import { countSlots, slotsAt } from '../../../connectors/evm/clock/slots.ts'
import { nodesAddress, WINDOW_MAX } from '../../../connectors/evm/contract/chain-reader.ts'
import { isRevert } from '../../../connectors/evm/contract/market-check.ts'
import type { Ask } from '../../../connectors/evm/nodes/ask.ts'
import type { Rpc } from '../../../connectors/evm/nodes/rpc.ts'
import { type MarketRules, type ProtocolRules, rulesOfMarket } from '../../../topology/rules.ts'
import { differingSlots, type SlotTable, sampleOf } from '../../reading/slot-table.ts'
import { type Finding, failed, notLookedAt } from './finding.ts'

export interface MarketsExamined {
  readonly protocolState: string
  readonly rules: ProtocolRules
  readonly served: readonly string[]
  /** Undefined where nothing is deployed. */
  readonly slotTable?: SlotTable | undefined
}

/** Examines every market that is served, and the registry of slots. */
export async function examineMarkets(
  rpc: Pick<Rpc, 'read'>,
  { protocolState, rules, served, slotTable }: MarketsExamined,
): Promise<readonly Finding[]> {
  try {
    const ofMarkets = served.map((dataMarket) =>
      rpc.read((ask) => market(ask, protocolState, rulesOfMarket(rules, dataMarket))),
    )
    const known = slotTable?.slots.size
    return [
      ...(await Promise.all(ofMarkets)),
      await rpc.read((ask) => registry(ask, protocolState, known)),
      ...(slotTable?.head ? [await ownersOf(rpc, protocolState, slotTable)] : []),
    ]
  } catch (error) {
    return [failed('market', error, 'Check chain.protocolState, the markets, and that the nodes are of that chain.')]
  }
}

async function market(ask: Ask, protocolState: string, { dataMarket, rewards }: MarketRules): Promise<Finding> {
  const read = async (name: string): Promise<unknown> =>
    (await readContract(ask, protocolState, name, [dataMarket], 'latest'))[0]
  const names = ['snapshotSubmissionWindow', 'batchSubmissionWindow', 'attestationSubmissionWindow']
  const [enabled, ...windows] = await Promise.all([read('dataMarketEnabled'), ...names.map(read)])
  const day = rewards === 'off' ? '' : await dayOf(read)
  const why = !enabled
    ? 'Its owner has switched it off: the contract releases no epoch until it is on again (E02).'
    : (windowAdvice(windows.map(Number)) ??
      (rewards === 'on' && day === undefined
        ? 'The contract counts no days, so none is ever paid: set the rule `rewards` of the market to `counts` or `off`.'
        : undefined))
  return {
    check: 'market',
    ok: why === undefined,
    detail: `${dataMarket} is ${enabled ? 'on' : 'off'}; windows ${windows.join(', ')}; rewards ${rewards}${day ?? ', and no days'}`,
    ...(why !== undefined && { advice: why }),
  }
}

/** Undefined when the windows are as they must be. */
function windowAdvice([snapshot, batch]: readonly number[]): string | undefined {
  if (snapshot! > WINDOW_MAX)
    return `Its snapshotSubmissionWindow is more than ${WINDOW_MAX}: no release opens an epoch until its owner has set it right.`
  return snapshot === 0 || batch! <= snapshot!
    ? 'Its owner sets the windows: the one for batches must be longer than that for snapshots, and neither 0.'
    : undefined
}

/** Undefined when the contract has none. */
async function dayOf(read: (name: string) => Promise<unknown>): Promise<string | undefined> {
  try {
    const [day, quota] = await Promise.all(['dayCounter', 'dailySnapshotQuota'].map(read))
    return `, day ${day}, quota ${quota}`
  } catch (error) {
    if (isRevert(error)) return undefined
    throw error
  }
}

async function registry(ask: Ask, protocolState: string, known: number | undefined): Promise<Finding> {
  const address = await nodesAddress(ask, protocolState, 'latest')
  const slots = await countSlots(ask, { protocolState, nodes: address })
  const lacks = known !== undefined && known < slots
  const detail = `${address} has ${slots} slots${known === undefined ? '' : `, and the topic slots ${known}`}`
  return {
    check: 'registry',
    ok: slots > 0 && !lacks,
    detail,
    ...(slots === 0 && { advice: 'Without slots every submission is UNKNOWN_SLOT: ask the owner of ProtocolState.' }),
    ...(lacks && { advice: LACKING }),
  }
}

/** Slots that are compared, and that are named. */
const SLOTS_SAMPLED = 64
const SLOTS_NAMED_MAX = 3

/** Whether the newest rows, and some of the others, say what the registry does. */
async function ownersOf(rpc: Pick<Rpc, 'read'>, protocolState: string, table: SlotTable): Promise<Finding> {
  const check = 'slots'
  const sample = sampleOf(table, SLOTS_SAMPLED)
  const at = { blockHash: table.head!.hash }
  const differing = await differingSlots(
    table,
    (slotIds) => slotsAt(rpc, protocolState, slotIds, at).catch(() => undefined),
    sample,
  )
  const of = `of block ${table.head!.number}`
  if (!differing) return notLookedAt(check, `the nodes do not have the state ${of}, up to which the topic slots goes`)
  const compared = `${sample.length} of ${table.slots.size} rows of the topic slots were compared with the registry as ${of}`
  if (differing.length === 0) return { check, ok: true, detail: compared }
  const named = differing.slice(0, SLOTS_NAMED_MAX).map(({ offset, message }) => `offset ${offset}: ${message}`)
  const more = differing.length > named.length ? `; and ${differing.length - named.length} more` : ''
  return { check, ok: false, detail: `${named.join('; ')}${more}; ${compared}`, advice: OTHER_OWNERS }
}

const OTHER_OWNERS =
  'Votes are judged by the rows. Somebody else wrote them (finding `rights`), or the nodes left events out: see "Rows of slots that are wrong" in docs/runbook.md.'

const LACKING =
  'Submissions of the slots that it lacks are UNKNOWN_SLOT. The clock reads them all at its first start, and when the topic was made anew: see what it says.'
