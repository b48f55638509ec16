/** Reports a step that is in the log. */
import type { EpochTick } from '../../../schemas/types.ts'
import type { BlocksStep } from './chain-steps.ts'
import type { ClockObserver } from './clock-options.ts'

/** @param rows number of slots that were written */
export function tellOfStep(
  step: BlocksStep,
  rows: number,
  ticks: readonly EpochTick[],
  observer: ClockObserver | undefined,
): void {
  if (rows > 0) observer?.slotsChanged?.(rows)
  for (const kind of ['HEAD', 'OPEN', 'CLOSE'] as const) {
    const count = ticks.filter((tick) => tick.kind === kind).length
    if (count > 0) observer?.wrote?.(kind, count)
  }
  for (const { kind, dataMarket, epochId, skippedFrom } of ticks)
    if (kind === 'OPEN' && skippedFrom > 0) observer?.epochsSkipped?.(dataMarket, skippedFrom, epochId - 1)
  for (const one of step.refused) observer?.epochRefused?.(one)
  for (const { block, releases, slotIds, isKnown } of step.late)
    if (isKnown) observer?.foundLate?.(block.number, releases.length, slotIds.length)
  if (step.registryChanged) observer?.registryChanged?.(step.facts.nodes, step.blocks.at(-1)!.header.number)
}
