/** The verdicts of an epoch by reason, and the submissions under the chosen reason. */
import { useEffect } from 'preact/hooks'
import { ACCEPT_HELP, isAccepted, REASON_HELP } from '../../../../../topology/verdict.ts'
import type { EpochDetail, Page, SubmissionItem } from '../../../schema.ts'
import { useAnswer } from '../answers.ts'
import { count, percent } from '../format.ts'
import { linkTo, ofMarket } from '../place.ts'
import { Bar, Empty, Link, Scrolling } from './basics.tsx'
import { Paged, usePages } from './pager.tsx'

const PAGE_ROWS = 20
const HELP: Readonly<Record<string, string>> = { ...REASON_HELP, ...ACCEPT_HELP }

export function EpochVerdicts({ epoch, reason }: { epoch: EpochDetail; reason: string }) {
  const rows = reasonsOf(epoch)
  if (rows.length === 0)
    return (
      <Empty title="No verdict yet">
        {epoch.submissions > 0 ? 'Votes get theirs when the epoch has closed.' : 'No submission came in yet.'}
      </Empty>
    )
  return (
    <>
      <ul class="reasons">
        {rows.map(([name, n]) => (
          <ReasonRow key={name} name={name} n={n} epoch={epoch} chosen={name === reason} />
        ))}
      </ul>
      {reason && <Submissions epochId={epoch.epochId} reason={reason} />}
    </>
  )
}

/** The reasons that were given, the commonest first. */
const reasonsOf = ({ reasons }: EpochDetail): readonly (readonly [reason: string, n: number])[] =>
  Object.entries(reasons)
    .filter(([, n]) => n > 0)
    .sort(([, a], [, b]) => b - a)

/** A second click closes what the first opened. */
function ReasonRow({ name, n, epoch, chosen }: { name: string; n: number; epoch: EpochDetail; chosen: boolean }) {
  const to = { page: 'epoch', epochId: epoch.epochId, reason: chosen ? '' : name, project: '' } as const
  const share = n / Math.max(1, epoch.verdicts)
  return (
    <li class={chosen ? 'is-selected' : ''}>
      <a href={linkTo(to)} aria-current={chosen ? 'true' : undefined}>
        {name}
      </a>
      <span class="support">
        <Bar share={share} tone={isAccepted(name as never) ? 'good' : 'bad'} />
        {count(n)}
      </span>
      <span class="note wide">{percent(share)}</span>
      <p class="note">{HELP[name]}</p>
    </li>
  )
}

function Submissions({ epochId, reason }: { epochId: number; reason: string }) {
  const pages = usePages()
  useEffect(pages.reset, [epochId, reason])
  const path = ofMarket(`/v1/epochs/${epochId}/verdicts`, { reason, limit: PAGE_ROWS, cursor: pages.cursor })
  const answer = useAnswer<Page<SubmissionItem>>(path)
  return (
    <Paged answer={answer} pages={pages} what={`submissions with ${reason}`}>
      {(items) => <SubmissionTable items={items} reason={reason} />}
    </Paged>
  )
}

const SubmissionTable = ({ items, reason }: { items: readonly SubmissionItem[]; reason: string }) => (
  <Scrolling label={`Submissions with ${reason}`}>
    <table>
      <thead>
        <tr>
          <th scope="col">Slot</th>
          <th scope="col">Project</th>
          <th scope="col">Expected</th>
          <th scope="col">Found</th>
        </tr>
      </thead>
      <tbody>
        {items.map(({ submissionId, slotId, epochId, projectId, verdict, position }) => (
          <tr key={`${position.partition}/${position.offset}/${submissionId}`}>
            <th scope="row">
              <Link to={{ page: 'lookup', slotId, epochId }}>{slotId}</Link>
            </th>
            <td class="clip" title={projectId}>
              {projectId}
            </td>
            <td class="clip" title={verdict?.expected ?? undefined}>
              {verdict?.expected}
            </td>
            <td class="clip" title={verdict?.actual ?? undefined}>
              {verdict?.actual}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </Scrolling>
)
