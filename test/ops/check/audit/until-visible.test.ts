import { expect, test, vi } from 'vitest'
import { EXIT } from '../../../../ops/base/cli-error.ts'
import { untilVisible } from '../../../../ops/check/audit/until-visible.ts'
import type { Log, PartitionBounds } from '../../../../streams/ports.ts'

const partitions = Array.from({ length: 7 }, (_, partition) => ({ topic: 'verdicts', partition }))

/** A log whose stable offset is behind its end, 10, until it was asked for so often. */
const logOf = (asksUntilStable: number): Log => {
  let asks = 0
  const bounds = (stable: number): PartitionBounds => ({ start: 0, end: 10, stable }) as unknown as PartitionBounds
  return {
    ends: async () => partitions.map(() => 10),
    bounds: async () => {
      asks++
      return partitions.map(() => bounds(asks > asksUntilStable ? 10 : 4))
    },
  } as unknown as Log
}

test('behavior: a transaction that ends is waited for', async () => {
  const log = logOf(20)
  const bounds = vi.spyOn(log, 'bounds')
  await untilVisible(log, partitions, 0)
  expect(bounds).toHaveBeenCalledTimes(21)
})

test('error: one that stays open is nobody’s fault here: it is named, with what to do', async () => {
  await expect(untilVisible(logOf(Number.MAX_SAFE_INTEGER), partitions, 0)).rejects.toMatchObject({
    exitCode: EXIT.unavailable,
    lines: [
      expect.stringContaining('a transaction stays open'),
      ...[0, 1, 2, 3, 4].map((at) => `       verdicts[${at}], readable to 4 of 10`),
      '       and 2 more partitions',
    ],
    hint: expect.stringContaining('sequencer doctor'),
  })
})
