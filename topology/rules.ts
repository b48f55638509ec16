import { ANCHOR_RULES_DEFAULTS, type AnchorRules } from './anchor-rules.ts'
import { costOfBatch, costOfProject } from './shared/batch-cost.ts'
import { dataSourcesFault } from './shared/data-sources.ts'
import { slotsPerPayout } from './shared/payout-cost.ts'
import { patternFault, sharedProjects } from './shared/project-ids.ts'

/** The rules of one data market. All of it decides outputs, so it is the same on every instance. */
export interface MarketRules {
  /** Data market contract, 0x and 40 lower-case hex digits. */
  readonly dataMarket: string
  /** EIP-712 domain: the anchor chain, and the ProtocolState proxy (lower case) as verifyingContract. */
  readonly chainId: number
  readonly protocolState: string
  /** Unit of the contract's snapshotSubmissionWindow: blocks after the release block (its text) or seconds of block time (as deployed). */
  readonly windowUnit: 'blocks' | 'seconds'
  /** Epochs that a submission may be ahead of the epochs which can have been released when it came (early.ts). */
  readonly epochsAhead: number
  /** Fewest seconds from one release to the next, on average: so many epochs can have been released that the log does not know. */
  readonly epochSecondsMin: number
  /** Epochs that an owner of a slot may wait for at one time, however long the clock is behind. */
  readonly epochsWaitingMax: number
  /** Seconds by which an intake's clock may differ from the time of the blocks. */
  readonly clockSkewSeconds: number
  /** Distinct submissions of a slot's owner that are taken in one epoch. */
  readonly perSlotPerEpoch: number
  /** Signers (lower case) with a quota of their own. */
  readonly fullNodes: readonly string[]
  readonly perFullNodePerEpoch: number
  /** Project ids that the market takes: whole ones, or patterns with one `*` (decision 0022). Empty: all. */
  readonly projectIds: readonly string[]
  /** Longest texts of a submission, in bytes of UTF-8. */
  readonly projectIdBytesMax: number
  readonly snapshotCidBytesMax: number
  readonly nodeVersionBytesMax: number
  /**
   * Distinct submissions beyond its quota that an owner may sign in one epoch (or as many again as the quota, whichever is more)
   * without losing the quota. An owner that signs more has none taken.
   */
  readonly overQuotaMax: number
  /** Signers (lower case) refused as FLAGGED. */
  readonly flagged: readonly string[]
  /** Fewest votes for a winner, at least 1. */
  readonly votesMin: number
  /** Smallest share of the voters that the winner must have, 0 to 1. */
  readonly shareMin: number
  /** A batch is cut at whichever comes first; a project is never split. */
  readonly batchProjectsMax: number
  readonly batchBytesMax: number
  /** Gas and calldata as batch-cost.ts reckons them; above it a project by itself has no winner. */
  readonly batchGasMax: number
  readonly batchCalldataMax: number
  /** `chained`: each batch of an epoch continues the submission-id tree of the one before. `fresh`: a tree per batch. */
  readonly tree: 'chained' | 'fresh'
  /**
   * The use of the days (decision 0039): nothing is kept of them (`off`), the submissions of each slot are counted (`counts`), or
   * the contract is told of them too, and the day is closed there (`on`).
   */
  readonly rewards: 'off' | 'counts' | 'on'
  /** Epochs of a day from one telling of the counts to the next. */
  readonly payoutEpochs: number
  /** Gas of one call that tells them, as payout-cost.ts reckons. */
  readonly payoutGasMax: number
  /** Days of which the counts of the slots are kept, the newest ones. */
  readonly daysKept: number
  /**
   * Data sources (lower case, in this order) for the check that a slot reports the source whose turn it is
   * (validate/data-source.ts); empty: no check.
   */
  readonly dataSources: readonly string[]
}

/** An added market has the chain and the contract of the configured markets. */
export type AddedMarketRules = Omit<MarketRules, 'dataMarket' | 'chainId' | 'protocolState'>

export interface ProtocolRules {
  /** The configured ones: served from the first block on, unless a tick says otherwise (decision 0017). */
  readonly markets: readonly MarketRules[]
  /** Rules of every market that is added at run time. */
  readonly addedMarkets: AddedMarketRules
  /** Early submissions that one validate task holds of signers whose slot it is not, yet; before a first block of all signers. */
  readonly parkedMax: number
  /** Submissions that one validate task holds for epochs to come, of everybody: above it, who has most gives way. */
  readonly waitingMax: number
  /** Blocks of history that validate keeps for header checks; must exceed every window and epoch in flight. */
  readonly headsKept: number
  /** Blocks for which every change of a slot's owner is kept; more than the log holds submissions of (7 days). */
  readonly slotHistoryBlocks: number
  /** Changes of one slot's owner within them, also in blocks that left the chain; with one more the slot is suspended until half of them are older. */
  readonly slotChangesMax: number
  /**
   * Public keys (Ed25519, 64 lower-case hex digits), oldest first: records that decide (`shared/seals.ts`) count only with the seal of
   * one of these keys, and not of a key that another one has replaced. Without any, everything counts.
   */
  readonly markerKeys: readonly string[]
  /** Take markers without a signature as long as a partition has none with one: the log was begun before they were signed. */
  readonly unsignedMarkers: boolean
  /** The same of all others that are sealed: the log was begun when markers alone were. */
  readonly unsealedRecords: boolean
}

