import { z } from 'zod'
import { httpUrl } from '../base/options.ts'

export const tracingSettings = z
  .strictObject({
    otlpUrl: httpUrl
      .optional()
      .describe(
        'Address for traces, by OTLP over HTTP, e.g. `http://collector:4318/v1/traces`; without it there are none.',
      ),
    sampleShare: z.number().min(0).max(1).default(0.01).describe('Share of the submissions that are traced.'),
  })
  .prefault({})
  .describe('Told by the role api. The id of a submission, without its dashes, is the id of its trace.')
