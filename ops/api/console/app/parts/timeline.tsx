/** The epochs under way and the last ones through, one row each. */
import type { EpochSummary, Gap } from '../../../schema.ts'
import { now } from '../connection.ts'
import { count, duration, plural } from '../format.ts'
import { isUnderWay, phasesOf, type Usual } from '../phases.ts'
import { epochRoute } from '../routes.ts'
import { standingOf } from '../words.ts'
import { Empty, Link, Support, Tag } from './basics.tsx'
import { phaseWords, Track, TrackHead } from './track.tsx'

interface TimelineProps {
  readonly epochs: readonly EpochSummary[]
  readonly usual: Usual
  readonly stuck: readonly Gap[]
}

export const NoEpoch = () => <Empty title="No epoch yet">Waiting for the contract to release the first one.</Empty>

export function Timeline({ epochs, usual, stuck }: TimelineProps) {
  if (epochs.length === 0) return <NoEpoch />
  return (
    <div class="timeline">
      <div class="timeline-head">
        <span>Epoch</span>
        <TrackHead />
        <span>Support</span>
      </div>
      <ol class="timeline-rows">
        {epochs.map((epoch) => (
          <Row key={epoch.epochId} epoch={epoch} usual={usual} stuck={isStuck(stuck, epoch.epochId)} />
        ))}
      </ol>
    </div>
  )
}

export const isStuck = (stuck: readonly Gap[], epochId: number): boolean =>
  stuck.some((gap) => gap.epochId <= epochId && epochId <= gap.lastEpochId)

function Row({ epoch, usual, stuck }: { epoch: EpochSummary; usual: Usual; stuck: boolean }) {
  const phases = phasesOf(epoch, now.value, usual, stuck)
  const held = phases.some(({ state }) => state === 'slow' || state === 'failed')
  const { name, tone } = standingOf(epoch, held)
  return (
    <li class={`row ${held ? 'is-held' : ''}`}>
      <div class="row-name">
        <Link to={epochRoute(epoch.epochId)} class="strong">
          {epoch.epochId}
        </Link>
        <Tag tone={tone}>{name}</Tag>
        <span class="note">{tookWords(epoch)}</span>
      </div>
      <div>
        <Track phases={phases} />
        {held && <p class="held-words">{phaseWords(phases)}</p>}
      </div>
      <div class="row-support">
        {epoch.agreement !== null && <Support share={epoch.agreement} />}
        <span class="note">
          {epoch.agreement === null
            ? plural(epoch.submissions, 'submission')
            : `${count(epoch.projects)} of ${plural(epoch.projects + epoch.projectsWithoutQuorum, 'project')}`}
        </span>
      </div>
    </li>
  )
}

/** From the release to the end, so far. */
function tookWords(epoch: EpochSummary): string {
  if (epoch.releasedAt === null) return ''
  const until = isUnderWay(epoch) ? now.value : epoch.finalAt
  return until === null ? '' : duration(until - epoch.releasedAt)
}
