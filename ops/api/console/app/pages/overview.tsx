/** Is the market healthy, which epoch is stuck where and why, and what is to be done? */

import { isLost } from '../../../../reading/epoch-phases.ts'
import type { HealthAnswer } from '../../../health-schema.ts'
import type { PeersAnswer } from '../../../peers-schema.ts'
import type { AnchorItem, EpochSummary, Gap, Page, Project } from '../../../schema.ts'
import type { ProcessesAnswer } from '../../../status-schema.ts'
import { useAnswer, useWholeList } from '../answers.ts'
import { assess } from '../assess.ts'
import { now } from '../connection.ts'
import { plural } from '../format.ts'
import { Card, Link, Shown, Words } from '../parts/basics.tsx'
import { VerdictChart } from '../parts/chart.tsx'
import { KeyFigures } from '../parts/figures.tsx'
import { TopTalkers } from '../parts/peers.tsx'
import { SupportOverview } from '../parts/projects.tsx'
import { AnchorTable } from '../parts/queue.tsx'
import { RoleList } from '../parts/roles.tsx'
import { isStuck, Timeline } from '../parts/timeline.tsx'
import { usualPhases } from '../phases.ts'
import { market, ofMarket } from '../place.ts'
import { epochRoute } from '../routes.ts'

/** Epochs of the chart; `usual` is taken from them. */
const EPOCHS_ASKED = 60
const EPOCHS_SHOWN = 8
const QUEUE_SHOWN = 10

const NO_GAPS: readonly Gap[] = []

export function Overview() {
  const health = useAnswer<HealthAnswer>('/v1/health', 'health', 'epoch')
  const epochs = useAnswer<Page<EpochSummary>>(ofMarket('/v1/epochs', { limit: EPOCHS_ASKED }), 'epoch', 'verdicts')
  const pending = useAnswer<Page<AnchorItem>>(
    ofMarket('/v1/anchors', { standing: 'under-way', limit: EPOCHS_ASKED }),
    'anchor',
  )
  const peers = useAnswer<PeersAnswer>('/v1/peers', 'health')
  const processes = useAnswer<ProcessesAnswer>('/v1/processes', 'health')
  const list = epochs.data?.items ?? []
  const stuck = health.data?.markets.find(({ dataMarket }) => dataMarket === market.value)?.stuck ?? NO_GAPS
  return (
    <>
      <h1 class="visually-hidden" tabIndex={-1}>
        Overview
      </h1>
      {health.data && epochs.data && <Verdict health={health.data} epochs={list} pending={pending.data?.items ?? []} />}
      <KeyFigures />
      <Card
        title="Epochs"
        note="From its release to its place on the chain. Newest first."
        aside={<Link to={{ page: 'epochs' }}>All epochs</Link>}
      >
        <Shown answer={epochs}>
          {({ items }) => <Timeline epochs={shownOf(items, stuck)} usual={usualPhases(items)} stuck={stuck} />}
        </Shown>
      </Card>
      <div class="columns">
        <Card title="Verdicts by reason" note="What became of the submissions, epoch by epoch.">
          <Shown answer={epochs}>{({ items }) => <VerdictChart epochs={items} />}</Shown>
        </Card>
        <LatestSupport epochs={list} />
      </div>
      <Card
        title="On its way to the chain"
        note="Batches, and the call that ends an epoch."
        aside={<Link to={{ page: 'transactions' }}>All transactions</Link>}
      >
        <Shown answer={pending}>{(page) => <Queue page={page} />}</Shown>
      </Card>
      <Card
        title="Roles"
        note="Whether some process does each."
        aside={<Link to={{ page: 'cluster' }}>All processes</Link>}
      >
        <Shown answer={processes}>{({ roles }) => <RoleList roles={roles} />}</Shown>
      </Card>
      <Card title="Top talkers" note="The peers that send most to the intakes: most refused messages first.">
        <Shown answer={peers}>{(data) => <TopTalkers peers={data} />}</Shown>
      </Card>
    </>
  )
}

/** The stuck ones first, however old; then the newest. */
function shownOf(epochs: readonly EpochSummary[], stuck: readonly Gap[]): readonly EpochSummary[] {
  const newest = epochs.slice(0, EPOCHS_SHOWN)
  const older = epochs.slice(EPOCHS_SHOWN).filter((epoch) => isStuck(stuck, epoch.epochId) || isLost(epoch.outcome))
  return [...older.slice(0, EPOCHS_SHOWN), ...newest]
}

function Verdict({
  health,
  epochs,
  pending,
}: {
  health: HealthAnswer
  epochs: readonly EpochSummary[]
  pending: readonly AnchorItem[]
}) {
  const found = assess({ health, dataMarket: market.value ?? '', epochs, pending, now: now.value })
  return (
    <section class={`verdict ${found.tone}`} aria-label="State of the market">
      <span class="light" aria-hidden="true" />
      <div>
        <p class="verdict-title" role="status">
          {found.title}
        </p>
        <p>{found.detail}</p>
        {found.advice && (
          <p class="advice">
            <strong>What to do:</strong> <Words text={found.advice} />
          </p>
        )}
      </div>
      {found.epochId !== undefined && (
        <Link to={epochRoute(found.epochId)} class="button">
          Open epoch {found.epochId}
        </Link>
      )}
    </section>
  )
}

/** The projects of the newest epoch whose votes are counted. */
function LatestSupport({ epochs }: { epochs: readonly EpochSummary[] }) {
  const counted = epochs.find(({ batchedAt }) => batchedAt !== null)
  const path = counted && ofMarket(`/v1/epochs/${counted.epochId}/projects`)
  const projects = useWholeList<Project>(path)
  return (
    <Card
      title="Support per project"
      note={
        counted ? (
          <>How many slots reported the winning CID in epoch {counted.epochId}.</>
        ) : (
          'How many slots reported the winning CID.'
        )
      }
      aside={counted && <Link to={epochRoute(counted.epochId)}>All projects</Link>}
    >
      {counted ? (
        <Shown answer={projects}>{(items) => <SupportOverview projects={items} epochId={counted.epochId} />}</Shown>
      ) : (
        <p class="empty-title">No epoch was counted yet.</p>
      )}
    </Card>
  )
}

function Queue({ page: { items, next } }: { page: Page<AnchorItem> }) {
  const more = items.length - QUEUE_SHOWN
  return (
    <>
      <AnchorTable
        anchors={items.slice(0, QUEUE_SHOWN)}
        label="Transactions on their way"
        empty="Nothing waits: every batch is on the chain."
      />
      {more > 0 && <p class="note">{next ? 'Many more wait.' : `${plural(more, 'other')} wait.`}</p>}
    </>
  )
}
