/** The settings of the seals on what decides. */
import { z } from 'zod'
import { RULES_DEFAULTS } from '../../topology/rules.ts'

export const markerSettings = z
  .strictObject({
    publicKeys: z
      .array(z.string().regex(/^[0-9a-f]{64}$/, 'not 64 lower-case hex digits'))
      .default([])
      .describe(
        'Public keys (`sequencer keys marker`), oldest first: markers in `submissions`, and all of `epoch-ticks`, `batches`, `payouts`, `anchor-intents` and `anchor-results`, count only with the seal of one of them, and the newest seals. Part of the fingerprint; keep the old ones as long as the log holds records sealed with them (30 days). Without any, `deploy` takes the key of the file below, and the other roles take the deployed keys.',
      ),
    unsignedFirst: z
      .boolean()
      .default(RULES_DEFAULTS.unsignedMarkers)
      .describe(
        'Take markers without a signature until a partition has a signed one: for a log that was begun before markers were signed. Part of the fingerprint.',
      ),
    unsealedFirst: z
      .boolean()
      .optional()
      .describe(
        'Take ticks, batches, payouts, intents and results without a seal until their topic has a sealed one: for a log that was begun before they were sealed. Part of the fingerprint. Without it, as deployed: yes where an older release deployed the cluster, no in a new one.',
      ),
    signingKeyFile: z
      .string()
      .min(1)
      .optional()
      .describe(
        'File with the private key of the newest public key, 64 hex digits, for its reader alone as `anchor.signerKeyFile`. The roles clock, tick-fanout, batch, ledger, anchor and anchor-effects need it.',
      ),
  })
  .prefault({})
  .describe('The right to write what decides: who may write a topic of the cluster has it only with the key.')
