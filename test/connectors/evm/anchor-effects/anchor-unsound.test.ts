import { describe, expect, it } from 'vitest'
import { createIntentFollower } from '../../../../connectors/evm/anchor-effects/anchor-intents.ts'
import { createPayoutReader } from '../../../../connectors/evm/anchor-effects/anchor-payouts.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { nonceKey, payoutKey } from '../../../../schemas/anchor-keys.ts'
import { createCodec } from '../../../../schemas/codec.ts'
import { memoryRegistry } from '../../../../schemas/registry.ts'
import type { AnchorIntent, AnchorKey, Batch } from '../../../../schemas/types.ts'
import type { Unreadable } from '../../../../streams/read-record.ts'
import { TopologyTestDriver } from '../../../../streams/test-driver.ts'
import { sequencerTopology } from '../../../../topology/index.ts'
import { sequencerStores } from '../../../../topology/stores.ts'
import { sequencerTopics } from '../../../../topology/topics.ts'
import { payoutOf, READY_TO_PAY, resultOf } from '../../../topology/anchor/anchor-harness.ts'
import { rulesOf, MARKET as SERVED } from '../../../topology/world.ts'
import { BATCH, carriedOut, REWARD_KEY, REWARD_ORDER } from './scripted-effects.ts'
import { intentOf, KEY, MARKET, signer } from './scripted-send.ts'

const codec = await createCodec(memoryRegistry())
const one = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
const topics = sequencerTopics(codec, { prefix: '', partitions: one })
const toSign = (fields: Partial<AnchorIntent> = {}): AnchorIntent => intentOf([], { step: 'SIGN', ...fields })

