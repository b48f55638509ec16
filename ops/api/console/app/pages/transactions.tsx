/** The signer, and every batch and ending call: on its way, on the chain, failed. */
import { useState } from 'preact/hooks'
import type { AnchorItem, Page, Signer } from '../../../schema.ts'
import { useAnswer } from '../answers.ts'
import { plural } from '../format.ts'
import { Card, Facts, Shown } from '../parts/basics.tsx'
import { Pager, usePages } from '../parts/pager.tsx'
import { AnchorTable } from '../parts/queue.tsx'
import { ofMarket } from '../place.ts'

const PAGE_ROWS = 25

const QUEUES = [
  { standing: 'under-way', name: 'On their way', empty: 'Nothing waits: every batch is on the chain.' },
  { standing: 'lost', name: 'Failed or late', empty: 'None failed and none was late.' },
  { standing: 'final', name: 'On the chain', empty: 'None is on the chain yet.' },
] as const

type Queue = (typeof QUEUES)[number]['standing']

export function Transactions() {
  const [standing, setStanding] = useState<Queue>('under-way')
  const signer = useAnswer<Signer>('/v1/signer', 'anchor')
  return (
    <>
      <h1 tabIndex={-1}>Transactions</h1>
      <Card title="Signer" note="One account sends everything, one nonce after the other.">
        <Shown answer={signer}>
          {({ nonce, pending, inFlight }) => (
            <Facts
              rows={[
                ['Highest nonce used', nonce === null ? 'none yet' : `${nonce}`],
                ['On their way', plural(pending, 'call')],
                ['Sent and not final', plural(inFlight.length, 'transaction')],
              ]}
            />
          )}
        </Shown>
      </Card>
      <fieldset class="choices">
        <legend class="visually-hidden">Which transactions</legend>
        {QUEUES.map((queue) => (
          <label key={queue.standing} class={queue.standing === standing ? 'is-chosen' : ''}>
            <input
              type="radio"
              name="queue"
              checked={queue.standing === standing}
              onChange={() => setStanding(queue.standing)}
            />
            {queue.name}
          </label>
        ))}
      </fieldset>
      <QueueCard key={standing} standing={standing} />
    </>
  )
}

function QueueCard({ standing }: { standing: Queue }) {
  const pages = usePages()
  const { name, empty } = QUEUES.find((queue) => queue.standing === standing)!
  const path = ofMarket('/v1/anchors', { standing, limit: PAGE_ROWS, cursor: pages.cursor })
  const answer = useAnswer<Page<AnchorItem>>(path, 'anchor')
  return (
    <Card title={name}>
      <Shown answer={answer}>
        {({ items, next }) => (
          <>
            <AnchorTable anchors={items} label={name} empty={empty} />
            <Pager pages={pages} next={next} what="transactions" />
          </>
        )}
      </Shown>
    </Card>
  )
}
