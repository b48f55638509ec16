/** The calls that tell the contract of a day. */
import { useState } from 'preact/hooks'
import type { PaymentItem } from '../../../days-schema.ts'
import type { Page } from '../../../schema.ts'
import { useAnswer } from '../answers.ts'
import { count } from '../format.ts'
import { ofMarket } from '../place.ts'
import { PAYMENT_STATES } from '../words.ts'
import { Card, Empty, Hash, Scrolling, Tag } from './basics.tsx'
import { Choices } from './choices.tsx'
import { Paged, usePages } from './pager.tsx'

const PAGE_ROWS = 25

const PURPOSES = [
  { value: 'CLOSING', name: 'Closing the day', empty: 'No call closes it yet.' },
  { value: 'COUNTS', name: 'In its course', empty: 'Nothing was told in its course.' },
] as const

type Purpose = (typeof PURPOSES)[number]['value']

export function DayCalls({ day }: { day: number }) {
  const [purpose, setPurpose] = useState<Purpose>('CLOSING')
  return (
    <Card title="Transactions" note="Calls that tell the contract the counts of slots.">
      <Choices legend="Which calls" group="purpose" choices={PURPOSES} chosen={purpose} choose={setPurpose} />
      <CallPages key={purpose} day={day} purpose={purpose} />
    </Card>
  )
}

function CallPages({ day, purpose }: { day: number; purpose: Purpose }) {
  const pages = usePages()
  const path = ofMarket(`/v1/days/${day}/payments`, { purpose, limit: PAGE_ROWS, cursor: pages.cursor })
  const answer = useAnswer<Page<PaymentItem>>(path, 'day')
  const { empty } = PURPOSES.find(({ value }) => value === purpose)!
  return (
    <Paged answer={answer} pages={pages} what="calls">
      {(calls) => (calls.length === 0 ? <Empty title={empty} /> : <CallTable calls={calls} />)}
    </Paged>
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
