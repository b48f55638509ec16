/** The last days of a slot: the question a snapshotter comes with. */
import { useState } from 'preact/hooks'
import type { SlotDayItem } from '../../../days-schema.ts'
import type { Page } from '../../../schema.ts'
import { useAnswer } from '../answers.ts'
import { count } from '../format.ts'
import { go, ofMarket } from '../place.ts'
import type { Route } from '../routes.ts'
import { SLOT_STANDINGS } from '../words.ts'
import { Bar, Card, Empty, Hash, Link, Scrolling, Shown, Tag } from './basics.tsx'

const DAYS_SHOWN = 14
type DaysRoute = Extract<Route, { page: 'days' }>

export function SlotCard({ route }: { route: DaysRoute }) {
  const [slot, setSlot] = useState(route.slotId === undefined ? '' : `${route.slotId}`)
  const submit = (event: Event) => {
    event.preventDefault()
    if (/^\d+$/.test(slot.trim())) go({ ...route, slotId: Number(slot) })
  }
  return (
    <Card title="A slot’s last days">
      <form class="tools" onSubmit={submit}>
        <label>
          Slot{' '}
          <input
            inputMode="numeric"
            pattern="\s*\d+\s*"
            value={slot}
            onInput={(event) => setSlot(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="button">
          Show
        </button>
      </form>
      {route.slotId !== undefined && <SlotDays key={route.slotId} slotId={route.slotId} />}
    </Card>
  )
}

function SlotDays({ slotId }: { slotId: number }) {
  const answer = useAnswer<Page<SlotDayItem>>(ofMarket(`/v1/slots/${slotId}/days`, { limit: DAYS_SHOWN }), 'day')
  return (
    <Shown answer={answer}>
      {({ items }) =>
        items.length === 0 ? (
          <Empty title={`Slot ${slotId} has nothing in these days`} />
        ) : (
          <SlotDayTable slotId={slotId} items={items} />
        )
      }
    </Shown>
  )
}

const SlotDayTable = ({ slotId, items }: { slotId: number; items: readonly SlotDayItem[] }) => (
  <Scrolling label={`Table: days of slot ${slotId}`}>
    <table class="slot-days">
      <thead>
        <tr>
          <th scope="col">Day</th>
          <th scope="col">State</th>
          <th scope="col">Of the quota</th>
          <th scope="col" class="num wide">
            Accepted
          </th>
          <th scope="col" class="num wide">
            Told
          </th>
          <th scope="col">Transaction</th>
        </tr>
      </thead>
      <tbody>
        {items.map((item) => (
          <SlotDayRow key={item.day} item={item} />
        ))}
      </tbody>
    </table>
  </Scrolling>
)

function SlotDayRow({ item }: { item: SlotDayItem }) {
  const { day, standing, counted, quota, accepted, told, eligible, leftOut, transactionHash } = item
  const { name, tone, help } = SLOT_STANDINGS[standing]
  return (
    <tr>
      <th scope="row">
        <Link to={{ page: 'days', day, slotId: item.slotId }}>{day}</Link>
      </th>
      <td title={help}>
        <Tag tone={tone}>{name}</Tag> {leftOut && `${leftOut.reason}, the contract has ${count(leftOut.onChain)}`}
      </td>
      <td>
        <span class="support">
          <Bar share={quota === 0 ? 1 : counted / quota} tone={eligible ? 'good' : 'warn'} />
          {count(counted)} of {count(quota)}
        </span>
      </td>
      <td class="num wide">{count(accepted)}</td>
      <td class="num wide">{count(told)}</td>
      <td>
        <Hash text={transactionHash} name="transaction" />
      </td>
    </tr>
  )
}
