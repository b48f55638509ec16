/** Days of a market as the product's ledger writes them, and payments as the payer does, in the log of a fixture. */
import { createCodec } from '../../../schemas/codec.ts'
import { NONE } from '../../../schemas/none.ts'
import { memoryRegistry } from '../../../schemas/registry.ts'
import type { EpochTick, Payment, Payout } from '../../../schemas/types.ts'
import { createStreamsBuilder } from '../../../streams/create-builder.ts'
import { partitionFor } from '../../../streams/partitioner.ts'
import { TopologyTestDriver } from '../../../streams/test-driver.ts'
import { keepLedger } from '../../../topology/ledger/ledger.ts'
import { ledgerStores } from '../../../topology/ledger-stores.ts'
import { type MarketRules, RULES_DEFAULTS } from '../../../topology/rules.ts'
import type { Votes } from '../../../topology/shared/tally.ts'
import { sequencerTopics } from '../../../topology/topics.ts'
import { type Fixture, HASH, MARKET, markerOf, RULES, tickOf } from '../look/fixture.ts'

export const QUOTA = 4

type PayRules = Pick<MarketRules, 'rewards' | 'payoutEpochs' | 'payoutGasMax' | 'daysKept'>
/** Each day that ends is closed by calls of two slots each; nothing is told in its course. */
const PAY_RULES: PayRules = { rewards: 'on', payoutEpochs: 1_000, payoutGasMax: 500_000, daysKept: 14 }

/** Slot → what it did. */
type Counts = Readonly<Record<number, Votes>>
export const votes = (accepted: number, counted = accepted): Votes => ({ accepted, counted })

type Close = [epochId: number, day: number, counts: Counts, daysEnded?: number, rules?: Partial<PayRules>]

export interface DaysStory {
  open(epochId: number, day: number, quota?: number): Promise<void>
  /** `daysEnded` as the CLOSE says; `rules` as they are at this CLOSE. */
  close(...epoch: Close): Promise<void>
  /** Opens and closes it. */
  epoch(...epoch: Close): Promise<void>
  /** What became of a payout: FINAL unless `fields` say otherwise. `number` as in its key. */
  pay(day: number, epochId: number, number: number, fields: Partial<Payment>): Promise<void>
}

const codec = await createCodec(memoryRegistry())
const ONE = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }

/** The stage alone, fed with what `settle` sends it. */
function createLedger(market: MarketRules) {
  const topics = sequencerTopics(codec, { prefix: '', partitions: ONE })
  const stores = ledgerStores(codec)
  const rules = { ...RULES_DEFAULTS, markets: [market] }
  const builder = createStreamsBuilder()
  builder.deadLetters(topics.deadLetters.name)
  const ledger = builder
    .stream(topics.tallies)
    .process('ledger', ['slotDays', 'days', 'payouts'], keepLedger(rules, topics, stores), ...Object.values(stores))
  ledger.slotDays.to(topics.slotDays)
  ledger.days.to(topics.days)
  ledger.payouts.to(topics.payouts)
  return { topics, driver: new TopologyTestDriver(builder.build()) }
}

export function createDays({ log, topics, put }: Fixture, dataMarket = MARKET, withTicks = true): DaysStory {
  const market = { ...RULES.markets[0]!, ...PAY_RULES, dataMarket }
  const ledger = createLedger(market)
  const told = { slotDays: 0, days: 0, payouts: 0 }
  /** Payouts as they lie in the log, by `nameOf`. */
  const payouts = new Map<string, Payout & { readonly offset: number }>()

  /** Appends what the ledger has written since the last time, tombstones too. */
  const tell = async (): Promise<void> => {
    const appender = await log.appender()
    for (const name of ['payouts', 'slotDays', 'days'] as const) {
      const { name: topic, partitions } = topics[name]
      const written = ledger.driver.readRaw(ledger.topics[name].name)
      for (const { key, value } of written.slice(told[name])) {
        const partition = partitionFor(key!, partitions)
        const [offset] = await appender.append([{ topic, partition, timestamp: 0, key, value }])
        if (name !== 'payouts') continue
        const payout = topics.payouts.value.decode(value!)
        payouts.set(nameOf(payout.payoutOf, payout.epochId, payout.number), { ...payout, offset: offset! })
      }
      told[name] = written.length
    }
  }

  const tick = (kind: EpochTick['kind'], epochId: number, day: number, fields: Partial<EpochTick> = {}) => {
    const block = epochId * 10 + (kind === 'CLOSE' ? 5 : 0)
    const blocks = {
      blockNumber: block,
      releaseBlock: epochId * 10,
      blockHash: `${HASH.slice(0, -8)}${String(block).padStart(8, '0')}`,
    }
    return tickOf({ kind, dataMarket, epochId, ...blocks, day, dailyQuota: QUOTA, ...fields })
  }

  const story: DaysStory = {
    async open(epochId, day, quota = QUOTA) {
      if (withTicks) await put(topics.epochTicks, { dataMarket }, tick('OPEN', epochId, day, { dailyQuota: quota }))
    },
    async close(epochId, day, counts, daysEnded = 0, rules = {}) {
      const closing = tick('CLOSE', epochId, day, { daysEnded })
      if (withTicks) await put(topics.epochTicks, { dataMarket }, closing)
      const listed = (what: (of: Votes) => number) =>
        Object.entries(counts).flatMap(([slotId, of]) => new Array<number>(what(of)).fill(Number(slotId)))
      const tally = {
        talliedEpoch: epochId,
        counted: listed(({ counted }) => counted),
        uncounted: listed(({ accepted, counted }) => accepted - counted),
      }
      await put(topics.tallies, { dataMarket }, tally)
      Object.assign(market, PAY_RULES, rules)
      ledger.driver.pipe(ledger.topics.tallies, { dataMarket }, tally)
      ledger.driver.pipe(ledger.topics.tallies, { dataMarket }, markerOf(closing))
      await tell()
    },
    async epoch(...epoch) {
      await story.open(epoch[0], epoch[1])
      await story.close(...epoch)
    },
    async pay(day, epochId, number, fields) {
      const { offset: payoutOffset, purpose, part, parts, slotIds } = payouts.get(nameOf(day, epochId, number))!
      const about = { purpose, payoutOffset, part, parts, slots: slotIds.length, sent: slotIds.length }
      const mined = { transactionHash: `0xpaid${number}`, blockNumber: 99, blockHash: HASH, nonce: 7, attempts: 1 }
      const counts = {
        present: 0,
        paidBefore: [],
        paid: NONE,
        leftOut: [],
        eligibleNodes: 0,
        numberFound: false,
        quota: 0,
        error: '',
        reorgs: 0,
      }
      const payment: Payment = { paymentState: 'FINAL', ...about, ...counts, ...mined, ...fields }
      await put(topics.payments, { dataMarket, day, epochId, number }, payment)
    },
  }
  return story
}

const nameOf = (day: number, epochId: number, number: number): string => `${day}/${epochId}/${number}`
