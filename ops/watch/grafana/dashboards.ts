import { grafanaJson } from './build.ts'
import { overview } from './overview.ts'
import type { Dashboard } from './panel.ts'
import { chain, stages } from './parts.ts'

export const DASHBOARDS: readonly Dashboard[] = [overview, chain, stages]

/** Path from the root of the repository → content. */
export const dashboardFiles = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    DASHBOARDS.map((dashboard) => [
      `ops/watch/grafana/dashboards/${dashboard.uid}.json`,
      `${JSON.stringify(grafanaJson(dashboard), null, 2)}\n`,
    ]),
  )
