/** The settings of what signs markers. */
import { z } from 'zod'
import { RULES_DEFAULTS } from '../../topology/rules.ts'

export const markerSettings = z
  .strictObject({
    publicKeys: z
      .array(z.string().regex(/^[0-9a-f]{64}$/, 'not 64 lower-case hex digits'))
      .default([])
      .describe(
        'Public keys of the role tick-fanout (`sequencer keys marker`), oldest first: markers in `submissions` count only with the signature of one of them, and the newest signs. Part of the fingerprint; keep the old ones as long as the log holds their markers. Without any, `deploy` takes the key of the file below, and the other roles take the deployed keys.',
      ),
    unsignedFirst: z
      .boolean()
      .default(RULES_DEFAULTS.unsignedMarkers)
      .describe(
        'Take markers without a signature until a partition has a signed one: for a log that was begun before markers were signed. Part of the fingerprint.',
      ),
    signingKeyFile: z
      .string()
      .min(1)
      .optional()
      .describe(
        'File with the private key of the newest public key, 64 hex digits, for its reader alone as `anchor.signerKeyFile`. Only the role tick-fanout reads it.',
      ),
  })
  .prefault({})
  .describe('The right to open and close epochs in `submissions`, which others write too.')