export const MARKET_DEFAULTS = {
  windowUnit: 'blocks',
  epochsAhead: 2,
  epochSecondsMin: 1,
  epochsWaitingMax: 4_096, // with epochs of 12 s: an outage of more than 13 hours
  clockSkewSeconds: 15,
  perSlotPerEpoch: 2,
  fullNodes: [],
  perFullNodePerEpoch: 1_000,
  projectIds: [],
  projectIdBytesMax: 256, // seen: up to 110
  snapshotCidBytesMax: 128, // a CIDv1 of sha256 in base32 has 59
  nodeVersionBytesMax: 64,
  overQuotaMax: 14,
  flagged: [],
  votesMin: 1,
  shareMin: 0,
  batchProjectsMax: 50,
  batchBytesMax: 4 * 1024 * 1024,
  batchGasMax: 24_000_000, // a block has 30 M
  batchCalldataMax: 90_000, // geth takes transactions of 128 KiB, Arbitrum's sequencer of 95,000 bytes
  tree: 'chained',
  rewards: 'counts',
  payoutEpochs: 60,
  payoutGasMax: 24_000_000,
  daysKept: 14, // 10,000 slots: some 30 MB
  dataSources: [],
} as const satisfies AddedMarketRules

export const RULES_DEFAULTS = {
  parkedMax: 10_000,
  waitingMax: 250_000, // 2 KB each
  headsKept: 4_096,
  addedMarkets: MARKET_DEFAULTS,
  slotHistoryBlocks: 604_800,
  slotChangesMax: 256,
  markerKeys: [],
  unsignedMarkers: false,
  unsealedRecords: true, // rules without it are of a release that sealed markers alone
} as const

/** Keys that markers may be signed with, the replaced ones too: as long as the log holds markers of theirs. */
const MARKER_KEYS_MAX = 64

/** The widest values of the rules about texts: an intake takes as much. */
export const TEXT_BYTES_MAX = { projectId: 1_024, snapshotCid: 256, nodeVersion: 256 } as const

/** Patterns of one market. Each submission is compared with them. */
export const PROJECT_PATTERNS_MAX = 256

/** Rules that were written down by an older release, with the defaults of what came later. */
export const completeRules = (older: ProtocolRules): ProtocolRules => ({
  ...RULES_DEFAULTS,
  ...older,
  addedMarkets: { ...MARKET_DEFAULTS, ...older.addedMarkets },
  markets: older.markets.map((market) => ({ ...MARKET_DEFAULTS, ...market })),
})

/** Markets served at one time, configured ones and added ones. They are labels of metrics. */
export const MARKETS_MAX = 64

/** The rules of a configured market, or else the rules that the market has when it is added. */
export function rulesOfMarket({ markets, addedMarkets }: ProtocolRules, dataMarket: string): MarketRules {
  const configured = markets.find((market) => market.dataMarket === dataMarket)
  const { chainId, protocolState } = markets[0]!
  return configured ?? { ...addedMarkets, dataMarket, chainId, protocolState }
}

/** `rulesOfMarket`, for a stage that asks per record. Ask for served markets only: each is kept. */
export function marketRulesLookup(rules: ProtocolRules): (dataMarket: string) => MarketRules {
  const known = new Map(rules.markets.map((market) => [market.dataMarket, market]))
  return (dataMarket) => {
    const found = known.get(dataMarket)
    if (found) return found
    const added = rulesOfMarket(rules, dataMarket)
    known.set(dataMarket, added)
    return added
  }
}

/**
 * The demands of a topology on its rules. @throws RangeError that names the market and the rule
 */
