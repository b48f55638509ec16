import { z } from 'zod'
import { whole } from '../config/market-schema.ts'

const file = z.string().min(1)

export const apiSettings = z
  .strictObject({
    viewDirectory: file
      .optional()
      .describe(
        'Where the view behind the answers is kept; a directory in the system’s temporary one by default. May be deleted: it is built anew from the topics.',
      ),
    keepHours: whole(1, 8_760)
      .default(720)
      .describe('Age at which rows leave the view. The topics keep 30 days at most.'),
    submissionsMax: whole(1_000, 10_000_000_000)
      .default(20_000_000)
      .describe(
        'Submissions that the view keeps, about 1 kB of disk each. Beyond it the oldest go; first those that only claim a slot.',
      ),
    legacyTokenFile: file
      .optional()
      .describe(
        'File with the token that clients of the deployed collector send; with it /legacy is served, without it not.',
      ),
  })
  .prefault({})
  .describe('The role api: docs/api.md.')
