/** The tables that votes are judged by: the audit holds them against the registry on the chain, and against what was asked for. */
import { beforeAll, expect, test } from 'vitest'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import type { ChainReader } from '../../../../ops/check/audit/chain.ts'
import { compareTables } from '../../../../ops/check/audit/compare-tables.ts'
import { Findings } from '../../../../ops/check/audit/report.ts'
import type { ServedMarket } from '../../../../schemas/types.ts'
import type { Log } from '../../../../streams/ports.ts'
import type { Topics } from '../../../../topology/topics.ts'
import { createFixture } from '../../look/fixture.ts'
import { runScenario, type Scenario } from './scenario.ts'

let scenario: Scenario
beforeAll(async () => {
  scenario = await runScenario({ seed: 41 })
})

/** A registry that has what the table has. */
const registryOf =
  ({ log, topics: { slots } }: Scenario): ChainReader['slotsAt'] =>
  async (slotIds) => {
    const rows = log.records(slots, 0).map(({ value }) => slots.value.decode(value!))
    return slotIds.map((slotId) => {
      const { history } = rows.find((row) => row.slotId === slotId)!
      const { owner, active } = history.findLast(({ untilFork }) => untilFork === 0)!
      return { slotId, owner, active }
    })
  }

async function findings(log: Log, topics: Topics, by: { appId?: string; slotsAt?: ChainReader['slotsAt'] }) {
  const found = new Findings()
  const { appId, slotsAt } = by
  await compareTables(log, topics, { appId, chain: slotsAt && { slotsAt } }, found)
  return { differences: found.differences(), notes: found.notes() }
}

test('default: rows that say what the registry does are no difference', async () => {
  const { log, topics } = scenario
  expect(await findings(log, topics, { slotsAt: registryOf(scenario) })).toEqual({ differences: [], notes: [] })
})

test('error: a row of slots that says otherwise than the registry is named', async () => {
  const { topics } = scenario
  const forged = scenario.log.copy()
  forged.repeat(topics.slots, ({ slotId }) => slotId === 4)
  const { offset } = forged.records(topics.slots, 0).at(-1)!
  const other = `0x${'9'.repeat(40)}`
  const slotsAt: ChainReader['slotsAt'] = async (...asked) =>
    (await registryOf(scenario)(...asked))!.map((one) => (one.slotId === 4 ? { ...one, owner: other } : one))
  expect((await findings(forged, topics, { slotsAt })).differences).toEqual([
    {
      kind: 'mismatches',
      where: `t-slots[0] offset ${offset}`,
      message: expect.stringMatching(
        /^slot 4 is 0x.{40}’s, active, and the registry has it 0x9{40}’s, active as of block \d+$/,
      ),
    },
  ])
})

test.each([
  ['without an owner', []],
  ['of blocks to come', [{ sinceBlock: 1e9, owner: `0x${'9'.repeat(40)}`, active: true, sinceFork: 0, untilFork: 0 }]],
])('error: a row %s that hides the right one is named; of a slot that is nobody’s it is right', async (_, history) => {
  const { topics } = scenario
  const forged = scenario.log.copy()
  forged.edit(topics.slots, (row) => (row.slotId === 4 ? { slotId: 4, history } : undefined))
  const slotsAt = registryOf(scenario)
  const { differences } = await findings(forged, topics, { slotsAt })
  expect(differences.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^slot 4 is 0x0{40}’s, not active, and/),
  ])
  const nobodys: ChainReader['slotsAt'] = async (...asked) =>
    (await slotsAt(...asked))!.map((one) =>
      one.slotId === 4 ? { slotId: 4, owner: `0x${'0'.repeat(40)}`, active: false } : one,
    )
  expect((await findings(forged, topics, { slotsAt: nobodys })).differences).toEqual([])
})

test('error: a slot that cannot be is named, and no node is asked about it', async () => {
  const { log, topics, put } = await createFixture()
  const history = [{ sinceBlock: 0, owner: `0x${'7'.repeat(40)}`, active: true, sinceFork: 0, untilFork: 0 }]
  await put(topics.slots, { slotId: -3 }, { slotId: -3, history })
  const [head] = scenario.log.records(scenario.topics.epochTicks, 0)
  await put(topics.epochTicks, { dataMarket: '' }, scenario.topics.epochTicks.value.decode(head!.value!))
  const asked: number[] = []
  const slotsAt: ChainReader['slotsAt'] = async (slotIds) => {
    asked.push(...slotIds)
    return []
  }
  const { differences } = await findings(log, topics, { slotsAt })
  expect(differences.map(({ message }) => message)).toEqual(['there is no slot -3'])
  expect(asked).toEqual([])
})

test('behavior: a node without the state of the newest block compares no owners, and that is noted', async () => {
  const { log, topics } = scenario
  expect(await findings(log, topics, { slotsAt: async () => undefined })).toEqual({
    differences: [],
    notes: [{ where: 't-slots', message: expect.stringContaining('not compared') }],
  })
})

test('error: a row of markets that rests on no request is named, with its offset', async () => {
  const { log, topics, put } = await createFixture()
  const row: ServedMarket = { serving: 'REMOVED', sinceBlock: 1, lastEpoch: 0, requestId: 'one', refused: '' }
  const [asked, forged] = [`0x${'1'.repeat(40)}`, `0x${'2'.repeat(40)}`]
  await put(topics.marketRequests, { dataMarket: asked }, { requestId: 'one', served: false })
  await put(topics.markets, { dataMarket: asked }, row)
  await put(topics.markets, { dataMarket: forged }, row)
  expect((await findings(log, topics, { appId: 'a' })).differences).toEqual([
    {
      kind: 'mismatches',
      where: `${topics.markets.name}[0] offset 1`,
      message: `it says that ${forged} is REMOVED, and nobody asked for that`,
    },
  ])
  await log.deleteRecords([{ topic: topics.marketRequests.name, partition: 0, offset: 1 }])
  expect((await findings(log, topics, { appId: 'a' })).differences, 'what was asked for is gone').toEqual([])
})

test('behavior: without an app id and without a node nothing of them is known', async () => {
  expect(await findings(createMemoryLog(), scenario.topics, {})).toEqual({ differences: [], notes: [] })
})
