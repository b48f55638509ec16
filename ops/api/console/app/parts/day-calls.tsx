/** The calls that tell the contract of a day. */
import { useState } from 'preact/hooks'
import type { PaymentItem } from '../../../days-schema.ts'
import type { Page } from '../../../schema.ts'
import { useAnswer } from '../answers.ts'
import { count } from '../format.ts'
import { ofMarket } from '../place.ts'
import { PAYMENT_STATES } from '../words.ts'
import { Card, Empty, Hash, Scrolling, Shown, Tag } from './basics.tsx'
import { Pager, usePages } from './pager.tsx'

const PAGE_ROWS = 25

const PURPOSES = [
  { purpose: 'CLOSING', name: 'Closing the day', empty: 'No call closes it yet.' },
  { purpose: 'COUNTS', name: 'In its course', empty: 'Nothing was told in its course.' },
] as const

export function DayCalls({ day }: { day: number }) {
  const [purpose, setPurpose] = useState<(typeof PURPOSES)[number]['purpose']>('CLOSING')
  return (
    <Card title="Transactions" note="Calls that tell the contract the counts of slots.">
      <fieldset class="choices">
        <legend class="visually-hidden">Which calls</legend>
        {PURPOSES.map((one) => (
          <label key={one.purpose} class={one.purpose === purpose ? 'is-chosen' : ''}>
            <input
              type="radio"
              name="purpose"
              checked={one.purpose === purpose}
              onChange={() => setPurpose(one.purpose)}
            />
            {one.name}
          </label>
        ))}
      </fieldset>
      <CallPages key={purpose} day={day} purpose={purpose} />
    </Card>
  )
}

function CallPages({ day, purpose }: { day: number; purpose: (typeof PURPOSES)[number]['purpose'] }) {
  const pages = usePages()
  const path = ofMarket(`/v1/days/${day}/payments`, { purpose, limit: PAGE_ROWS, cursor: pages.cursor })
  const answer = useAnswer<Page<PaymentItem>>(path, 'day')
  const { empty } = PURPOSES.find((one) => one.purpose === purpose)!
  return (
    <Shown answer={answer}>
      {({ items, next }) => (
        <>
          {items.length === 0 ? <Empty title={empty} /> : <CallTable calls={items} />}
          <Pager pages={pages} next={next} what="calls" />
        </>
      )}
    </Shown>
  )
}

const CallTable = ({ calls }: { calls: readonly PaymentItem[] }) => (
  <Scrolling label="Table: calls of the day">
    <table class="calls">
      <thead>
        <tr>
          <th scope="col">Epoch</th>
          <th scope="col">Part</th>
          <th scope="col">State</th>
          <th scope="col" class="num">
            Slots
          </th>
          <th scope="col" class="num wide">
            Left out
          </th>
          <th scope="col">Transaction</th>
        </tr>
      </thead>
      <tbody>
        {calls.map(({ epochId, number, part, parts, state, slots, sent, leftOut, transactionHash, error }) => (
          <tr key={`${epochId}/${number}`}>
            <th scope="row">{epochId}</th>
            <td>
              {part + 1} of {parts}
            </td>
            <td title={error}>
              <Tag tone={PAYMENT_STATES[state].tone}>{PAYMENT_STATES[state].name}</Tag>
            </td>
            <td class="num">
              {count(sent)} of {count(slots)}
            </td>
            <td class="num wide">{count(leftOut.length)}</td>
            <td>
              <Hash text={transactionHash} name="transaction" />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </Scrolling>
)
