/** The shape of `/v1/peers`, beside the shapes of schema.ts. */
import { z } from 'zod'
import { listOf } from './schema.ts'

const whole = z.int().min(0)

const peer = z
  .object({
    peerId: z.string(),
    messages: whole.describe(
      'Newer messages count more: a message that is five minutes old counts half. So do the other numbers.',
    ),
    refused: whole.describe('Cannot count, and beyond the rate of who brought them: not in the log.'),
    badSignatures: whole.describe('Not signed by an owner of their slot, or for a slot that there is not.'),
    votes: whole.describe('Signed by an owner of their slot, for an epoch that is open or early, and no copies.'),
    bannedUntil: whole.nullable().describe('Ms since 1970; 0: for good; null: not banned.'),
  })
  .meta({ id: 'Peer' })

export const peers = listOf(peer).extend({
  intakes: whole.describe('Intakes that have reported in the last two minutes.'),
  connections: whole.describe('Open connections of all of them.'),
})
export type PeerItem = z.infer<typeof peer>
export type PeersAnswer = z.infer<typeof peers>
