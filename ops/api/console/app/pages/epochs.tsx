/** All epochs the API still knows, newest first, and the gaps between them. */
import type { EpochSummary, Gap, Page } from '../../../schema.ts'
import { useAnswer } from '../answers.ts'
import { now } from '../connection.ts'
import { count, duration } from '../format.ts'
import { Ago, Card, Empty, Link, Scrolling, Shown, Support, Tag } from '../parts/basics.tsx'
import { GapList } from '../parts/gaps.tsx'
import { Paged, usePages } from '../parts/pager.tsx'
import { NoEpoch } from '../parts/timeline.tsx'
import { currentPhase, phasesOf, usualPhases } from '../phases.ts'
import { ofMarket } from '../place.ts'
import { epochRoute } from '../routes.ts'
import { standingOf } from '../words.ts'

const PAGE_ROWS = 25

export function Epochs() {
  const gaps = useAnswer<Page<Gap>>(ofMarket('/v1/epochs/gaps', { limit: 100 }), 'epoch')
  return (
    <>
      <h1 tabIndex={-1}>Epochs</h1>
      <Card title="Gaps" note="Epochs that were never released, closed or anchored, and why.">
        <Shown answer={gaps}>
          {({ items }) =>
            items.length === 0 ? <Empty title="No gap: no epoch is missing or stuck." /> : <GapList gaps={items} />
          }
        </Shown>
      </Card>
      <EpochTable />
    </>
  )
}

function EpochTable() {
  const pages = usePages()
  const answer = useAnswer<Page<EpochSummary>>(
    ofMarket('/v1/epochs', { limit: PAGE_ROWS, cursor: pages.cursor }),
    'epoch',
    'verdicts',
  )
  return (
    <Card title="All epochs" note="Newest first.">
      <Paged answer={answer} pages={pages} what="epochs" none={<NoEpoch />}>
        {(epochs) => <Rows epochs={epochs} />}
      </Paged>
    </Card>
  )
}

const Rows = ({ epochs }: { epochs: readonly EpochSummary[] }) => {
  const usual = usualPhases(epochs)
  return (
    <Scrolling label="Epochs">
      <table>
        <thead>
          <tr>
            <th scope="col">Epoch</th>
            <th scope="col">State</th>
            <th scope="col">Released</th>
            <th scope="col" class="num">
              Took
            </th>
            <th scope="col">Support</th>
            <th scope="col" class="num">
              Submissions
            </th>
            <th scope="col" class="num">
              Projects
            </th>
            <th scope="col" class="num">
              Batches
            </th>
          </tr>
        </thead>
        <tbody>
          {epochs.map((epoch) => (
            <Row
              key={epoch.epochId}
              epoch={epoch}
              slow={currentPhase(phasesOf(epoch, now.value, usual))?.state === 'slow'}
            />
          ))}
        </tbody>
      </table>
    </Scrolling>
  )
}

const Row = ({ epoch, slow }: { epoch: EpochSummary; slow: boolean }) => (
  <tr>
    <th scope="row">
      <Link to={epochRoute(epoch.epochId)}>{epoch.epochId}</Link>
    </th>
    <td>
      <Standing epoch={epoch} slow={slow} />
    </td>
    <td class="nowrap">
      <Ago at={epoch.releasedAt} />
    </td>
    <td class="num nowrap">
      {epoch.releasedAt !== null && epoch.finalAt !== null ? duration(epoch.finalAt - epoch.releasedAt) : '–'}
    </td>
    <td>
      <Support share={epoch.agreement} />
    </td>
    <td class="num">{count(epoch.submissions)}</td>
    <td class="num">{count(epoch.projects)}</td>
    <td class="num">{epoch.batches === null ? '–' : `${epoch.batchesFinal} of ${epoch.batches}`}</td>
  </tr>
)

const Standing = ({ epoch, slow }: { epoch: EpochSummary; slow: boolean }) => {
  const { name, tone } = standingOf(epoch, slow)
  return <Tag tone={tone}>{name}</Tag>
}
