/** The batches and calls on their way to the chain. */

import { isEnding } from '../../../../../schemas/anchor-keys.ts'
import { orNull } from '../../../../../schemas/none.ts'
import type { AnchorItem } from '../../../schema.ts'
import { epochRoute } from '../routes.ts'
import { BATCH_STATES, callName } from '../words.ts'
import { Ago, Empty, Hash, Link, Scrolling, Tag } from './basics.tsx'

export function AnchorTable({
  anchors,
  label,
  empty,
}: {
  anchors: readonly AnchorItem[]
  label: string
  empty: string
}) {
  if (anchors.length === 0) return <Empty title={empty} />
  return (
    <Scrolling label={`Table: ${label}`}>
      <table class="anchors">
        <thead>
          <tr>
            <th scope="col">Epoch</th>
            <th scope="col">What</th>
            <th scope="col">State</th>
            <th scope="col">For</th>
            <th scope="col" class="wide">
              Transaction
            </th>
            <th scope="col" class="num wide">
              Nonce
            </th>
            <th scope="col" class="num wide">
              Block
            </th>
            <th scope="col" class="num wide">
              Attested
            </th>
          </tr>
        </thead>
        <tbody>
          {anchors.map((anchor) => (
            <Row key={`${anchor.dataMarket}/${anchor.epochId}/${anchor.batchIndex}`} anchor={anchor} />
          ))}
        </tbody>
      </table>
    </Scrolling>
  )
}

function Row({ anchor }: { anchor: AnchorItem }) {
  const { epochId, batchIndex, cid, state, error, attempts, transactionHash, nonce, blockNumber, changedAt } = anchor
  const { name, tone, help } = BATCH_STATES[state]
  const { reorgs } = anchor
  return (
    <>
      <tr class={error ? 'has-error' : ''}>
        <th scope="row">
          <Link to={epochRoute(epochId)}>{epochId}</Link>
        </th>
        <td class="nowrap">
          {cid ? <Link to={{ page: 'batch', cid }}>{callName(batchIndex)}</Link> : callName(batchIndex)}
        </td>
        <td>
          <span title={help}>
            <Tag tone={error && tone === 'busy' ? 'warn' : tone}>{name}</Tag>
            {reorgs > 0 && <small> again, the chain went back {reorgs} ×</small>}
          </span>
        </td>
        <td class="nowrap">
          <Ago at={changedAt} after="" />
        </td>
        <td class="wide">
          <Hash text={transactionHash} name="transaction" />
        </td>
        <td class="num wide">{nonce ?? '–'}</td>
        <td class="num wide">{orNull(blockNumber) ?? '–'}</td>
        <td class="num wide">{isEnding(anchor) ? '' : attestedWords(anchor)}</td>
      </tr>
      {error && (
        <tr class="error-row">
          <td colSpan={8}>
            Attempt {attempts}: {error}
          </td>
        </tr>
      )}
    </>
  )
}

function attestedWords({ attestations, attested, diverged }: AnchorItem): string {
  if (diverged) return 'another root'
  return attested ? `${attestations.length} ✓` : `${attestations.length}`
}