/** A number that no 256 bits hold. */
const TOO_LARGE = `1${'0'.repeat(78)}`
const WORDS = [
  [{ maxFeePerGas: 'x' }, 'maxFeePerGas "x" is no number of 256 bits'],
  [{ maxFeePerGas: TOO_LARGE }, `maxFeePerGas "${TOO_LARGE}" is no number of 256 bits`],
  [{ maxFeePerGas: `${2n ** 256n}` }, /maxFeePerGas "1157/],
  [{ maxPriorityFeePerGas: '-1' }, /maxPriorityFeePerGas "-1"/],
  [{ maxPriorityFeePerGas: '0x1' }, /maxPriorityFeePerGas "0x1"/],
  [{ maxFeePerGas: '' }, /maxFeePerGas ""/],
  [{ gasLimit: -1 }, 'gasLimit -1 is below 0'],
  [{ attempt: -1 }, 'attempt -1 is below 0'],
  [{ nonce: -2 }, 'nonce -2 is below -1'],
  [{ blockNumber: -2 }, 'blockNumber -2 is below -1'],
] as const

describe('an intent with numbers that cannot be', () => {
  const OWN = [
    [{ delayMs: -1 }, 'delayMs -1 is below 0'],
    [{ delayMs: 86_400_001 }, 'delayMs 86400001 is above 86400000'],
    [{ batchOffset: -2 }, 'batchOffset -2 is below -1'],
    [{ payout: { ...REWARD_ORDER, eligibleNodes: -1 } }, 'eligibleNodes -1 is below 0'],
    [{ payout: { ...REWARD_ORDER, afterBlock: -2 } }, 'afterBlock -2 is below -1'],
  ] as const
  it.each([...WORDS, ...OWN])('error: %j is left out with its place, and the next goes on', async (fields, why) => {
    const log = createMemoryLog()
    await log.createTopics([topics.anchorIntents])
    const appender = await log.appender()
    const { name: topic, key, value } = topics.anchorIntents
    for (const intent of [toSign(fields), toSign({ attempt: 9 })])
      await appender.append([{ topic, partition: 0, timestamp: 0, key: key.encode(KEY), value: value.encode(intent) }])
    const left: Unreadable[] = []
    const told: number[] = []
    const stop = new AbortController()
    await createIntentFollower(log, systemClock, topics.anchorIntents, (one) => left.push(one)).follow((change) => {
      told.push(change.intent.attempt, change.offset)
      stop.abort()
    }, stop.signal)
    const about = { topic, partition: 0, offset: 0, reason: 'undecodable' }
    expect(left).toEqual([{ ...about, why: typeof why === 'string' ? why : expect.stringMatching(why) }])
    expect(told).toEqual([9, 1])
  })
})

describe('a result with numbers that cannot be', () => {
  const key = payoutKey(SERVED, 7, 0)
  const stage = () => {
    const driver = new TopologyTestDriver(sequencerTopology(rulesOf(), topics, sequencerStores(codec), {}))
    driver.pipe(topics.payouts, { dataMarket: SERVED }, payoutOf(7, 0))
    const steps = () => driver.read(topics.anchorIntents).map(({ value }) => value.step)
    return { driver, steps }
  }
  const ready = (attempt: number) => resultOf({ step: 'PREPARE', attempt, outcome: 'READY', ...READY_TO_PAY })

  it('error: about an epoch or a nonce below 0 is put aside by the stage', () => {
    const { driver, steps } = stage()
    const { attempt } = driver.read(topics.anchorIntents)[0]!.value
    driver.pipe(topics.anchorResults, key, ready(attempt))
    const unfilled = resultOf({ step: 'DONE', attempt: 0, outcome: 'UNFILLED' })
    driver.pipe(topics.anchorResults, nonceKey(READY_TO_PAY.signer!, -5), unfilled)
    expect(driver.readRaw(topics.deadLetters.name)).toHaveLength(1)
    expect(steps()).toEqual(['PREPARE', 'SIGN'])
  })

  const OF_READY = [
    [{ payout: { ...READY_TO_PAY.payout, quota: -1 } }, 'quota -1 is below 0'],
    [{ signer: 'x' }, 'the signer is no address'],
  ] as const
  it.each([...WORDS, ...OF_READY])('error: %j is put aside by the stage, which goes on', (fields, _why) => {
    const { driver, steps } = stage()
    const { attempt } = driver.read(topics.anchorIntents)[0]!.value
    driver.pipe(topics.anchorResults, key, { ...ready(attempt), ...fields })
    expect(driver.readRaw(topics.deadLetters.name)).toHaveLength(1)
    expect(steps()).toEqual(['PREPARE'])
    driver.pipe(topics.anchorResults, key, ready(attempt))
    expect(steps()).toEqual(['PREPARE', 'SIGN'])
  })
})

describe('a payout that cannot be', () => {
  it.each([
    [{ payoutOf: -1 }, 'payoutOf -1 is below 0'],
    [{ parts: 0 }, 'part 0 is none of 0'],
    [{ part: 3, parts: 3 }, 'part 3 is none of 3'],
    [{ submissions: [10, 10] }, '3 slots have 2 counts'],
    [{ slotIds: [1, 2, -3] }, 'a slot or a count is below 0'],
    [{ submissions: [1, 2, -3] }, 'a slot or a count is below 0'],
  ])('error: %j is none of its topic, and no call is made of it', async (fields, why) => {
    const { name: topic, key, value } = topics.payouts
    const bytes = value.encode(payoutOf(7, 0, fields))
    expect(() => value.decode(bytes)).toThrow(why)
    const log = createMemoryLog()
    await log.createTopics([topics.payouts])
    const record = { topic, partition: 0, timestamp: 0, key: key.encode({ dataMarket: MARKET }), value: bytes }
    await (await log.appender()).append([record])
    const reading = createPayoutReader(log, topics.payouts).one(MARKET, 0, new AbortController().signal)
    await expect(reading).rejects.toThrow('there is no payout of the market at offset 0')
  })
})

describe('an intent that no node can be asked about', () => {
  const watched = { step: 'WATCH', blockNumber: 5, blockHash: `0x${'0'.repeat(63)}5` } as const
  const cases: [what: string, key: AnchorKey, intent: AnchorIntent, why: RegExp][] = [
    ['for no market', { ...KEY, dataMarket: 'x' }, intentOf([], { step: 'PREPARE' }), /names no address/],
    ['for no epoch', { ...KEY, epochId: -5 }, intentOf([], { step: 'PREPARE' }), /names epoch -5/],
    ['with an endless CID', KEY, intentOf([], { step: 'PREPARE', cid: 'b'.repeat(257) }), /CID of 257/],
    ['of no signer', KEY, toSign({ signer: 'x' }), /signer is no address/],
    ['that sends of no signer', KEY, intentOf(['0x12'], { signer: 'x' }), /signer is no address/],
    ['watched at no block', KEY, intentOf([], { ...watched, blockNumber: -1 }), /no hash and number/],
    ['kept at no hash', KEY, intentOf([], { ...watched, step: 'KEEP', blockHash: '0x5' }), /no hash and number/],
    ['watched by no hash', KEY, intentOf(['0x12'], watched), /transaction is no hash/],
  ]
  it.each(cases)('error: one %s is refused, with its place', async (_what, key, intent, why) => {
    const { results, refused, failures } = await carriedOut(key, intent, { offset: 41 })
    expect(refused).toEqual([[key, { offset: 41, step: intent.step, why: expect.stringMatching(why) }]])
    expect(results).toMatchObject([{ outcome: 'FAILED', error: expect.stringMatching(why) }])
    expect(failures).toEqual([])
  })
})

describe('what a step throws that is no outage', () => {
  const heldBatch = { ...BATCH, finalizedCidsRootHash: '0xzz' } as Batch
  const cases: [what: string, key: AnchorKey, intent: AnchorIntent, outcome: string, why: RegExp][] = [
    ['to prepare a batch that makes no call', KEY, intentOf([], { step: 'PREPARE' }), 'FAILED', /BytesLike/],
    ['to sign a batch that makes no call', KEY, toSign(), 'FAILED', /BytesLike/],
    ['to store a batch without a store', KEY, intentOf([], { step: 'STORE' }), 'REJECTED', /TypeError/],
    ['to sign a payout without an order', REWARD_KEY, toSign({ call: 'REWARD' }), 'FAILED', /TypeError/],
    ['to prepare a payout without an order', REWARD_KEY, intentOf([], { step: 'PREPARE' }), 'FAILED', /TypeError/],
    ['to send without a form', KEY, intentOf([]), 'FAILED', /no bytes/],
    ['to send behind a form that is none', KEY, intentOf(['0xzz', '0x12']), 'FAILED', /invalid BytesLike/],
    ['to send a nonce with a form that is none', nonceKey(signer.address, 7), intentOf(['x']), 'FAILED', /BytesLike/],
  ]
  it.each(cases)('error: %s is its answer, with its place', async (_what, key, intent, outcome, why) => {
    const { results, refused, failures, sent } = await carriedOut(key, intent, { offset: 41, heldBatch })
    expect(failures).toEqual([])
    expect(results).toMatchObject([{ outcome, error: expect.stringMatching(why) }])
    expect(refused).toEqual([[key, { offset: 41, step: intent.step, why: results[0]!.error }]])
    expect(sent).toEqual([])
  })

  it('behavior: what is kept of a batch that makes no call ends nothing', async () => {
    const lost = intentOf([], { step: 'KEEP', blockNumber: 5, blockHash: `0x${'ab'.repeat(32)}` })
    const { results, failures } = await carriedOut(KEY, lost, { heldBatch, showsHeads: true })
    expect(failures).toEqual([])
    expect(results).toMatchObject([{ outcome: 'REORGED', error: 'the log does not have the batch any more' }])
  })
})
