/** How far the slots agree, over all projects of an epoch. */
import type { Project } from '../../../schema.ts'
import { count, percent, plural } from '../format.ts'
import { Empty, Link, Support } from './basics.tsx'

/** Projects named on the overview. */
const LEAST_SHOWN = 5

export const shareOf = ({ votes, voters }: Pick<Project, 'votes' | 'voters'>): number =>
  voters > 0 ? votes / voters : 0

const LEVELS = [
  { name: 'all agree', tone: 'level-1', holds: (p: Project) => p.snapshotCid !== '' && p.votes === p.voters },
  { name: '90 % or more', tone: 'level-2', holds: (p: Project) => p.snapshotCid !== '' && shareOf(p) >= 0.9 },
  { name: 'over half', tone: 'level-3', holds: (p: Project) => p.snapshotCid !== '' && shareOf(p) > 0.5 },
  { name: 'half or less', tone: 'level-4', holds: (p: Project) => p.snapshotCid !== '' },
  { name: 'no winner', tone: 'level-5', holds: () => true },
] as const

export function SupportOverview({ projects, epochId }: { projects: readonly Project[]; epochId: number }) {
  if (projects.length === 0)
    return <Empty title="No project was reported">Epoch {epochId} got no valid submission.</Empty>
  const levels = levelsOf(projects)
  const least = projects.filter((project) => shareOf(project) < 1).sort((a, b) => shareOf(a) - shareOf(b))
  return (
    <>
      <Levels levels={levels} total={projects.length} />
      {least.length > 0 && <LeastSupport projects={least.slice(0, LEAST_SHOWN)} epochId={epochId} />}
    </>
  )
}

const LeastSupport = ({ projects, epochId }: { projects: readonly Project[]; epochId: number }) => (
  <>
    <h3>Least support</h3>
    <ul class="least">
      {projects.map((project) => (
        <li key={project.projectId}>
          <Link to={{ page: 'epoch', epochId, reason: '', project: project.projectId }} class="ellipsis">
            {project.projectId}
          </Link>
          <Support share={shareOf(project)} />
        </li>
      ))}
    </ul>
  </>
)

type Level = (typeof LEVELS)[number] & { readonly size: number }

const levelsOf = (projects: readonly Project[]): readonly Level[] => {
  const sizes = new Map<string, number>()
  for (const project of projects) {
    const { name } = LEVELS.find(({ holds }) => holds(project))!
    sizes.set(name, (sizes.get(name) ?? 0) + 1)
  }
  return LEVELS.map((level) => ({ ...level, size: sizes.get(level.name) ?? 0 }))
}

const Levels = ({ levels, total }: { levels: readonly Level[]; total: number }) => (
  <>
    <div class="levels" role="img" aria-label={levelWords(levels, total)}>
      {levels
        .filter(({ size }) => size > 0)
        .map(({ name, tone, size }) => (
          <span key={name} class={tone} style={{ flexGrow: size }} />
        ))}
    </div>
    <ul class="legend">
      {levels
        .filter(({ size }) => size > 0)
        .map(({ name, tone, size }) => (
          <li key={name}>
            <span class={`swatch ${tone}`} />
            {name} <span class="muted">{count(size)}</span>
          </li>
        ))}
    </ul>
  </>
)

const levelWords = (levels: readonly Level[], total: number): string =>
  `${plural(total, 'project')}: ${levels.flatMap(({ name, size }) => (size > 0 ? [`${percent(size / total)} ${name}`] : [])).join(', ')}`
