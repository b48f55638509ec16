import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SlotTable } from '../../../connectors/evm/slot-table.ts'

const RULES = { slotHistoryBlocks: 1_000, slotChangesMax: 256 }
const change = (slotId: number, owner: string, active = true) => ({ slotId, owner, active })

describe('SlotTable', () => {
  test('default: a change adds an entry and gives the row; the same again changes nothing', () => {
    const table = new SlotTable(RULES)
    expect(table.apply([change(1, '0xa')], 10)).toEqual([
      { slotId: 1, history: [{ sinceBlock: 10, owner: '0xa', active: true }] },
    ])
    expect(table.apply([change(1, '0xa')], 11)).toEqual([])
    expect(table.apply([change(1, '0xa', false)], 12)[0]!.history.map(({ sinceBlock }) => sinceBlock)).toEqual([10, 12])
  })

  test('behavior: the last of several changes in one block counts', () => {
    const table = new SlotTable(RULES)
    table.apply([change(1, '0xa')], 10)
    expect(table.apply([change(1, '0xb'), change(1, '0xc')], 12)[0]!.history.map(({ owner }) => owner)).toEqual([
      '0xa',
      '0xc',
    ])
    expect(table.apply([change(1, '0xd'), change(1, '0xc')], 13)).toEqual([])
  })

  test('behavior: orphaned blocks take their changes with them, also the only one', () => {
    const table = new SlotTable(RULES)
    table.apply([change(1, '0xa'), change(2, '0xb')], 10)
    table.apply([change(1, '0xc'), change(3, '0xd')], 20)
    expect(table.orphan(20).map(({ slotId, history }) => [slotId, history.length])).toEqual([
      [1, 1],
      [3, 0],
    ])
    expect(table.orphan(20)).toEqual([])
  })

  test('behavior: what is older than the blocks kept goes, but for what still holds at their beginning', () => {
    const table = new SlotTable({ slotHistoryBlocks: 30, slotChangesMax: 256 })
    for (let block = 0; block < 100; block++) table.apply([change(1, `0x${block}`)], block)
    const { history } = table.get(1)!
    expect([history.length, history[0]!.sinceBlock, history.at(-1)!.sinceBlock]).toEqual([31, 69, 99])
  })

  test('behavior: applying, orphaning and applying the blocks again gives the same rows', () => {
    const blocks = fc.array(
      fc.record({
        slotId: fc.integer({ min: 1, max: 3 }),
        owner: fc.constantFrom('0xa', '0xb', '0xc'),
        active: fc.boolean(),
      }),
      { maxLength: 30 },
    )
    fc.assert(
      fc.property(blocks, fc.nat(30), (changes, from) => {
        const table = new SlotTable(RULES)
        changes.forEach((one, block) => void table.apply([one], block))
        const before = [1, 2, 3].map((slotId) => table.get(slotId)?.history ?? [])
        table.orphan(from)
        changes.forEach((one, block) => void (block >= from && table.apply([one], block)))
        expect([1, 2, 3].map((slotId) => table.get(slotId)?.history ?? [])).toEqual(before)
      }),
    )
  })
})

/** An attacker changes the owner in every block; blocks go by, and an honest buyer comes. */
describe('a slot whose owner changes too often', () => {
  const rules = { slotHistoryBlocks: 400, slotChangesMax: 20 }
  const BUYER = '0xbuyer'
  const ownerAt = (table: SlotTable, block: number) =>
    table.get(1)?.history.findLast(({ sinceBlock }) => sinceBlock <= block)

  /** The chain's owner by block: changed in each until `until`, then the buyer's. */
  function play(until: number, blocks: number): { table: SlotTable; answers: Map<number, string | undefined> } {
    const table = new SlotTable(rules)
    const answers = new Map<number, string | undefined>()
    const wrong: [back: number, asOf: number][] = []
    for (let block = 0; block <= blocks; block++) {
      const owner = block < until ? `0x${block}` : BUYER
      if (block <= until) table.apply([change(1, owner)], block)
      table.resume(
        table.due(block).map((slotId) => change(slotId, owner)),
        block,
      )
      answers.set(block, ownerAt(table, block)?.owner)
      const oldest = Math.max(0, block - rules.slotHistoryBlocks)
      for (let back = oldest; back < block; back++)
        if (ownerAt(table, back)?.owner !== answers.get(back)) wrong.push([back, block])
    }
    expect(wrong).toEqual([])
    return { table, answers }
  }

  test('behavior: every answer that was given stays, and no row is longer than its bound', () => {
    const { table, answers } = play(900, 1_500)
    expect(new Set([...answers.values()]).has('')).toBe(true)
    expect(table.get(1)!.history.length).toBeLessThanOrEqual(rules.slotChangesMax + 2)
  })

  test('behavior: who buys it waits for the blocks kept at most, and then has it like any other', () => {
    const { table, answers } = play(30, 600)
    expect(answers.get(31)).toBe('')
    const from = [...answers].find(([block, owner]) => block > 30 && owner === BUYER)![0]
    expect(from).toBeLessThanOrEqual(30 + rules.slotHistoryBlocks)
    table.apply([change(1, '0xnext')], 601)
    expect(ownerAt(table, 601)!.owner).toBe('0xnext')
  })

  test('behavior: of a suspended slot changes are not taken; it is due again after a restart', () => {
    const { table } = play(30, 40)
    expect(table.apply([change(1, '0xother')], 41)).toEqual([])
    const again = new SlotTable(rules)
    again.load(table.get(1)!)
    expect(again.apply([change(1, '0xother')], 41)).toEqual([])
    const due = Array.from({ length: 500 }, (_, block) => block).find((block) => again.due(block).length > 0)
    expect(due).toBe(10 + rules.slotHistoryBlocks)
  })

  test('behavior: when the block that suspended it leaves the chain, it is free again', () => {
    const { table } = play(20, 20)
    expect(ownerAt(table, 20)!.owner).toBe('')
    table.orphan(20)
    expect(table.due(10_000)).toEqual([])
    expect(ownerAt(table, 20)!.owner).toBe('0x19')
  })
})
