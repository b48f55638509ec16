/** What the intake knows of slots, epochs and lag, followed from a log. */
import { expect, test } from 'vitest'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { followTopic } from '../../../../ops/reading/follow-topic.ts'
import { openEpochs } from '../../../../ops/run/intake/epochs-open.ts'
import { createGuide } from '../../../../ops/run/intake/guide.ts'
import { validateLag } from '../../../../ops/run/intake/lag.ts'
import { notFollowing } from '../../../../ops/run/intake/start.ts'
import { createSignerPool } from '../../../../ops/run/signers.ts'
import { createCodec } from '../../../../schemas/codec.ts'
import { memoryRegistry } from '../../../../schemas/registry.ts'
import { configOf } from '../../../../streams/kafka-topic.ts'
import { type Log, PositionLostError } from '../../../../streams/ports.ts'
import { sequencerTopics } from '../../../../topology/topics.ts'
import { headTick, MARKET, OTHER_MARKET, openTick, rulesOf } from '../../../topology/world.ts'

const partitions = { submissions: 2, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
const topics = sequencerTopics(await createCodec(memoryRegistry()), { prefix: '', partitions })
const { slots, epochTicks, submissions } = topics
const rules = rulesOf()

async function logOf() {
  const log = createMemoryLog()
  await log.createTopics([configOf(slots), configOf(epochTicks), configOf(submissions)])
  const appender = await log.appender()
  const append = (topic: string, key: Uint8Array, value: Uint8Array | null, partition = 0) =>
    appender.append([{ topic, partition, timestamp: 1, key, value }])
  return { log, append }
}

const ON_CHAIN = { sinceFork: 0, untilFork: 0 }
const owned = (slotId: number, ...owners: string[]) => ({
  slotId,
  history: owners.map((owner, at) => ({ ...ON_CHAIN, sinceBlock: at, owner, active: true })),
})

test('default: a slot has the owner of now, none when it does not exist; before the table is read there is no word', async () => {
  const { log, append } = await logOf()
  const signers = createSignerPool(rules, 0)
  const guide = createGuide({ rules, topics, log, signers, quotaFactor: 4, tell: () => {} })
  expect(guide.ownersOf(5)).toBe('no-word')
  await append(slots.name, slots.key.encode({ slotId: 5 }), slots.value.encode(owned(5, '0xa', '0xb')))
  await expect.poll(() => guide.ownersOf(5)).toEqual(['0xb'])
  expect(guide.ownersOf(6)).toBeUndefined()
  await append(epochTicks.name, epochTicks.key.encode({ dataMarket: MARKET }), epochTicks.value.encode(openTick(9, 10)))
  await expect.poll(() => guide.stateOf(MARKET, 2)).toBe('over')
  expect(guide.votesMax(MARKET, '0xa')).toBe(4 * rules.markets[0]!.perSlotPerEpoch)
  await guide.close()
})

test('behavior: a former owner is one as long as an epoch is open that it saw; of an inactive slot nobody is', async () => {
  const { log, append } = await logOf()
  const guide = createGuide({ rules, topics, log, signers: createSignerPool(rules, 0), quotaFactor: 4, tell: () => {} })
  const tick = epochTicks.key.encode({ dataMarket: MARKET })
  const own = (slotId: number, ...history: [sinceBlock: number, owner: string, active?: boolean][]) =>
    append(
      slots.name,
      slots.key.encode({ slotId }),
      slots.value.encode({
        slotId,
        history: history.map(([sinceBlock, owner, active = true]) => ({ ...ON_CHAIN, sinceBlock, owner, active })),
      }),
    )
  await append(epochTicks.name, tick, epochTicks.value.encode(openTick(9, 100)))
  await append(epochTicks.name, tick, epochTicks.value.encode(openTick(10, 110)))
  await own(1, [0, '0xa'], [100, '0xb'])
  await own(2, [0, '0xa'], [50, '0xb'], [105, '0xc'], [108, '0xb'])
  await own(3, [0, '0xa'], [105, '0xb'], [106, '0xb', false])
  await own(4, [0, '0xa'], [105, ''])
  const owners = () => [1, 2, 3, 4].map((slotId) => guide.ownersOf(slotId))
  await expect.poll(owners).toEqual([['0xb'], ['0xc', '0xb'], ['0xa', '0xb', ''], ['0xa', '']])
  await append(epochTicks.name, tick, epochTicks.value.encode({ ...openTick(9, 111), kind: 'CLOSE' }))
  await expect.poll(owners).toEqual([['0xb'], ['0xb'], [''], ['']])
  await guide.close()
})

test('behavior: the owner of a slot at the oldest release still counts when a reorganisation takes that back', async () => {
  const { log, append } = await logOf()
  const guide = createGuide({ rules, topics, log, signers: createSignerPool(rules, 0), quotaFactor: 4, tell: () => {} })
  const tick = epochTicks.key.encode({ dataMarket: MARKET })
  const entry = (sinceBlock: number, owner: string) => ({ ...ON_CHAIN, sinceBlock, owner, active: true })
  const own = (slotId: number, ...history: ReturnType<typeof entry>[]) =>
    append(slots.name, slots.key.encode({ slotId }), slots.value.encode({ slotId, history }))
  await own(1, entry(0, '0xa'), { ...entry(99, '0xb'), untilFork: 1 })
  await own(2, entry(0, '0xa'), { ...entry(99, '0xb'), untilFork: 1 }, { ...entry(98, '0xc'), sinceFork: 1 })
  await append(epochTicks.name, tick, epochTicks.value.encode(openTick(9, 100)))
  const owners = () => [1, 2].map((slotId) => guide.ownersOf(slotId))
  await expect.poll(owners).toEqual([
    ['0xb', '0xa'],
    ['0xb', '0xc'],
  ])
  await append(epochTicks.name, tick, epochTicks.value.encode({ ...openTick(9, 100, 'b'), forks: 1 }))
  await expect.poll(owners).toEqual([['0xa'], ['0xc']])
  await guide.close()
})

test('behavior: until the ticks of before are read nothing is said of any epoch', async () => {
  const { log, append } = await logOf()
  await append(slots.name, slots.key.encode({ slotId: 5 }), slots.value.encode(owned(5, '0xa')))
  const tick = epochTicks.key.encode({ dataMarket: MARKET })
  for (const epoch of [9, 10]) await append(epochTicks.name, tick, epochTicks.value.encode(openTick(epoch, 10 * epoch)))
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const fetches: number[] = []
  const slow = Object.assign(Object.create(log), {
    // one record at a time, and the second of the ticks only when it is let go
    async fetch([at]: [{ topic: string; offset: number }], options: object) {
      if (at.topic !== epochTicks.name) return log.fetch([at as never], options as never)
      fetches.push(at.offset)
      if (at.offset === 1) await held
      const [answer] = await log.fetch([at as never], { ...options, maxBytesPerPartition: 1 } as never)
      const records = answer!.records.slice(0, 1)
      return [{ ...answer!, records, next: at.offset + records.length }]
    },
  })
  const guide = createGuide({
    rules,
    topics,
    log: slow,
    signers: createSignerPool(rules, 0),
    quotaFactor: 4,
    tell: () => {},
  })
  await expect.poll(() => fetches).toEqual([0, 1])
  expect(guide.ownersOf(5)).toBe('no-word')
  release()
  await expect.poll(() => guide.ownersOf(5)).toEqual(['0xa'])
  expect(guide.stateOf(MARKET, 10)).toBe('open')
  await guide.close()
})

test('default: an epoch is open from its release to its close, and awaited before', () => {
  const epochs = openEpochs(rules, () => 0)
  const statesOf = (...epochIds: number[]) => epochIds.map((epochId) => epochs.stateOf(MARKET, epochId))
  expect(statesOf(0, 77)).toEqual(['over', 'open'])
  epochs.apply(openTick(9, 10))
  epochs.apply(openTick(10, 12))
  expect(statesOf(8, 9, 10, 11, 1_000_000)).toEqual(['over', 'open', 'open', 'awaited', 'awaited'])
  epochs.apply({ ...openTick(9, 10), kind: 'CLOSE' })
  expect(statesOf(9, 10)).toEqual(['over', 'open'])
})

test('behavior: the longer the clock is behind, the more epochs may have been released', () => {
  let now = 24_000
  const epochs = openEpochs(rules, () => now)
  const { epochsAhead, clockSkewSeconds, epochSecondsMin } = rules.markets[0]!
  const ahead = epochsAhead + 1 + clockSkewSeconds / epochSecondsMin
  epochs.apply(headTick(12)) // made in second 24
  expect(epochs.awaitedMax(MARKET)).toBe(ahead)
  now += 600_000
  expect(epochs.awaitedMax(MARKET)).toBe(ahead + 600 / epochSecondsMin)
  epochs.apply(headTick(312))
  expect(epochs.awaitedMax(MARKET)).toBe(ahead)
})

test('behavior: a market that is not served takes none, one that is added does', () => {
  const epochs = openEpochs(rules, () => 0)
  const stranger = `0x${'77'.repeat(20)}`
  expect(epochs.stateOf(stranger, 5)).toBe('over')
  epochs.apply({ ...headTick(1), markets: [{ dataMarket: stranger, served: true, lastEpoch: 0 }] } as never)
  expect(epochs.stateOf(stranger, 5)).toBe('open')
  const isServed = rules.markets.some(({ dataMarket }) => dataMarket === OTHER_MARKET)
  expect(epochs.stateOf(OTHER_MARKET, 5)).toBe(isServed ? 'open' : 'over')
})

test('default: the lag is what lies behind the committed offsets; without any, or without an answer, nobody knows', async () => {
  const { log, append } = await logOf()
  const lag = validateLag(log, topics, 'app')
  for (let n = 0; n < 5; n++) await append(submissions.name, Buffer.from('k'), Buffer.from('v'), n % 2)
  expect(await lag()).toBeUndefined()
  const writer = await log.transactionalWriter('w')
  const commits = [{ topic: submissions.name, partition: 0, next: 2, metadata: '' }]
  await writer.commit({ records: [], offsets: { group: 'app-validate', commits } })
  expect(await lag()).toBe(3)
  const silent = Object.assign(Object.create(log), { bounds: () => Promise.reject(new Error('away')) })
  expect(await validateLag(silent, topics, 'app')()).toBeUndefined()
})

test('behavior: why a topic is not followed is told when that lasts, and that it is again', async () => {
  const { log } = await logOf()
  let isLost = true
  const fetch: Log['fetch'] = (positions, options) =>
    isLost
      ? Promise.reject(new PositionLostError('TOPIC_RECREATED', { topic: slots.name }, 'it was made anew'))
      : log.fetch(positions, options)
  let now = 0
  const sleep = async () => {
    now += 1_000
    await new Promise((resolve) => setImmediate(resolve))
  }
  const told: (string | undefined)[] = []
  const warned: string[] = []
  const warn = notFollowing((text) => void warned.push(text))
  const waiting = (topic: string, reason: string | undefined) => {
    told.push(reason)
    for (const _again of [1, 2]) warn(topic, reason)
    warn('peer-bans', reason && 'it is away')
    isLost = false
  }
  const failing = Object.assign(Object.create(log) as Log, { fetch })
  const ports = { log: failing, clock: { now: () => now, sleep }, tell: () => {}, waiting }
  const following = followTopic(ports, slots, { apply: () => {}, clear: () => {} })
  await expect.poll(() => told).toEqual(['it was made anew', undefined])
  expect(warned).toEqual([
    'intake: it goes by slots as it was: it was made anew',
    'intake: it goes by peer-bans as it was: it is away',
  ])
  await following.close()
})

test('behavior: what cannot be read is passed over, and what fails is tried again', async () => {
  const { log, append } = await logOf()
  await append(slots.name, Buffer.from('?'), Buffer.from('?'))
  await append(slots.name, slots.key.encode({ slotId: 7 }), slots.value.encode(owned(7, '0xa')))
  await append(slots.name, slots.key.encode({ slotId: 7 }), null)
  const seen: unknown[] = []
  let failures = 1
  const failing = Object.assign(Object.create(log), {
    bounds: (at: never) => (failures-- > 0 ? Promise.reject(new Error('away')) : log.bounds(at)),
  })
  const following = followTopic({ log: failing, clock: systemClock, tell: () => {} }, slots, {
    apply: ({ slotId }, row) => seen.push([slotId, row?.history.length ?? null]),
    clear: () => {},
  })
  await expect
    .poll(() => seen, { timeout: 5_000 })
    .toEqual([
      [7, 1],
      [7, null],
    ])
  await following.close()
})
