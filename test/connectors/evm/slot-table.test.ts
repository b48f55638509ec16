import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SLOT_HISTORY_MAX, SlotTable } from '../../../connectors/evm/slot-table.ts'

const change = (slotId: number, owner: string, active = true) => ({ slotId, owner, active })

describe('SlotTable', () => {
  test('default: a change adds an entry and gives the row; the same again changes nothing', () => {
    const table = new SlotTable()
    expect(table.apply([change(1, '0xa')], 10)).toEqual([
      { slotId: 1, history: [{ sinceBlock: 10, owner: '0xa', active: true }] },
    ])
    expect(table.apply([change(1, '0xa')], 11)).toEqual([])
    expect(table.apply([change(1, '0xa', false)], 12)[0]!.history.map(({ sinceBlock }) => sinceBlock)).toEqual([10, 12])
  })

  test('behavior: the last of several changes in one block counts', () => {
    const table = new SlotTable()
    table.apply([change(1, '0xa')], 10)
    expect(table.apply([change(1, '0xb'), change(1, '0xc')], 12)[0]!.history.map(({ owner }) => owner)).toEqual([
      '0xa',
      '0xc',
    ])
    expect(table.apply([change(1, '0xd'), change(1, '0xc')], 13)).toEqual([])
  })

  test('behavior: orphaned blocks take their changes with them, also the only one', () => {
    const table = new SlotTable()
    table.apply([change(1, '0xa'), change(2, '0xb')], 10)
    table.apply([change(1, '0xc'), change(3, '0xd')], 20)
    expect(table.orphan(20).map(({ slotId, history }) => [slotId, history.length])).toEqual([
      [1, 1],
      [3, 0],
    ])
    expect(table.orphan(20)).toEqual([])
  })

  test('behavior: at most 64 entries are kept, the oldest go', () => {
    const table = new SlotTable()
    for (let block = 0; block < 100; block++) table.apply([change(1, `0x${block}`)], block)
    const { history } = table.get(1)!
    expect([history.length, history[0]!.sinceBlock, history.at(-1)!.sinceBlock]).toEqual([SLOT_HISTORY_MAX, 36, 99])
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
        const table = new SlotTable()
        changes.forEach((one, block) => void table.apply([one], block))
        const before = [1, 2, 3].map((slotId) => table.get(slotId)?.history ?? [])
        table.orphan(from)
        changes.forEach((one, block) => void (block >= from && table.apply([one], block)))
        expect([1, 2, 3].map((slotId) => table.get(slotId)?.history ?? [])).toEqual(before)
      }),
    )
  })
})
