/** The verdicts of a slot's submissions, each with its rule: the question a snapshotter comes with. */
import { useEffect, useState } from 'preact/hooks'
import type { Page, SubmissionItem } from '../../../schema.ts'
import { useAnswer } from '../answers.ts'
import { Empty, Shown } from '../parts/basics.tsx'
import { Paged, usePages } from '../parts/pager.tsx'
import { SubmissionCards } from '../parts/submissions.tsx'
import { go, ofMarket } from '../place.ts'
import type { Route } from '../routes.ts'

const PAGE_CARDS = 20

export function Lookup({ route }: { route: Extract<Route, { page: 'lookup' }> }) {
  return (
    <>
      <h1 tabIndex={-1}>Slot look-up</h1>
      <p class="lead">Was a submission counted? If not: by which rule, and what to do.</p>
      <LookupForm route={route} />
      {route.slotId === undefined ? (
        <Empty title="Which slot?">Type the number of a slot. With an epoch the answer is shorter.</Empty>
      ) : (
        <SlotAnswer slotId={route.slotId} epochId={route.epochId} />
      )}
    </>
  )
}

function LookupForm({ route: { slotId, epochId } }: { route: Extract<Route, { page: 'lookup' }> }) {
  const [slot, setSlot] = useState('')
  const [epoch, setEpoch] = useState('')
  useEffect(() => {
    setSlot(slotId === undefined ? '' : `${slotId}`)
    setEpoch(epochId === undefined ? '' : `${epochId}`)
  }, [slotId, epochId])
  const submit = (event: Event) => {
    event.preventDefault()
    const whole = (text: string) => (/^\d+$/.test(text.trim()) ? Number(text) : undefined)
    go({ page: 'lookup', slotId: whole(slot), epochId: whole(epoch) })
  }
  return (
    <form class="card lookup-form" onSubmit={submit}>
      <label>
        Slot
        <input
          inputMode="numeric"
          pattern="\s*\d+\s*"
          required
          value={slot}
          onInput={(e) => setSlot(e.currentTarget.value)}
        />
      </label>
      <label>
        Epoch <span class="note">may be left out</span>
        <input inputMode="numeric" pattern="\s*\d*\s*" value={epoch} onInput={(e) => setEpoch(e.currentTarget.value)} />
      </label>
      <button type="submit" class="button primary">
        Look up
      </button>
    </form>
  )
}

function SlotAnswer({ slotId, epochId }: { slotId: number; epochId: number | undefined }) {
  const pages = usePages()
  const [claims, setClaims] = useState(false)
  useEffect(() => setClaims(false), [slotId, epochId])
  useEffect(pages.reset, [slotId, epochId, claims])
  const asked = { slotId, epochId, claims }
  const of = { origin: claims ? 'UNPROVEN' : undefined, epoch: epochId, limit: PAGE_CARDS, cursor: pages.cursor }
  const path = ofMarket(`/v1/slots/${slotId}/verdicts`, of)
  const answer = useAnswer<Page<SubmissionItem>>(path, 'epoch', 'verdicts')
  return (
    <>
      <ClaimsBox claims={claims} choose={setClaims} />
      <Paged answer={answer} pages={pages} what="submissions" none={<NothingReceived {...asked} />}>
        {(items) => <SubmissionCards items={items} />}
      </Paged>
    </>
  )
}

const ClaimsBox = ({ claims, choose }: { claims: boolean; choose: (claims: boolean) => void }) => (
  <label>
    <input type="checkbox" checked={claims} onInput={(e) => choose(e.currentTarget.checked)} /> What was not signed by
    the owner of the slot, and copies
  </label>
)

interface Asked {
  readonly slotId: number
  readonly epochId: number | undefined
  /** Submissions are asked for that only name the slot. */
  readonly claims: boolean
}

const NothingReceived = ({ slotId, epochId, claims }: Asked) => (
  <Empty
    title={`Nothing ${claims ? 'else that names' : 'signed by the owner of'} slot ${slotId} was received${epochId === undefined ? '' : ` in epoch ${epochId}`}`}
  >
    The sequencer acknowledged no such submission. Check that the node runs, reaches the sequencer, and has this slot,
    its key and this data market in its settings. A message that could not be read has no slot:{' '}
    <code>sequencer dead-letters list --topic intake</code> has it.
  </Empty>
)

export function Submission({ submissionId }: { submissionId: string }) {
  const answer = useAnswer<Page<SubmissionItem>>(
    `/v1/submissions/${encodeURIComponent(submissionId)}`,
    'verdicts',
    'epoch',
  )
  return (
    <>
      <h1 tabIndex={-1}>Submission</h1>
      <p class="lead break">{submissionId}</p>
      <Shown answer={answer}>{({ items }) => <SubmissionCards items={items} />}</Shown>
    </>
  )
}
