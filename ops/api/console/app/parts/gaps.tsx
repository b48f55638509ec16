/** Epochs that are missing or stuck, why, and what to do. */
import type { Gap } from '../../../schema.ts'
import { epochRoute } from '../routes.ts'
import { gapWords } from '../words.ts'
import { Link, Tag, Words } from './basics.tsx'

export function GapList({ gaps }: { gaps: readonly Gap[] }) {
  return (
    <ul class="gaps">
      {gaps.map((gap) => (
        <GapEntry key={gap.epochId} gap={gap} words={gapWords(gap)} />
      ))}
    </ul>
  )
}

const GapEntry = ({ gap, words }: { gap: Gap; words: ReturnType<typeof gapWords> }) => (
  <li>
    <Tag tone={gap.phase === 'SKIPPED' ? 'muted' : 'bad'}>{words.name}</Tag>
    <div>
      <p class="strong">
        <Link to={epochRoute(gap.epochId)}>
          Epoch {gap.epochId}
          {gap.lastEpochId > gap.epochId ? ` to ${gap.lastEpochId}` : ''}
        </Link>{' '}
        {words.gap}
      </p>
      <p>{gap.detail}</p>
      <p class="note">
        <Words text={words.advice} />
      </p>
    </div>
  </li>
)
