/** Days of the contract: how far today is, slots with the quota, reported counts, paid slots. */
import type { DayDetail, DaySummary } from '../../../days-schema.ts'
import type { Page } from '../../../schema.ts'
import { useAnswer } from '../answers.ts'
import { now } from '../connection.ts'
import { count, duration } from '../format.ts'
import { Bar, Card, Empty, Facts, Link, Scrolling, Shown, Tag } from '../parts/basics.tsx'
import { DayCalls } from '../parts/day-calls.tsx'
import { Histogram } from '../parts/histogram.tsx'
import { SlotCard } from '../parts/slot-days.tsx'
import { marketShown, ofMarket } from '../place.ts'
import type { Route } from '../routes.ts'
import { DAY_STANDINGS, REWARDS_HELP } from '../words.ts'

type DaysRoute = Extract<Route, { page: 'days' }>
const DAYS_SHOWN = 14

export function Days({ route }: { route: DaysRoute }) {
  const list = useAnswer<Page<DaySummary>>(ofMarket('/v1/days', { limit: DAYS_SHOWN }), 'day')
  const day = route.day ?? list.data?.items[0]?.day
  const rewards = marketShown.value?.rewards
  return (
    <>
      <h1 tabIndex={-1}>Days</h1>
      {rewards && <p class="lead">{REWARDS_HELP[rewards]}</p>}
      {day !== undefined && <DayCard key={`day ${day}`} day={day} />}
      <Card title="Newest days" note="A day of the contract, over the epochs that have closed.">
        <Shown answer={list}>{({ items }) => <DayTable days={items} slotId={route.slotId} />}</Shown>
      </Card>
      <SlotCard route={route} />
      {day !== undefined && <DayCalls key={`calls ${day}`} day={day} />}
    </>
  )
}

function DayTable({ days, slotId }: { days: readonly DaySummary[]; slotId: number | undefined }) {
  if (days.length === 0)
    return <Empty title="No day yet">The contract counts none, the rule is off, or no epoch was released yet.</Empty>
  return (
    <Scrolling label="Table: newest days">
      <table class="days">
        <thead>
          <tr>
            <th scope="col">Day</th>
            <th scope="col">State</th>
            <th scope="col" class="num">
              Epochs
            </th>
            <th scope="col" class="num">
              With the quota
            </th>
            <th scope="col" class="num wide">
              Counted
            </th>
            <th scope="col" class="num">
              Paid
            </th>
            <th scope="col" class="num">
              Drift
            </th>
          </tr>
        </thead>
        <tbody>
          {days.map((day) => (
            <tr key={day.day}>
              <th scope="row">
                <Link to={{ page: 'days', day: day.day, slotId }}>{day.day}</Link>
              </th>
              <td>
                <Standing day={day} />
              </td>
              <td class="num">{count(day.epochs)}</td>
              <td class="num">
                {count(day.eligibleSlots)} of {count(day.slots)}
              </td>
              <td class="num wide">{count(day.counted)}</td>
              <td class="num">{day.closing ? count(day.paid ?? 0) : '–'}</td>
              <td class="num">{count(day.drift)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolling>
  )
}

function Standing({ day: { standing } }: { day: Pick<DaySummary, 'standing'> }) {
  const { name, tone, help } = DAY_STANDINGS[standing]
  return (
    <span title={help}>
      <Tag tone={tone}>{name}</Tag>
    </span>
  )
}

function DayCard({ day }: { day: number }) {
  const answer = useAnswer<DayDetail>(ofMarket(`/v1/days/${day}`), 'day')
  return (
    <Card title={`Day ${day}`} aside={answer.data && <Standing day={answer.data} />}>
      <Shown answer={answer}>
        {(detail) => (
          <>
            <p>{DAY_STANDINGS[detail.standing].help}</p>
            <Progress day={detail} />
            <Facts rows={factsOf(detail)} />
            <h3>Slots by what they have counted</h3>
            <Histogram buckets={detail.histogram} quota={detail.quota} />
          </>
        )}
      </Shown>
    </Card>
  )
}

/** The share of the day that is over, by its epochs, if it is as long as the day before; and the time that it takes. */
function Progress({ day: { epochs, epochsOfDayBefore: expected, beganAt, ended } }: { day: DayDetail }) {
  if (ended) return null
  const elapsed = beganAt === null ? null : Math.max(0, now.value - beganAt)
  const share = expected === null ? null : Math.min(1, epochs / expected)
  const left = elapsed === null || !share ? null : Math.max(0, elapsed / share - elapsed)
  return (
    <p class="day-progress">
      {share !== null && <Bar share={share} tone="busy" />}
      <span>
        {count(epochs)} {expected === null ? 'epochs' : `of about ${count(expected)} epochs`} have closed
        {elapsed !== null && `, in ${duration(elapsed)}`}
        {left !== null && left > 0 && `; at this pace the day ends in ${duration(left)}`}
      </span>
    </p>
  )
}

const paidWords = (paid: number, { eligibleNodes, paidBefore }: NonNullable<DayDetail['closing']>): string =>
  paidBefore === 0
    ? `${count(paid)} of ${count(eligibleNodes)}`
    : `${count(paid)}, of them ${count(paidBefore)} before our call, mostly by another sequencer`

function factsOf(day: DayDetail): readonly (readonly [string, string])[] {
  const { quota, slots, eligibleSlots, accepted, counted, late, closing, paid, drift, told } = day
  const range = day.firstEpoch === null ? 'none yet' : `${day.firstEpoch} to ${day.lastEpoch}`
  const run = closing ?? told
  return [
    ['Quota', count(quota)],
    ['Slots with the quota', `${count(eligibleSlots)} of ${count(slots)}`],
    ['Submissions counted', `${count(counted)} of ${count(accepted)} accepted`],
    ['Epochs', `${range}${late > 0 ? `, ${count(late)} closed after the day` : ''}`],
    ['Slots sent', run ? `${count(run.sent)} of ${count(run.slots)}` : 'none yet'],
    ['Paid', closing ? paidWords(paid ?? 0, closing) : 'not yet'],
    ['Drift', count(drift)],
    ...(run?.error ? [['Last failure', run.error] as const] : []),
  ]
}
