/** Every metric. docs/metrics.md is written from this, the rules and the dashboards are checked against it. */
import type { Definition } from '../definition.ts'
import { ANCHOR } from './anchor.ts'
import { CHAIN } from './chain.ts'
import { COMMON } from './common.ts'
import { DAYS } from './days.ts'
import { EPOCHS } from './epochs.ts'
import { INTAKE } from './intake.ts'
import { OF_OFFSETS } from './offsets.ts'
import { OF_STAGES } from './stages.ts'

export const METRICS = {
  ...COMMON,
  ...INTAKE,
  ...CHAIN,
  ...ANCHOR,
  ...EPOCHS,
  ...DAYS,
  ...OF_OFFSETS,
  ...OF_STAGES,
} as const satisfies Record<string, Definition>
