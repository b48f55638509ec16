/** The shapes of `/v1/events`. */
import { z } from 'zod'
import { daySummary } from './days-schema.ts'
import { anchor, dataMarket, epochSummary, reasons } from './schema.ts'

const whole = z.int().min(0)

/** The data of each kind of event. `reset`: too much was missed, ask for the lists again. */
export const events = {
  epoch: epochSummary,
  verdicts: z.object({ dataMarket, epochId: whole, submissions: whole, reasons }).meta({ id: 'VerdictCounts' }),
  anchor,
  day: daySummary,
  reset: z.object({}),
}
