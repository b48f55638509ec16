/** `npm run metrics:generate`: writes what follows from the tables of metrics, alerts and dashboards. A test compares. */
import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { dashboardFiles } from '../grafana/dashboards.ts'
import { rulesText } from '../prometheus/rules.ts'
import { metricsReference } from './reference.ts'

const NOTE = '# Written by `npm run metrics:generate` from the tables beside this file.\n'

/** Path from the root of the repository → content. */
export function generatedFiles(): Readonly<Record<string, string>> {
  return {
    'docs/metrics.md': metricsReference(),
    'ops/watch/prometheus/rules.yml': NOTE + rulesText(),
    ...dashboardFiles(),
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  for (const [path, text] of Object.entries(generatedFiles()))
    writeFileSync(new URL(`../../../${path}`, import.meta.url), text)
