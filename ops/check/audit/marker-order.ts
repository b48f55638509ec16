/** Markers over the partitions: every one has the same, in the same order. */
import type { EpochTick } from '../../../schemas/types.ts'
import { type PartitionCursor, type ReadMarker, tickId } from './cursor.ts'

const ORDER: readonly EpochTick['kind'][] = ['HEAD', 'OPEN', 'CLOSE', 'ORPHAN']

const isBefore = (a: EpochTick, b: EpochTick): boolean =>
  a.blockNumber !== b.blockNumber ? a.blockNumber < b.blockNumber : ORDER.indexOf(a.kind) < ORDER.indexOf(b.kind)

/** When records have expired, the partitions begin at different markers: goes on to the first one that all have. */
export async function align(cursors: readonly PartitionCursor[], passedOver: () => void): Promise<void> {
  for (;;) {
    const stops: (ReadMarker | undefined)[] = []
    for (const cursor of cursors) stops.push(await cursor.untilMarker(passedOver))
    const latest = stops.reduce((a, b) => (a && b && isBefore(a.marker.tick, b.marker.tick) ? b : a))
    if (stops.includes(undefined)) return
    const behind = stops.map((stop) => tickId(stop!.marker.tick) !== tickId(latest!.marker.tick))
    if (!behind.includes(true)) return
    for (const [partition, isBehind] of behind.entries()) if (isBehind) cursors[partition]!.takeMarker()
  }
}

/** The marker that most partitions have next, and of as many the earlier one. */
export function nextMarker(stops: readonly (ReadMarker | undefined)[]): EpochTick {
  const ticks = stops.flatMap((stop) => (stop ? [stop.marker.tick] : []))
  const times = new Map<string, number>()
  for (const tick of ticks) times.set(tickId(tick), (times.get(tickId(tick)) ?? 0) + 1)
  return ticks.sort((a, b) => times.get(tickId(b))! - times.get(tickId(a))! || (isBefore(a, b) ? -1 : 1))[0]!
}
