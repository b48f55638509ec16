/** The slots by their share of the quota, as bars in a table. */
import type { DayDetail } from '../../../days-schema.ts'
import { count } from '../format.ts'
import { Bar, Empty } from './basics.tsx'

type Bucket = DayDetail['histogram'][number]

export function Histogram({ buckets, quota }: { buckets: readonly Bucket[]; quota: number }) {
  const most = buckets.reduce((max, { slots }) => Math.max(max, slots), 0)
  const last = buckets.findLastIndex(({ slots, from }) => slots > 0 || from === quota)
  if (most === 0) return <Empty title="No slot has an accepted submission yet" />
  return (
    <table class="histogram">
      <thead>
        <tr>
          <th scope="col">Counted</th>
          <th scope="col">Share</th>
          <th scope="col" class="num">
            Slots
          </th>
        </tr>
      </thead>
      <tbody>
        {buckets.slice(0, last + 1).map((bucket) => (
          <tr key={bucket.from} class={bucket.from === quota ? 'is-quota' : ''}>
            <th scope="row">
              {rangeOf(bucket)}
              {bucket.from === quota && <span class="note"> quota</span>}
            </th>
            <td>
              <Bar share={bucket.slots / most} tone={bucket.from >= quota ? 'good' : 'warn'} />
            </td>
            <td class="num">{count(bucket.slots)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function rangeOf({ from, below }: Bucket): string {
  if (below === null) return `${count(from)} and more`
  return below - from === 1 ? count(from) : `${count(from)} to ${count(below - 1)}`
}
