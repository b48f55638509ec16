/** The signer, and every batch and ending call: on its way, on the chain, failed. */
import { useState } from 'preact/hooks'
import type { AnchorItem, Page, Signer } from '../../../schema.ts'
import { useAnswer } from '../answers.ts'
import { plural } from '../format.ts'
import { Card, Facts, Shown } from '../parts/basics.tsx'
import { Choices } from '../parts/choices.tsx'
import { Paged, usePages } from '../parts/pager.tsx'
import { AnchorTable } from '../parts/queue.tsx'
import { ofMarket } from '../place.ts'

const PAGE_ROWS = 25

const QUEUES = [
  { value: 'under-way', name: 'On their way', empty: 'Nothing waits: every batch is on the chain.' },
  { value: 'lost', name: 'Failed or late', empty: 'None failed and none was late.' },
  { value: 'final', name: 'On the chain', empty: 'None is on the chain yet.' },
] as const

type Queue = (typeof QUEUES)[number]['value']

export function Transactions() {
  const [standing, setStanding] = useState<Queue>('under-way')
  const signer = useAnswer<Signer>('/v1/signer', 'anchor')
  return (
    <>
      <h1 tabIndex={-1}>Transactions</h1>
      <Card title="Signer" note="One account sends everything, one nonce after the other.">
        <Shown answer={signer}>{(facts) => <SignerFacts {...facts} />}</Shown>
      </Card>
      <Choices legend="Which transactions" group="queue" choices={QUEUES} chosen={standing} choose={setStanding} />
      <QueueCard key={standing} standing={standing} />
    </>
  )
}

const SignerFacts = ({ nonce, pending, inFlight }: Signer) => (
  <Facts
    rows={[
      ['Highest nonce used', nonce === null ? 'none yet' : `${nonce}`],
      ['On their way', plural(pending, 'call')],
      ['Sent and not final', plural(inFlight.length, 'transaction')],
    ]}
  />
)

function QueueCard({ standing }: { standing: Queue }) {
  const pages = usePages()
  const { name, empty } = QUEUES.find(({ value }) => value === standing)!
  const path = ofMarket('/v1/anchors', { standing, limit: PAGE_ROWS, cursor: pages.cursor })
  const answer = useAnswer<Page<AnchorItem>>(path, 'anchor')
  return (
    <Card title={name}>
      <Paged answer={answer} pages={pages} what="transactions">
        {(anchors) => <AnchorTable anchors={anchors} label={name} empty={empty} />}
      </Paged>
    </Card>
  )
}
