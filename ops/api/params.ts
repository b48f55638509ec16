/** The parameters of requests; the description and the refusals come from the same schemas. */
import { z } from 'zod'
import { purpose } from './days-schema.ts'
import { batchStanding, dataMarket, PAGE_DEFAULT, PAGE_MAX, reason } from './schema.ts'
import { ORIGINS } from './view/origin.ts'

/** A number as text, the way a URL has it. */
const numeric = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/, 'not a whole number')
    .transform(Number)
    .pipe(z.int().min(min).max(max))

const anyWhole = numeric(0, Number.MAX_SAFE_INTEGER)
/** Longer than any CID, UUID or cursor of ours. */
const name = z.string().min(1).max(1_024)

export const epochId = anyWhole.describe('Epoch.')
export const day = anyWhole.describe('Day of the contract.')
export const slotId = anyWhole.describe('Slot.')
/** A submission may name slot 0, which is none. */
export const realSlotId = numeric(1, Number.MAX_SAFE_INTEGER).describe('Slot, from 1.')
export const submissionId = name.describe('Id that the collector gave the submission.')
export const cid = name.describe('CID of the batch.')

export const market = z
  .string()
  .transform((text) => text.toLowerCase())
  .pipe(dataMarket)
  .optional()
  .describe('Data market; may be left out when there is one, and where a list may hold all of them.')

export const page = {
  limit: numeric(1, PAGE_MAX).default(PAGE_DEFAULT).describe('Items of the page at most.'),
  cursor: name.optional().describe('`next` of the page before.'),
}
export const filters = {
  epoch: anyWhole.optional().describe('Only this epoch.'),
  slot: anyWhole.optional().describe('Only this slot.'),
  reason: reason.optional().describe('Only verdicts with this reason.'),
  project: name.optional().describe('Only this project.'),
  origin: z
    .enum(ORIGINS)
    .default('OWNER')
    .describe('The submissions of the slot’s owner, or the ones that only claim the slot.'),
  purpose: purpose.optional().describe('Only calls for this purpose.'),
  eligible: z.enum(['true', 'false']).optional().describe('Only slots that have the quota, or only slots that do not.'),
  standing: batchStanding
    .optional()
    .describe('On their way, FINAL, or lost: LATE or FAILED, so that they will not be on the chain.'),
}

/** The parameters that nobody knows, and what is wrong with the others, in words. */
export function faultsOf(error: z.ZodError, known: readonly string[]): string {
  return error.issues
    .map((issue) =>
      issue.code === 'unrecognized_keys'
        ? `unknown query parameter ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}; ${known.length > 0 ? `known here: ${known.join(', ')}` : 'none is known here'}`
        : `${issue.path.join('.')}: ${issue.message}`,
    )
    .join('; ')
}
