/** The rules that a simulated run is played by: those of every run, and narrower ones where somebody plays against it. */
import { MARKET_DEFAULTS, type MarketRules, type ProtocolRules, RULES_DEFAULTS } from '../../topology/rules.ts'
import { markerSigner } from '../topology/marker-keys.ts'
import { MARKET } from './chain-story.ts'

const PROTOCOL_STATE = `0x${'b2'.repeat(20)}`
const CHAIN_ID = 31_337

/** Seals what decides, in the runs with an adversary. */
export const TICK_FANOUT = markerSigner('tick-fanout')

const market: MarketRules = {
  ...MARKET_DEFAULTS,
  dataMarket: MARKET,
  chainId: CHAIN_ID,
  protocolState: PROTOCOL_STATE,
  batchProjectsMax: 2,
  // Blocks of one second, and epochs of three: an owner has room for one that it can know of, and those of the time since.
  epochsAhead: 0,
  epochSecondsMin: 3,
  clockSkewSeconds: 1,
}

const RULES: ProtocolRules = { ...RULES_DEFAULTS, markets: [market] }

/** So narrow that every bound is reached by few and small records. */
const NARROW = {
  overQuotaMax: 3,
  projectIdBytesMax: 72,
  snapshotCidBytesMax: 40,
  nodeVersionBytesMax: 16,
  batchProjectsMax: 4,
  batchBytesMax: 3_500,
  // Four projects of 32 bytes are above the one, three of up to 31 bytes and one of 64 above the other.
  batchGasMax: 790_000,
  batchCalldataMax: 1_140,
} as const

const HOSTILE_RULES: ProtocolRules = {
  ...RULES_DEFAULTS,
  parkedMax: 5,
  markerKeys: [TICK_FANOUT.publicKey],
  unsealedRecords: false,
  markets: [{ ...market, ...NARROW, projectIds: ['project:*', 'junk:*'] }],
  addedMarkets: { ...MARKET_DEFAULTS, ...NARROW, projectIds: ['other:*'] },
}

/** In every second run somebody plays against the others. */
export const isHostile = (seed: number): boolean => seed % 2 === 0

export const rulesOf = (seed: number): ProtocolRules => {
  const rules = isHostile(seed) ? HOSTILE_RULES : RULES
  const { markets, addedMarkets } = rules
  const days = daysOf(seed)
  return { ...rules, markets: [{ ...markets[0]!, ...days }], addedMarkets: { ...addedMarkets, ...days } }
}

/** Mostly the contract is told of the days, after every epoch or every second one, and two slots are closed in a call, or three, or all. */
const daysOf = (seed: number): Pick<MarketRules, 'rewards' | 'payoutEpochs' | 'payoutGasMax'> => ({
  rewards: seed % 9 === 5 ? 'counts' : 'on',
  payoutEpochs: 1 + ((seed % 4) >> 1),
  payoutGasMax: [500_000, 700_000, 24_000_000][seed % 3]!,
})
