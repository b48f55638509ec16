/** The projects of an epoch: winner, votes, and who reported something else. */
import { useMemo, useState } from 'preact/hooks'
import type { Project } from '../../../schema.ts'
import { count, listing, percent, plural } from '../format.ts'
import { go } from '../place.ts'
import { Bar, Card, Empty, Facts, Hash, Support } from './basics.tsx'
import { shareOf } from './projects.tsx'
import { type Column, type Sort, VirtualTable } from './virtual-table.tsx'

const EQUIVOCATIONS_SHOWN = 20

const COLUMNS: readonly Column<Project>[] = [
  {
    id: 'project',
    name: 'Project',
    width: 'auto',
    sortBy: ({ projectId }) => projectId,
    cell: (project) => project.projectId,
  },
  {
    id: 'support',
    name: 'Support',
    width: '11.5rem',
    narrow: '5.4rem',
    sortBy: shareOf,
    cell: (project) => (project.snapshotCid ? <Support share={shareOf(project)} /> : 'no winner'),
  },
  {
    id: 'votes',
    name: 'Votes',
    width: '6.5rem',
    narrow: '5rem',
    numeric: true,
    sortBy: ({ voters }) => voters,
    cell: ({ votes, voters }) => `${count(votes)} of ${count(voters)}`,
  },
  {
    id: 'others',
    name: 'Other CIDs',
    width: '7rem',
    numeric: true,
    wide: true,
    sortBy: ({ candidates }) => candidates.length,
    cell: ({ candidates, snapshotCid }) => count(candidates.filter((one) => one.snapshotCid !== snapshotCid).length),
  },
  {
    id: 'winner',
    name: 'Winning CID',
    width: '12rem',
    wide: true,
    cell: ({ snapshotCid }) => <Hash text={snapshotCid} name="winning CID" none="none" />,
  },
]

export function EpochProjects({
  projects,
  chosen,
  epochId,
}: {
  projects: readonly Project[]
  chosen: string
  epochId: number
}) {
  const [filter, setFilter] = useState('')
  const [sort, setSort] = useState<Sort>({ by: 'support', down: false })
  const shown = useMemo(() => filtered(projects, filter), [projects, filter])
  const choose = (project: string) => go({ page: 'epoch', epochId, reason: '', project })
  const columns = useMemo(() => withChoice(choose), [epochId])
  if (projects.length === 0) return <Empty title="No project was reported">No valid submission came in.</Empty>
  const project = projects.find(({ projectId }) => projectId === chosen)
  return (
    <>
      <div class="tools">
        <input
          type="search"
          placeholder="Filter by project or CID"
          aria-label="Filter projects by name or CID"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <span class="note" role="status">
          {shown.length === projects.length
            ? plural(projects.length, 'project')
            : `${count(shown.length)} of ${plural(projects.length, 'project')}`}
        </span>
      </div>
      {project && <ProjectDetail project={project} onClose={() => choose('')} />}
      {shown.length === 0 ? (
        <Empty title="No project matches the filter" />
      ) : (
        <VirtualTable
          label="Projects of the epoch"
          items={shown}
          columns={columns}
          keyOf={({ projectId }) => projectId}
          sort={sort}
          onSort={setSort}
          selected={chosen}
        />
      )}
    </>
  )
}

const filtered = (projects: readonly Project[], filter: string): readonly Project[] => {
  const text = filter.trim().toLowerCase()
  if (text === '') return projects
  return projects.filter(
    ({ projectId, candidates }) =>
      projectId.toLowerCase().includes(text) ||
      candidates.some(({ snapshotCid }) => snapshotCid.toLowerCase().includes(text)),
  )
}

const withChoice = (choose: (project: string) => void): readonly Column<Project>[] =>
  COLUMNS.map((column) =>
    column.id === 'project'
      ? {
          ...column,
          cell: ({ projectId }) => (
            <button type="button" class="linkish ellipsis" title={projectId} onClick={() => choose(projectId)}>
              {projectId}
            </button>
          ),
        }
      : column,
  )

const ProjectDetail = ({ project, onClose }: { project: Project; onClose: () => void }) => (
  <Card
    title={project.projectId}
    class="inner"
    aside={
      <button type="button" class="button" onClick={onClose}>
        Close
      </button>
    }
  >
    <ol class="candidates">
      {project.candidates.map(({ snapshotCid, votes }) => (
        <li key={snapshotCid}>
          <Hash text={snapshotCid} name="CID" />
          <span class="support">
            <Bar share={votes / project.voters} tone={snapshotCid === project.snapshotCid ? 'good' : 'muted'} />
            {percent(votes / project.voters)}
          </span>
          <span class="note">
            {plural(votes, 'vote')}
            {snapshotCid === project.snapshotCid ? ', the winner' : ''}
          </span>
        </li>
      ))}
    </ol>
    <Facts
      rows={[
        ['Voted', plural(project.voters, 'slot')],
        ['Batch', project.batchIndex === null ? 'none' : `${project.batchIndex}`],
        ['Signed more than one CID', slotWords(project.equivocations)],
      ]}
    />
  </Card>
)

const slotWords = (slots: readonly number[]): string =>
  slots.length === 0
    ? 'nobody'
    : `slot ${listing(slots.slice(0, EQUIVOCATIONS_SHOWN).map(String))}${slots.length > EQUIVOCATIONS_SHOWN ? ' and more' : ''}`
