import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SlotTable } from '../../../../connectors/evm/clock/slot-table.ts'
import { ownerAsOf } from '../../../../topology/validate/ownership.ts'

const RULES = { slotHistoryBlocks: 1_000, slotChangesMax: 256 }
/** For a reader that has been told so many forks. */
const owner = (table: SlotTable, slotId: number, block: number, forks: number) =>
  ownerAsOf(table.get(slotId)?.history ?? [], block, forks)?.owner
const change = (slotId: number, owner: string, active = true) => ({ slotId, owner, active })

describe('SlotTable', () => {
  test('default: a change adds an entry and gives the row; the same again changes nothing', () => {
    const table = new SlotTable(RULES)
    expect(table.apply([change(1, '0xa')], 10)).toEqual([
      { slotId: 1, history: [{ sinceBlock: 10, owner: '0xa', active: true, sinceFork: 0, untilFork: 0 }] },
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

  test('behavior: what an orphaned block changed counts no more from that fork on, and is still there for the ones before', () => {
    const table = new SlotTable(RULES)
    table.apply([change(1, '0xa'), change(2, '0xb')], 10)
    table.apply([change(1, '0xc'), change(3, '0xd')], 20)
    expect(table.orphan(20).map(({ slotId }) => slotId)).toEqual([1, 3])
    expect(table.forks).toBe(1)
    expect([0, 1].map((forks) => [1, 2, 3].map((slotId) => owner(table, slotId, 20, forks)))).toEqual([
      ['0xc', '0xb', '0xd'],
      ['0xa', '0xb', undefined],
    ])
    expect(table.orphan(20)).toEqual([])
  })

  test('behavior: the same change in another block after it is an entry of its own', () => {
    const table = new SlotTable(RULES)
    table.apply([change(1, '0xa')], 10)
    table.apply([change(1, '0xb')], 20)
    table.orphan(19)
    table.apply([change(1, '0xb')], 19)
    expect([0, 1].map((forks) => [18, 19, 20].map((block) => owner(table, 1, block, forks)))).toEqual([
      ['0xa', '0xa', '0xb'],
      ['0xa', '0xb', '0xb'],
    ])
    expect(table.apply([change(1, '0xb')], 21)).toEqual([])
  })

  test('behavior: rows whose ticks never came are taken back, and an end of which no tick tells is none', () => {
    const table = new SlotTable(RULES)
    table.apply([change(1, '0xa')], 10)
    table.apply([change(1, '0xb')], 12)
    table.apply([change(1, '0xc')], 13)
    const again = new SlotTable(RULES)
    again.load(table.get(1)!)
    const [row] = again.goOnFrom(12, 0)
    expect(row!.history.map(({ owner: name }) => name)).toEqual(['0xa', '0xb'])
    again.orphan(11)
    const third = new SlotTable(RULES)
    third.load(again.get(1)!)
    expect(third.goOnFrom(12, 0)).toEqual([row])
    expect([third.forks, third.goOnFrom(12, 0)]).toEqual([0, []])
  })

  test('behavior: what left the chain goes when it is older than the blocks kept', () => {
    const table = new SlotTable({ slotHistoryBlocks: 30, slotChangesMax: 256 })
    table.apply([change(1, '0xa')], 10)
    table.apply([change(1, '0xb')], 20)
    table.orphan(20)
    table.apply([change(1, '0xc')], 49)
    expect(table.get(1)!.history.map(({ owner: name }) => name)).toEqual(['0xa', '0xb', '0xc'])
    table.apply([change(1, '0xd')], 50)
    expect(table.get(1)!.history.map(({ owner: name }) => name)).toEqual(['0xa', '0xc', '0xd'])
  })

  test('behavior: what is older than the blocks kept goes, but for what still holds at their beginning', () => {
    const table = new SlotTable({ slotHistoryBlocks: 30, slotChangesMax: 256 })
    for (let block = 0; block < 100; block++) table.apply([change(1, `0x${block}`)], block)
    const { history } = table.get(1)!
    expect([history.length, history[0]!.sinceBlock, history.at(-1)!.sinceBlock]).toEqual([31, 69, 99])
  })

  test('behavior: at every fork each block has the owner that it had then, whatever the chain does later', () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ slotId: fc.integer({ min: 1, max: 2 }), owner: fc.constantFrom('0xa', '0xb') }),
      },
      { weight: 1, arbitrary: fc.record({ back: fc.integer({ min: 1, max: 4 }) }) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const table = new SlotTable(RULES)
        let chain: Readonly<Record<number, string>>[] = [{}]
        const told: { forks: number; block: number; owners: Readonly<Record<number, string>> }[] = []
        for (const one of steps) {
          if ('back' in one) {
            if (chain.length <= one.back) continue
            chain = chain.slice(0, -one.back)
            table.orphan(chain.length)
          } else {
            table.apply([change(one.slotId, one.owner)], chain.length)
            chain.push({ ...chain.at(-1), [one.slotId]: one.owner })
          }
          chain.forEach((owners, block) => void told.push({ forks: table.forks, block, owners }))
        }
        for (const { forks, block, owners } of told)
          for (const slotId of [1, 2]) expect(owner(table, slotId, block, forks)).toBe(owners[slotId])
      }),
    )
  })
})

/** An attacker changes the owner in every block; blocks go by, and an honest buyer comes. */
describe('a slot whose owner changes too often', () => {
  const rules = { slotHistoryBlocks: 400, slotChangesMax: 20 }
  const BUYER = '0xbuyer'
  const ownerAt = (table: SlotTable, block: number) => ownerAsOf(table.get(1)?.history ?? [], block, table.forks)

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

  test('behavior: when the block that suspended it leaves the chain, it stays suspended, for as long as it would have been', () => {
    const { table } = play(20, 20)
    expect(ownerAt(table, 20)!.owner).toBe('')
    const due = dueAt(table)
    for (let fork = 1; fork < 100; fork++) expect(table.orphan(20)).toEqual([])
    expect(ownerAt(table, 20)!.owner).toBe('')
    expect(dueAt(table)).toBe(due)
  })

  test('behavior: a chain that takes the same sale back again and again suspends its slot for a while, and no row grows for ever', () => {
    const table = new SlotTable(rules)
    table.apply([change(1, '0xa')], 0)
    for (let fork = 1; fork < 200; fork++) {
      table.apply([change(1, BUYER)], 10)
      table.orphan(10)
    }
    expect(table.get(1)!.history.length).toBeLessThanOrEqual(rules.slotChangesMax + 2)
    expect(isNobodys(table, 10)).toBe(true)
    expect([0, 1].map((forks) => [9, 10].map((block) => owner(table, 1, block, forks)))).toEqual([
      ['0xa', BUYER],
      ['0xa', BUYER],
    ])
    const due = dueAt(table)!
    expect(due).toBeLessThanOrEqual(10 + rules.slotHistoryBlocks)
    table.resume([change(1, BUYER)], due)
    expect(owner(table, 1, due, table.forks)).toBe(BUYER)
    // the block in which it is free again may leave the chain as well
    table.orphan(due)
    expect(isNobodys(table, due)).toBe(true)
    expect(table.due(due)).toEqual([1])
    table.resume([change(1, BUYER)], due)
    expect(owner(table, 1, due, table.forks)).toBe(BUYER)
  })
})

const isNobodys = (table: SlotTable, block: number): boolean => owner(table, 1, block, table.forks) === ''
const dueAt = (table: SlotTable): number | undefined =>
  Array.from({ length: 1_000 }, (_, block) => block).find((block) => table.due(block).length > 0)
