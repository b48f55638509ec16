/** The peers that send most to the intakes, and the outcome of their messages. Addresses are not told here: anybody may open this page. */
import type { PeerItem, PeersAnswer } from '../../../peers-schema.ts'
import { now } from '../connection.ts'
import { clockTime, count, plural } from '../format.ts'
import { Empty, Hash, Scrolling, Tag, Words } from './basics.tsx'

export function TopTalkers({ peers: { intakes, connections, items } }: { peers: PeersAnswer }) {
  if (intakes === 0)
    return (
      <Empty title="No intake has reported in the last two minutes">
        Each says every ten seconds who sends to it, once it runs.
      </Empty>
    )
  const open = `${plural(connections, 'connection')} to ${plural(intakes, 'intake')}.`
  if (items.length === 0) return <Empty title="Nobody has sent anything recently">{open}</Empty>
  return (
    <>
      <Scrolling label="Table: top talkers">
        <table class="peers">
          <thead>
            <tr>
              <th scope="col">Peer</th>
              <th scope="col" class="num">
                Messages
              </th>
              <th scope="col" class="num">
                Refused
              </th>
              <th scope="col" class="num">
                Bad signatures
              </th>
              <th scope="col" class="num">
                Votes
              </th>
              <th scope="col">Banned</th>
            </tr>
          </thead>
          <tbody>
            {items.map((peer) => (
              <Row key={peer.peerId} peer={peer} />
            ))}
          </tbody>
        </table>
      </Scrolling>
      <p class="note">
        {open} <Words text="Addresses: `sequencer peers list`." />
      </p>
    </>
  )
}

const Row = ({ peer: { peerId, messages, refused, badSignatures, votes, bannedUntil } }: { peer: PeerItem }) => (
  <tr>
    <th scope="row">
      <Hash text={peerId} name="peer id" />
    </th>
    <td class="num">{count(messages)}</td>
    <td class="num">{count(refused)}</td>
    <td class="num">{count(badSignatures)}</td>
    <td class="num">{count(votes)}</td>
    <td class="nowrap">
      {bannedUntil === null ? (
        <span class="muted">no</span>
      ) : (
        <Tag tone="bad">{bannedUntil === 0 ? 'for good' : `until ${clockTime(bannedUntil, now.value)}`}</Tag>
      )}
    </td>
  </tr>
)
