/** A batch: its content, where it is stored and anchored, and who attested it. */
import { useMemo, useState } from 'preact/hooks'
import { isNone } from '../../../../../schemas/none.ts'
import type { BatchDetail } from '../../../schema.ts'
import { useAnswer } from '../answers.ts'
import { count, plural } from '../format.ts'
import { Ago, Card, Empty, Facts, Hash, Link, Shown, Tag } from '../parts/basics.tsx'
import { type Column, type Sort, VirtualTable } from '../parts/virtual-table.tsx'
import { ofMarket } from '../place.ts'
import { epochRoute } from '../routes.ts'
import { BATCH_STATES } from '../words.ts'

export function Batch({ cid }: { cid: string }) {
  const answer = useAnswer<BatchDetail>(`/v1/batches/${encodeURIComponent(cid)}`, 'anchor')
  return (
    <>
      <h1 tabIndex={-1}>Batch</h1>
      <p class="lead break">{cid}</p>
      <Shown answer={answer}>{(batch) => <Whole batch={batch} />}</Shown>
    </>
  )
}

function Whole({ batch }: { batch: BatchDetail }) {
  const { name, tone, help } = BATCH_STATES[batch.state]
  const content = `/v1/batches/${encodeURIComponent(batch.cid)}/content`
  return (
    <>
      <section class="card" aria-label="Where it stands">
        <div class="standing-head">
          <Tag tone={tone}>{name}</Tag>
          <p>{help}</p>
        </div>
        {batch.error && <p class="error-words">{batch.error}</p>}
        {batch.diverged && <p class="error-words">The validators agreed on another root than the one that was sent.</p>}
        <Facts rows={factsOf(batch)} />
        <p class="actions">
          <a class="button" href={content} download={`batch-${batch.epochId}-${batch.batchIndex}.json`}>
            Download the content
          </a>
          <span class="note">
            The exact bytes of the CID. <code>sequencer verify</code> recomputes roots, CID, signatures and votes from
            them.
          </span>
        </p>
      </section>
      <Card title="Attestations" note="Validators recompute the batch and say on the chain what they found.">
        <Attestations batch={batch} />
      </Card>
      <ProofForm batch={batch} />
      <Card title="Projects in this batch" note="In the order of the batch.">
        <Contents batch={batch} />
      </Card>
    </>
  )
}

const factsOf = (batch: BatchDetail) =>
  [
    [
      'Epoch',
      <Link key="epoch" to={epochRoute(batch.epochId)}>
        {batch.epochId}
      </Link>,
    ],
    ['Batch', `${batch.batchIndex + 1} of ${batch.batchCount}`],
    ['Projects', count(batch.projects)],
    ['Submissions', count(batch.submissions)],
    ['Size', `${count(batch.sizeBytes)} bytes`],
    ['Cut', <Ago key="at" at={batch.batchedAt} />],
    ['Transaction', <Hash key="tx" text={batch.transactionHash} name="transaction" />],
    ['Block', isNone(batch.blockNumber) ? 'none yet' : `${batch.blockNumber}`],
    ['Root of submission ids', <Hash key="root" text={batch.roothash} name="root of submission ids" />],
    ['Root of CIDs', <Hash key="cids" text={batch.finalizedCidsRootHash} name="root of CIDs" />],
  ] as const

function Attestations({ batch: { attestations, attested } }: { batch: BatchDetail }) {
  if (attestations.length === 0)
    return <Empty title="No attestation yet">Validators attest once the batch is mined.</Empty>
  return (
    <>
      <p>
        {attested
          ? 'Enough validators have attested the batch.'
          : 'More validators are needed before the batch counts as attested.'}
      </p>
      <ul class="attestations">
        {attestations.map(({ validator, matches, blockNumber, finalized }) => (
          <li key={validator}>
            <Hash text={validator} name="validator" />
            <Tag tone={matches === null ? 'muted' : matches ? 'good' : 'bad'}>
              {matches === null ? 'Not readable' : matches ? 'Same root' : 'Another root'}
            </Tag>
            <span class="note">
              block {blockNumber}
              {finalized ? ', with this one there were enough' : ''}
            </span>
          </li>
        ))}
      </ul>
    </>
  )
}

/** A snapshotter knows his slot, and the project when the slot reports several. */
function ProofForm({ batch: { epochId } }: { batch: BatchDetail }) {
  const [slot, setSlot] = useState('')
  const [project, setProject] = useState('')
  const valid = /^\d+$/.test(slot.trim())
  const path = ofMarket(`/v1/proofs/${epochId}/${slot.trim()}`, { project: project.trim() })
  return (
    <Card
      title="Proof of a submission"
      note="A file that shows offline, and against the chain, that this epoch counted it."
    >
      <div class="lookup-form">
        <label>
          Slot
          <input inputMode="numeric" value={slot} onInput={(e) => setSlot(e.currentTarget.value)} />
        </label>
        <label>
          Project <span class="note">if the slot reports several</span>
          <input value={project} onInput={(e) => setProject(e.currentTarget.value)} />
        </label>
        {valid ? (
          <a class="button primary" href={path} download={`proof-${epochId}-${slot.trim()}.json`}>
            Download
          </a>
        ) : (
          <button type="button" class="button primary" disabled>
            Download
          </button>
        )}
      </div>
    </Card>
  )
}

type Content = BatchDetail['contents'][number] & { readonly place: number }

function Contents({ batch: { contents, epochId } }: { batch: BatchDetail }) {
  const [sort, setSort] = useState<Sort>({ by: 'place', down: false })
  const items = useMemo(() => contents.map((one, place) => ({ ...one, place })), [contents])
  const columns = useMemo(() => columnsOf(epochId), [epochId])
  return (
    <>
      <p class="note">{plural(items.length, 'project')}</p>
      <VirtualTable
        label="Projects in this batch"
        items={items}
        columns={columns}
        keyOf={({ projectId }) => projectId}
        sort={sort}
        onSort={setSort}
      />
    </>
  )
}

const columnsOf = (epochId: number): readonly Column<Content>[] => [
  {
    id: 'place',
    name: '#',
    width: '3.5rem',
    narrow: '2.2rem',
    sortBy: ({ place }) => place,
    cell: ({ place }) => place + 1,
  },
  {
    id: 'project',
    name: 'Project',
    width: 'auto',
    sortBy: ({ projectId }) => projectId,
    cell: ({ projectId }) => (
      <Link to={{ page: 'epoch', epochId, reason: '', project: projectId }} class="ellipsis">
        {projectId}
      </Link>
    ),
  },
  {
    id: 'cid',
    name: 'CID',
    width: '10rem',
    cell: ({ snapshotCid }) => <Hash text={snapshotCid} name="CID" />,
  },
]