export function checkRules({
  markets,
  addedMarkets,
  parkedMax,
  waitingMax,
  headsKept,
  markerKeys = [],
}: Omit<ProtocolRules, 'markerKeys'> & Partial<ProtocolRules>): void {
  const check: Check = (holds, rule) => {
    if (!holds) throw new RangeError(rule)
  }
  check(markets.length > 0, 'no data market is configured')
  check(markets.length <= MARKETS_MAX, `${markets.length} data markets are configured, at most ${MARKETS_MAX} can be`)
  check(Number.isSafeInteger(parkedMax) && parkedMax >= 0, `parkedMax is ${parkedMax}, at least 0 is needed`)
  check(Number.isSafeInteger(waitingMax) && waitingMax >= 1, `waitingMax is ${waitingMax}, at least 1 is needed`)
  check(Number.isSafeInteger(headsKept) && headsKept >= 1, `headsKept is ${headsKept}, at least 1 is needed`)
  for (const key of markerKeys)
    check(/^[0-9a-f]{64}$/.test(key), `the marker key ${key} is not 64 lower-case hex digits`)
  check(new Set(markerKeys).size === markerKeys.length, 'a marker key is there twice')
  check(markerKeys.length <= MARKER_KEYS_MAX, `${markerKeys.length} marker keys, at most ${MARKER_KEYS_MAX} can be`)
  check(new Set(markets.map(({ dataMarket }) => dataMarket)).size === markets.length, 'a data market is there twice')
  for (const market of [...markets, { ...markets[0]!, ...addedMarkets, dataMarket: ANY_MARKET }]) {
    const isAddress = (text: string): boolean => /^0x[0-9a-f]{40}$/.test(text)
    for (const name of ['dataMarket', 'protocolState'] as const)
      check(isAddress(market[name]), `${name} ${market[name]} is no address in lower case`)
    for (const name of [
      'perSlotPerEpoch',
      'perFullNodePerEpoch',
      'votesMin',
      'batchProjectsMax',
      'payoutEpochs',
    ] as const)
      check(market[name] >= 1, `${name} of ${market.dataMarket} is ${market[name]}, at least 1 is needed`)
    checkTexts(market, check)
    check(
      market.overQuotaMax >= 0,
      `overQuotaMax of ${market.dataMarket} is ${market.overQuotaMax}, at least 0 is needed`,
    )
    check(market.shareMin >= 0 && market.shareMin <= 1, `shareMin of ${market.dataMarket} is not between 0 and 1`)
    check(
      market.daysKept >= DAYS_KEPT_MIN,
      `daysKept of ${market.dataMarket} is ${market.daysKept}, at least ${DAYS_KEPT_MIN} are needed`,
    )
    check(
      slotsPerPayout(market) >= 1,
      `payoutGasMax of ${market.dataMarket} is ${market.payoutGasMax}: a call for one slot needs more`,
    )
    const fault = dataSourcesFault(market.dataSources)
    check(!fault, `dataSources of ${market.dataMarket} ${fault}`)
  }
  checkShared(markets, check)
}

type Check = (holds: boolean, rule: string) => void

/** Lengths and patterns; and that the longest legal project fits a transaction by itself. */
function checkTexts(market: MarketRules, check: Check): void {
  for (const name of ['projectId', 'snapshotCid', 'nodeVersion'] as const) {
    const [rule, most] = [`${name}BytesMax`, TEXT_BYTES_MAX[name]] as const
    const bytesMax = market[`${name}BytesMax`]
    check(
      Number.isSafeInteger(bytesMax) && bytesMax >= 1 && bytesMax <= most,
      `${rule} of ${market.dataMarket} is ${bytesMax}, 1 to ${most} can be`,
    )
  }
  check(
    market.projectIds.length <= PROJECT_PATTERNS_MAX,
    `projectIds of ${market.dataMarket} has ${market.projectIds.length} patterns, at most ${PROJECT_PATTERNS_MAX} can be`,
  )
  for (const pattern of market.projectIds) {
    const fault = patternFault(pattern)
    check(!fault, `projectIds of ${market.dataMarket} has ${JSON.stringify(pattern)}, but ${fault}`)
  }
  const longest = costOfProject(market.projectIdBytesMax, market.snapshotCidBytesMax)
  const { gas, calldata } = costOfBatch(longest)
  for (const [rule, needed] of [
    ['batchGasMax', gas],
    ['batchCalldataMax', calldata],
  ] as const)
    check(
      market[rule] >= needed,
      `${rule} of ${market.dataMarket} is ${market[rule]}; a project with the longest id and CID needs ${needed}`,
    )
}

/** "No two markets that say which projects are theirs say so of one project": its votes would count in both. */
function checkShared(markets: readonly MarketRules[], check: Check): void {
  for (const { markets: both, patterns } of sharedProjects(markets.filter(({ projectIds }) => projectIds.length > 0)))
    check(
      false,
      `projectIds of ${both[0]} and of ${both[1]} share projects (${patterns.join(' and ')}): a vote would count in both`,
    )
}

/**
 * Version of the records between stages; it goes up when an older stage would misread a newer one. 2: texts by frames; 3: records
 * in parts, headers that are not known yet are judged by `consensus`, and copies with other headers reach it; 4: all headers, and
 * deadlines; 5: owners of slots by fork; 6: ticks carry the day, `settle` writes tallies; 7: `admit` keeps
 * deadlines, and gives seats by them; 8: batches by their texts.
 */
const HANDOVER = 8

/** The day, the one before, which can still be paid, and the one before that, by which the ledger knows that it has all of them. */
const DAYS_KEPT_MIN = 3

/** Stands for one that is added, in what `checkRules` says. */
const ANY_MARKET = `0x${'0'.repeat(40)}`

/** Everything that decides outputs and is not in the graph, as one text: instances compare it by its hash. */
export const rulesText = (rules: ProtocolRules, anchoring: Partial<AnchorRules>): string =>
  JSON.stringify(
    { ...rules, handover: HANDOVER, anchoring: { ...ANCHOR_RULES_DEFAULTS, ...anchoring } },
    (_, value: unknown) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
        : value,
  )
