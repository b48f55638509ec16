/** The shape of `/v1/health`. */
import { z } from 'zod'
import { roleStatus } from './roles-schema.ts'
import { dataMarket, gap } from './schema.ts'

const text = z.string()
const whole = z.int().min(0)
const wholeOrNone = whole.nullable()

const heldPartition = z.object({ topic: text, partition: whole, records: whole, since: whole })
export const health = z
  .object({
    ready: z.boolean().describe('Every role of this process runs.'),
    roles: z.record(z.string(), z.object({ ready: z.boolean(), works: z.boolean(), detail: text, since: text })),
    stages: z
      .record(z.string(), z.object({ behind: whole, stillSince: wholeOrNone, waitsAt: text.nullable() }))
      .describe(
        'Each stage of any process, while the log answers: records not taken; since when it takes none, ms; the damaged batch that it waits at.',
      ),
    troubled: z
      .array(roleStatus)
      .describe('Roles that no process does now, by what all processes report; empty when none has reported.'),
    heldBack: z
      .array(heldPartition)
      .describe('The partitions where a transaction stays open for 45 s or more; since when, ms.'),
    view: z.object({
      lag: whole.describe('Records in the log that these answers do not reflect yet.'),
      caughtUp: z.boolean().describe('It has reached what was in the log when the process started.'),
    }),
    chain: z
      .object({ blockNumber: whole, at: whole.describe('When its tick was written, ms.') })
      .nullable()
      .describe('Newest block that became a tick; when it is old, the clock or its node stands still.'),
    markets: z.array(z.object({ dataMarket, headEpoch: wholeOrNone, stuck: z.array(gap) })),
  })
  .meta({ id: 'Health' })

export type HealthAnswer = z.infer<typeof health>
