import { describe, expect, test } from 'vitest'
import { windowIsOver } from '../../../../connectors/evm/contract/window.ts'

const release = { contractBlock: 100, timestamp: 5_000 }

describe('windowIsOver', () => {
  test.each([
    ['blocks', 100, 9_999, false],
    ['blocks', 103, 9_999, false], // the contract accepts while block.number <= release + window
    ['blocks', 104, 5_001, true],
    ['seconds', 999, 5_000, false],
    ['seconds', 999, 5_003, false],
    ['seconds', 101, 5_004, true],
  ] as const)(
    'behavior: a window of 3 %s at block %i, second %i: over is %s',
    (unit, contractBlock, timestamp, over) => {
      expect(windowIsOver(unit, 3, release, { contractBlock, timestamp })).toBe(over)
    },
  )

  test('behavior: a window of zero ends with the release block', () => {
    expect(windowIsOver('blocks', 0, release, release)).toBe(false)
    expect(windowIsOver('blocks', 0, release, { contractBlock: 101, timestamp: 5_000 })).toBe(true)
  })
})
