/** An epoch: its phase, the next step, its projects, verdicts and batches. */
import type { HealthAnswer } from '../../../health-schema.ts'
import type { EpochDetail, EpochSummary, Gap, Page, Project } from '../../../schema.ts'
import { useAnswer, useWholeList } from '../answers.ts'
import { now } from '../connection.ts'
import { clockTime, count, plural, sentence } from '../format.ts'
import { Card, Empty, Facts, Hash, Link, Shown, Tag, Words } from '../parts/basics.tsx'
import { EpochProjects } from '../parts/epoch-projects.tsx'
import { EpochVerdicts } from '../parts/epoch-verdicts.tsx'
import { isStuck } from '../parts/timeline.tsx'
import { Track } from '../parts/track.tsx'
import { currentPhase, phasesOf, usualPhases } from '../phases.ts'
import { market, ofMarket } from '../place.ts'
import { epochRoute, type Route } from '../routes.ts'
import { BATCH_STATES, PHASE_HELP, standingOf } from '../words.ts'

const NEIGHBOURS_ASKED = 60

export function Epoch({ route }: { route: Extract<Route, { page: 'epoch' }> }) {
  const { epochId, reason, project } = route
  const answer = useAnswer<EpochDetail>(ofMarket(`/v1/epochs/${epochId}`), 'epoch', 'verdicts', 'anchor')
  const counted = answer.data?.batchedAt !== null && answer.data !== undefined
  const projects = useWholeList<Project>(counted ? ofMarket(`/v1/epochs/${epochId}/projects`) : undefined)
  return (
    <>
      <EpochHead epochId={epochId} />
      <Shown answer={answer}>
        {(epoch) => (
          <>
            <Standing epoch={epoch} />
            <Card title="Projects" note="The CID that most slots reported for each wins.">
              {counted ? (
                <Shown answer={projects}>
                  {(items) => <EpochProjects projects={items} chosen={project} epochId={epochId} />}
                </Shown>
              ) : (
                <Empty title="Votes are not counted yet">They are when the epoch has closed.</Empty>
              )}
            </Card>
            <Card
              title="Verdicts"
              note={`${count(epoch.verdicts)} of ${plural(epoch.submissions, 'submission')} have one. Choose a reason to see the submissions.`}
            >
              <EpochVerdicts epoch={epoch} reason={reason} />
            </Card>
            <Card title="Batches" note="What is stored on IPFS and anchored in the contract.">
              <Batches epoch={epoch} />
            </Card>
          </>
        )}
      </Shown>
    </>
  )
}

const EpochHead = ({ epochId }: { epochId: number }) => (
  <div class="page-head">
    <h1 tabIndex={-1}>Epoch {epochId}</h1>
    <nav aria-label="Neighbouring epochs" class="neighbours">
      {epochId > 0 && (
        <Link to={epochRoute(epochId - 1)} class="button">
          ← {epochId - 1}
        </Link>
      )}
      <Link to={epochRoute(epochId + 1)} class="button">
        {epochId + 1} →
      </Link>
    </nav>
  </div>
)

/** Phases, the next step, and the remedy when that does not come. */
function Standing({ epoch }: { epoch: EpochDetail }) {
  const health = useAnswer<HealthAnswer>('/v1/health', 'health', 'epoch')
  const others = useAnswer<Page<EpochSummary>>(ofMarket('/v1/epochs', { limit: NEIGHBOURS_ASKED }), 'epoch')
  const gaps = health.data?.markets.find(({ dataMarket }) => dataMarket === market.value)?.stuck ?? []
  const phases = phasesOf(epoch, now.value, usualPhases(others.data?.items ?? []), isStuck(gaps, epoch.epochId))
  const current = currentPhase(phases)
  const held = current?.state === 'slow' || current?.state === 'failed'
  const { name, tone } = standingOf(epoch, held)
  return (
    <section class={`card standing ${held ? 'is-held' : ''}`} aria-label="Where it stands">
      <div class="standing-head">
        <Tag tone={tone}>{name}</Tag>
        <p>
          <strong>Next:</strong> {epoch.next}
        </p>
      </div>
      <Track phases={phases} names />
      {held && current && (
        <p class="advice">
          <strong>What to do:</strong>{' '}
          <Words text={`${gapWords(gaps, epoch.epochId)} ${PHASE_HELP[current.phase].advice}`} />
        </p>
      )}
      <Facts rows={momentsOf(epoch, now.value)} />
    </section>
  )
}

const gapWords = (gaps: readonly Gap[], epochId: number): string => {
  const gap = gaps.find((one) => isStuck([one], epochId))
  return gap ? sentence(gap.detail) : ''
}

function momentsOf(epoch: EpochDetail, at: number): readonly (readonly [string, string])[] {
  const { releaseBlock, earlierReleaseBlock, closeBlock, begin, end, releasedAt, closedAt, finalAt } = epoch
  const missing = epoch.phase === 'SKIPPED' || epoch.phase === 'REFUSED' ? 'never' : 'not yet'
  const moment = (time: number | null, block: number | null): string =>
    time === null ? missing : `${clockTime(time, at)}${block === null ? '' : `, block ${block}`}`
  return [
    ['Released', moment(releasedAt, releaseBlock)],
    ...(earlierReleaseBlock === null
      ? []
      : [['Released before', `block ${earlierReleaseBlock}, which left the chain`] as const]),
    ...(epoch.refused === '' ? [] : [['Refused', epoch.refused] as const]),
    ['Closed', moment(closedAt, closeBlock)],
    ['Final', moment(finalAt, null)],
    ['Source blocks', begin === null || end === null ? 'not known' : `${count(begin)} to ${count(end)}`],
    ['Submissions', count(epoch.submissions)],
  ]
}

function Batches({ epoch: { batches, endCall, batchedAt } }: { epoch: EpochDetail }) {
  if (batches.length === 0)
    return batchedAt === null ? (
      <Empty title="No batch yet">Batches are cut when the votes are counted.</Empty>
    ) : (
      <Empty title="No batch">No project had a winner, so there is nothing to anchor.</Empty>
    )
  return (
    <ul class="batches">
      {batches.map((batch) => (
        <BatchRow key={batch.batchIndex} batch={batch} />
      ))}
      {endCall && <EndingCallRow call={endCall} />}
    </ul>
  )
}

const EndingCallRow = ({ call }: { call: NonNullable<EpochDetail['endCall']> }) => (
  <li>
    <span class="strong">Ending call</span>
    <StateTag state={call.state} />
    <span class="note">Tells the contract that the epoch has no more batches.</span>
    <Hash text={call.transactionHash} name="transaction" />
  </li>
)

const BatchRow = ({ batch }: { batch: EpochDetail['batches'][number] }) => (
  <li>
    <span class="strong">
      {batch.cid ? (
        <Link to={{ page: 'batch', cid: batch.cid }}>Batch {batch.batchIndex}</Link>
      ) : (
        `Batch ${batch.batchIndex}`
      )}
    </span>
    <StateTag state={batch.state} />
    <span class="note">
      {plural(batch.projects, 'project')}, {plural(batch.submissions, 'submission')},{' '}
      {batch.attested ? `attested by ${batch.attestations}` : plural(batch.attestations, 'attestation')}
    </span>
    <Hash text={batch.transactionHash} name="transaction" />
    {batch.error && <p class="error-words">{batch.error}</p>}
  </li>
)

const StateTag = ({ state }: { state: keyof typeof BATCH_STATES }) => {
  const { name, tone, help } = BATCH_STATES[state]
  return (
    <span title={help}>
      <Tag tone={tone}>{name}</Tag>
    </span>
  )
}
