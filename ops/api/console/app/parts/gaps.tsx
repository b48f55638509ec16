/** Epochs that are missing or stuck, why, and what to do. */
import type { Gap } from '../../../schema.ts'
import { epochRoute } from '../routes.ts'
import { GAP_HELP } from '../words.ts'
import { Link, Tag, Words } from './basics.tsx'

export function GapList({ gaps }: { gaps: readonly Gap[] }) {
  return (
    <ul class="gaps">
      {gaps.map((gap) => (
        <li key={`${gap.epochId}/${gap.cause}`}>
          <Tag tone={gap.cause === 'SKIPPED_BY_OWNER' ? 'muted' : 'bad'}>
            {gap.cause.replaceAll('_', ' ').toLowerCase()}
          </Tag>
          <div>
            <p class="strong">
              <Link to={epochRoute(gap.epochId)}>
                Epoch {gap.epochId}
                {gap.lastEpochId > gap.epochId ? ` to ${gap.lastEpochId}` : ''}
              </Link>{' '}
              {GAP_HELP[gap.cause].title}
            </p>
            <p>{gap.detail}</p>
            <p class="note">
              <Words text={GAP_HELP[gap.cause].advice} />
            </p>
          </div>
        </li>
      ))}
    </ul>
  )
}
