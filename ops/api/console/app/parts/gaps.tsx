/** Epochs that are missing or stuck, why, and what to do. */
import type { Gap } from '../../../schema.ts'
import { epochRoute } from '../routes.ts'
import { gapWords } from '../words.ts'
import { Link, Tag, Words } from './basics.tsx'

export function GapList({ gaps }: { gaps: readonly Gap[] }) {
  return (
    <ul class="gaps">
      {gaps.map((gap) => (
        <li key={gap.epochId}>
          <Tag tone={gap.phase === 'SKIPPED' ? 'muted' : 'bad'}>{gapWords(gap).name}</Tag>
          <div>
            <p class="strong">
              <Link to={epochRoute(gap.epochId)}>
                Epoch {gap.epochId}
                {gap.lastEpochId > gap.epochId ? ` to ${gap.lastEpochId}` : ''}
              </Link>{' '}
              {gapWords(gap).gap}
            </p>
            <p>{gap.detail}</p>
            <p class="note">
              <Words text={gapWords(gap).advice} />
            </p>
          </div>
        </li>
      ))}
    </ul>
  )
}
