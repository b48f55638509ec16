/** Look-ups as the options of `why` and `epoch`. */
import { z } from 'zod'
import { address, evenWithFaults, whole } from '../base/options.ts'
import type { EpochQuery } from '../reading/epoch.ts'
import type { WhyQuery } from '../reading/why.ts'

const number = whole(0, Number.MAX_SAFE_INTEGER)

export const whySchema = z
  .object({
    slot: number.optional(),
    submissionId: z.string().toLowerCase().optional(),
    epoch: number.optional(),
    project: z.string().optional(),
    dataMarket: address.optional(),
    json: z.boolean().optional(),
  })
  .refine(
    ({ slot, submissionId }) => slot !== undefined || submissionId !== undefined,
    evenWithFaults('--slot or --submission-id is needed'),
  )

export const epochSchema = z.object({
  id: number,
  dataMarket: address.optional(),
  json: z.boolean().optional(),
})

export type WhyFields = z.infer<typeof whySchema>
export type EpochFields = z.infer<typeof epochSchema>

export const whyQuery = ({ slot, submissionId, epoch, project, dataMarket }: WhyFields): WhyQuery => ({
  slotId: slot,
  submissionId,
  epochId: epoch,
  projectId: project,
  dataMarket,
})

export const epochQuery = ({ id, dataMarket }: EpochFields): EpochQuery => ({ epochId: id, dataMarket })
