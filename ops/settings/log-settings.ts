import { z } from 'zod'

/** From nothing to everything. */
export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export const logSettings = z
  .strictObject({
    level: z
      .enum(LOG_LEVELS)
      .optional()
      .describe('The least important lines that are written; `info` when absent, and on a terminal `silent`.'),
  })
  .prefault({})
  .describe('JSON lines on standard error; the events are in [logging.md](logging.md).')
