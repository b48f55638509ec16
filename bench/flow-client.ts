/** Child of bench/flow.ts: signs submissions of epoch 1, says so, and sends them when a line comes in. */
import { once } from 'node:events'
import type { Kind } from '../ops/world/snapshotters/kinds.ts'
import { message } from '../ops/world/snapshotters/message.ts'
import { createSenders } from '../ops/world/snapshotters/stream-pool.ts'
import { headerOf, walletOf } from './flow-world.ts'
import { market, PROJECTS, submissionOf } from './stage-data.ts'

const [, , to = '', count = '0', connections = '4'] = process.argv
const good: Kind = 'good'
const header = headerOf(1)
const frames = Array.from({ length: Number(count) }, (_, n) => {
  const wallet = walletOf(1 + Math.floor(n / PROJECTS))
  const { deadline, snapshotCid, projectId } = submissionOf(n)
  const fields = { slotId: wallet.slotId, deadline, snapshotCid, epochId: 1, projectId, header }
  return message(market, wallet, good, { ...fields, dataMarket: market.dataMarket }).bytes
})
const never = new AbortController().signal
const senders = await createSenders({ to, connections: Number(connections), encryption: 'both' }, never)
process.stdout.write('signed\n')
await once(process.stdin, 'data')
await Promise.all(
  senders.map(async (sender, first) => {
    for (let at = first; at < frames.length; at += senders.length) await sender.send(frames[at]!, false)
  }),
)
process.stdout.write('sent\n')
await once(process.stdin, 'data')
process.exit(0)
