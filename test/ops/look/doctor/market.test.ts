/** What `doctor` says of a market's days. */
import { expect, test } from 'vitest'
import { nodesInterface, protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import { EvmError } from '../../../../connectors/evm/errors.ts'
import type { Ask } from '../../../../connectors/evm/nodes/ask.ts'
import { examineMarkets } from '../../../../ops/look/doctor/market.ts'
import { readSlotTable, type SlotTable, sampleOf } from '../../../../ops/reading/slot-table.ts'
import type { SlotOwnership } from '../../../../schemas/types.ts'
import { createFixture, MARKET, RULES } from '../fixture.ts'

const ANSWERS: Readonly<Record<string, unknown>> = {
  dataMarketEnabled: true,
  snapshotSubmissionWindow: 5,
  batchSubmissionWindow: 9,
  attestationSubmissionWindow: 9,
  dayCounter: 12,
  dailySnapshotQuota: 40,
  snapshotterState: MARKET,
  getTotalNodeCount: 3,
}

const OWNER = `0x${'7'.repeat(40)}`

/** Slots 1 to 3 are the owner's, the others nobody's. */
function nodeInfo(slotId: number): string {
  const fragment = nodesInterface.getFunction('nodeInfo')!
  const values = fragment.outputs.map(({ name, type }) => {
    if (name === 'snapshotterAddress') return slotId <= 3 ? OWNER : `0x${'0'.repeat(40)}`
    if (type === 'bool') return slotId <= 3
    if (type === 'address') return `0x${'0'.repeat(40)}`
    return type === 'string' ? '' : 0
  })
  return nodesInterface.encodeFunctionResult(fragment, values)
}

/** Slots from 1 on as of block 9. */
function tableOf(count: number, changed: Partial<SlotOwnership & { slotId: number }> = {}): SlotTable {
  const slots = Array.from({ length: count }, (_, at) => {
    const slotId = at + 1
    const entry = { sinceBlock: 1, owner: OWNER, active: true, sinceFork: 0, untilFork: 0 }
    const history = slotId === changed.slotId ? [entry, { ...entry, ...changed }] : [entry]
    return [slotId, { slotId, offset: at, row: { slotId, history } }] as const
  })
  return { head: { number: 9, hash: `0x${'99'.repeat(32)}` }, slots: new Map(slots) }
}

async function said(rewards: 'off' | 'counts' | 'on', answers = ANSWERS) {
  return (await findings(rewards, answers))[0]!
}

async function findings(rewards: 'off' | 'counts' | 'on', answers = ANSWERS, slotTable?: SlotTable) {
  const ask: Ask = async (_, [call]) => {
    const slot = nodesInterface.parseTransaction(call as { data: string })
    if (slot?.name === 'nodeInfo') return nodeInfo(Number(slot.args[0]))
    const { name } = protocolStateInterface.parseTransaction(call as { data: string })!
    if (!(name in answers)) throw new EvmError('RPC_ERROR', 'execution reverted', { retriable: false })
    return protocolStateInterface.encodeFunctionResult(name, [answers[name]])
  }
  const rules = { ...RULES, markets: RULES.markets.map((market) => ({ ...market, rewards })) }
  const rpc = { read: <T>(reading: (ask: Ask) => Promise<T>) => reading(ask) }
  const { protocolState } = RULES.markets[0]!
  return await examineMarkets(rpc, { protocolState, rules, served: [MARKET], slotTable })
}

test('default: its rule, the day of the contract, and the quota', async () => {
  expect(await said('on')).toEqual({
    check: 'market',
    ok: true,
    detail: `${MARKET} is on; windows 5, 9, 9; rewards on, day 12, quota 40`,
  })
  expect((await said('off')).detail).toMatch(/rewards off$/)
})
test('error: the contract counts no days', async () => {
  const { dayCounter: _, ...without } = ANSWERS
  expect(await said('counts', without)).toMatchObject({
    ok: true,
    detail: expect.stringContaining('rewards counts, and no days'),
  })
  expect(await said('on', without)).toMatchObject({ ok: false, advice: expect.stringContaining('`rewards`') })
})

test('behavior: a table of slots that lacks some of the registry is told, also an empty one', async () => {
  const registry = async (known?: number) =>
    (await findings('on', ANSWERS, known === undefined ? undefined : tableOf(known))).find(
      ({ check }) => check === 'registry',
    )
  expect(await registry(3)).toMatchObject({ ok: true, detail: `${MARKET} has 3 slots, and the topic slots 3` })
  for (const known of [0, 2])
    expect(await registry(known)).toMatchObject({ ok: false, advice: expect.stringContaining('UNKNOWN_SLOT') })
  expect(await registry()).toMatchObject({ ok: true, detail: `${MARKET} has 3 slots` })
})

test('default: the newest row of each slot counts once', async () => {
  const { log, topics, put } = await createFixture()
  for (const slotId of [1, 2, 1]) await put(topics.slots, { slotId }, { slotId, history: [] })
  const { slots, head } = await readSlotTable(log, topics)
  expect([...slots.values()].map(({ slotId, offset }) => [slotId, offset])).toEqual([
    [1, 2],
    [2, 1],
  ])
  expect(head).toBe(undefined)
})

test('error: a row of slots that says otherwise than the registry is named, with its offset', async () => {
  const slots = async (table: SlotTable) =>
    (await findings('on', ANSWERS, table)).find(({ check }) => check === 'slots')
  expect(await slots(tableOf(3))).toMatchObject({ ok: true, detail: expect.stringContaining('3 of 3 rows') })
  const other = `0x${'8'.repeat(40)}`
  const found = await slots(tableOf(3, { slotId: 2, sinceBlock: 9, owner: other }))
  expect(found).toMatchObject({ ok: false, advice: expect.stringContaining('runbook') })
  expect(found!.detail).toContain(
    `offset 1: slot 2 is ${other}’s, active, and the registry has it ${OWNER}’s, active as of block 9`,
  )
  const beyond = await slots(tableOf(4))
  expect(beyond!.detail, 'a slot that nobody has').toContain('offset 3: slot 4 is')
})

test('behavior: a change behind the newest tick, one that left the chain, and a suspended slot are no difference', async () => {
  const slots = async (changed: Partial<SlotOwnership>) =>
    (await findings('on', ANSWERS, tableOf(3, { slotId: 2, ...changed }))).find(({ check }) => check === 'slots')?.ok
  const owner = `0x${'8'.repeat(40)}`
  expect(await slots({ sinceBlock: 10, owner })).toBe(true)
  expect(await slots({ sinceBlock: 5, owner, untilFork: 1 })).toBe(true)
  expect(await slots({ sinceBlock: 5, owner: '', active: false })).toBe(true)
  expect(await slots({ sinceBlock: 5, owner })).toBe(false)
})

test('behavior: the quick look takes the newest rows, and others from all over the table', () => {
  const table = tableOf(1_000)
  const ids = sampleOf(table, 64).map(({ slotId }) => slotId)
  expect(new Set(ids).size).toBe(64)
  expect(ids.slice(0, 32)).toEqual(Array.from({ length: 32 }, (_, i) => 1_000 - i))
  expect(ids.at(-1)).toBeLessThan(50)
  expect(sampleOf(tableOf(5), 64)).toHaveLength(5)
  expect(sampleOf(tableOf(0), 64)).toEqual([])
})
