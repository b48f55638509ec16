/** The shape of a role with its processes: in `/v1/processes`, `/v1/status` and `/v1/health`. */
import { z } from 'zod'
import { ROLES } from '../base/roles.ts'
import { STANDINGS } from '../reading/processes.ts'

export const STANDING_HELP =
  'RUNS: it does the work. STANDS_BY: another one does. WAITS: for something outside. DOWN: it has not started, or failed.'

const holder = z.object({
  instanceId: z.string(),
  standing: z.enum([...STANDINGS, 'SILENT']),
  detail: z.string(),
  since: z.int().min(0).describe('Ms since 1970.'),
})

export const roleStatus = z.object({
  role: z.enum(ROLES),
  standing: z.enum([...STANDINGS, 'NOBODY']).describe(`The standing of the best process that runs. ${STANDING_HELP}`),
  processes: z.array(holder),
})
