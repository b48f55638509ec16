/** The market, chain and submissions that the stages are measured with. */
import { createHash } from 'node:crypto'
import type { EpochTick, SlotOwner, Submission } from '../schemas/types.ts'
import { MARKET_DEFAULTS, type MarketRules, type ProtocolRules, RULES_DEFAULTS } from '../topology/rules.ts'
import type { Recovered } from '../topology/shared/signature.ts'

export const PROJECTS = 1_000
export const SLOTS = 100
export const SUBMISSIONS = PROJECTS * SLOTS
export const DATA_MARKET = '0x0c2e22fe7526faef28e7a58c84f8723defce200c'

export const market: MarketRules = {
  ...MARKET_DEFAULTS,
  dataMarket: DATA_MARKET,
  chainId: 31337,
  protocolState: '0xe88e5f64aeb483d7057645326addfa24a3b312df',
  perSlotPerEpoch: PROJECTS,
}
export const rules: ProtocolRules = { ...RULES_DEFAULTS, markets: [market] }

export const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest()
export const blockHash = (block: number): string => `0x${hashOf(`block ${block}`).toString('hex')}`

/** Slot by slot through all projects; a tenth reports another CID. */
export function submissionOf(n: number): Submission {
  const project = n % PROJECTS
  const hex = hashOf(`${n}`).toString('hex')
  return {
    submissionId: `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`,
    slotId: 1 + (Math.floor(n / PROJECTS) % SLOTS),
    deadline: 1_000,
    snapshotCid: `bafkrei${hashOf(`cid ${project} ${n % 10 === 9}`)
      .toString('hex')
      .slice(0, 52)}`,
    epochId: 1,
    projectId: `pairContract_trade_volume:0x${hashOf(`${project}`).toString('hex').slice(0, 40)}:UNISWAPV2`,
    signature: `${hex}${hex}1b`,
    header: blockHash(11),
    dataMarket: '0x0C2E22fe7526fAeF28E7A58c84f8723dEFcE200c',
    nodeVersion: 'v1.2.3',
    receivedAt: 1_700_000_000_000 + n,
    position: null,
    digest: Buffer.alloc(0),
    fullNode: false,
    signer: '',
    headerBlock: -1,
    contested: false,
  }
}

export const ownerOf = (slotId: number): string => `0x${slotId.toString(16).padStart(40, '0')}`
export const owner = (slotId: number): SlotOwner => ({
  slotId,
  history: [{ sinceBlock: 0, owner: ownerOf(slotId), active: true, sinceFork: 0, untilFork: 0 }],
})
export const recoveredOf = (submission: Submission): Recovered => ({
  digest: hashOf(submission.submissionId),
  signer: ownerOf(submission.slotId),
})

export function tick(kind: EpochTick['kind'], blockNumber: number): EpochTick {
  const ofEpoch = kind === 'OPEN' || kind === 'CLOSE'
  return {
    kind,
    dataMarket: ofEpoch ? DATA_MARKET : '',
    epochId: ofEpoch ? 1 : 0,
    blockNumber,
    blockHash: blockHash(blockNumber),
    parentHash: blockHash(blockNumber - 1),
    blockTimestamp: blockNumber,
    slotsOffset: 0,
    contractBlock: blockNumber,
    releaseBlock: ofEpoch ? 10 : 0,
    begin: 0,
    end: 0,
    submissionWindow: 5,
    acceptedHeaders: kind === 'CLOSE' ? [10, 11, 12].map(blockHash) : [],
    skippedFrom: 0,
    refusedFrom: 0,
    forks: 0,
    markets: [],
    day: 0,
    dailyQuota: 0,
    daysEnded: 0,
    refused: [],
  }
}
