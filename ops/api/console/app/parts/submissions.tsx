/** Submissions with their verdicts: the answer in a sentence, the rule, and the values that it compared. */
import type { SubmissionItem } from '../../../schema.ts'
import { ofMarket } from '../place.ts'
import { epochRoute } from '../routes.ts'
import { BATCH_STATES, type Tone } from '../words.ts'
import { Ago, Facts, Hash, Link, Tag } from './basics.tsx'

export const SubmissionCards = ({ items }: { items: readonly SubmissionItem[] }) => (
  <ul class="submissions">
    {items.map((item) => (
      <li key={`${item.position.partition}/${item.position.offset}`}>
        <SubmissionCard item={item} />
      </li>
    ))}
  </ul>
)

const SECRET = 'secret until the epoch is closed'

function SubmissionCard({ item }: { item: SubmissionItem }) {
  const { verdict, batch, epochId, slotId, projectId, snapshotCid, submissionId, receivedAt } = item
  return (
    <article class="card submission">
      <header class="submission-head">
        <Tag tone={toneOf(item)}>{verdict ? verdict.reason : 'NO VERDICT YET'}</Tag>
        <h2>
          {outcomeOf(item)} <Link to={epochRoute(epochId)}>epoch {epochId}</Link>
        </h2>
        <p class="note break">
          Slot <Link to={{ page: 'lookup', slotId, epochId: undefined }}>{slotId}</Link>, project{' '}
          <Link to={{ page: 'epoch', epochId, reason: '', project: projectId }}>{projectId}</Link>
        </p>
      </header>
      <p>{verdict ? verdict.help : 'The verdict comes when its block is known or its epoch closes.'}</p>
      {verdict && !verdict.accepted && <Compared verdict={verdict} />}
      <Facts
        rows={[
          ['Reported CID', snapshotCid === null ? SECRET : <Hash key="cid" text={snapshotCid} name="reported CID" />],
          ['Received', receivedAt === null ? 'no longer in the log' : <Ago key="at" at={Date.parse(receivedAt)} />],
          ['Submission', <Hash key="id" text={submissionId} name="submission id" />],
          ...(verdict ? [['Decided', decidedWords(verdict)] as const] : []),
          ...(batch ? [['Batch', <BatchWords key="batch" batch={batch} />] as const] : []),
        ]}
      />
      {verdict?.reason === 'COUNTED' && <Proof item={item} />}
    </article>
  )
}

/** A proof names the transaction, so there is none before that is final. */
const Proof = ({ item }: { item: SubmissionItem }) =>
  item.batch?.state === 'FINAL' ? (
    <p class="actions">
      <a class="button" href={proofPath(item)} download={`proof-${item.epochId}-${item.slotId}.json`}>
        Download the proof
      </a>
      <span class="note">
        Shows offline that the batch has this submission: <code>sequencer proof verify</code>
      </span>
    </p>
  ) : (
    <p class="note">There is a proof to download as soon as its batch is final.</p>
  )

const proofPath = ({ epochId, slotId, projectId }: SubmissionItem): string =>
  ofMarket(`/v1/proofs/${epochId}/${slotId}`, { project: projectId })

type Verdict = NonNullable<SubmissionItem['verdict']>

const Compared = ({ verdict: { rule, expected, actual } }: { verdict: Verdict }) => (
  <dl class="compared">
    <div class="rule">
      <dt>Rule</dt>
      <dd>{rule}</dd>
    </div>
    {actual !== null && expected === actual ? (
      <div class="actual">
        <dt>Found, as expected</dt>
        <dd>{actual}</dd>
      </div>
    ) : (
      <>
        <div>
          <dt>Expected</dt>
          <dd>{expected ?? SECRET}</dd>
        </div>
        <div class="actual">
          <dt>Found</dt>
          <dd>{actual ?? SECRET}</dd>
        </div>
      </>
    )}
  </dl>
)

const decidedWords = ({ stage, blockNumber }: Verdict): string =>
  `by ${stage}${blockNumber > 0 ? `, as of block ${blockNumber}` : ''}`

const BatchWords = ({ batch: { batchIndex, cid, state } }: { batch: NonNullable<SubmissionItem['batch']> }) => {
  const words = BATCH_STATES[state]
  return (
    <>
      {cid ? <Link to={{ page: 'batch', cid }}>Batch {batchIndex}</Link> : `Batch ${batchIndex}`},{' '}
      {words.name.toLowerCase()}
    </>
  )
}

function toneOf({ verdict }: SubmissionItem): Tone {
  if (!verdict) return 'muted'
  return verdict.accepted ? 'good' : 'bad'
}

function outcomeOf({ verdict }: SubmissionItem): string {
  if (!verdict) return 'Received for'
  if (verdict.reason === 'COUNTED') return 'Counted in'
  return verdict.accepted ? 'Checked, not counted, in' : 'Not counted in'
}
