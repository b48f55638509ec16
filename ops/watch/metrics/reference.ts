/** docs/metrics.md, from the table. */
import { CONNECTORS, type Role, STAGES } from '../../base/roles.ts'
import { type Definition, SECONDS } from './definition.ts'
import { METRICS } from './table/index.ts'

const HEAD = `# Metrics

Written by \`npm run metrics:generate\` from \`ops/watch/metrics/table/\`; a test compares. Every process answers \`/metrics\` with those
of its own roles, in OpenMetrics.

- Counters and histograms begin at 0 for every value that their labels can have: the first event is an increase. A gauge is not
  there before it is known, and no longer when another process has taken the work over.
- With several processes of a role: of \`intake\` and of the stages each has its share, so take the sum; of \`clock\` and
  \`anchor-effects\` one works; of \`api\` every one has the whole, so take the maximum.
- No label names a slot, a peer, a CID, an epoch or a submission. Two histograms name the epoch in exemplars
  (\`--enable-feature=exemplar-storage\` of Prometheus keeps them).
- Beside these there are \`process_*\` and \`nodejs_*\` of prom-client.
- Alerts: [runbook](runbook.md). Rules and scrape configuration: \`ops/watch/prometheus/\`. Dashboards: \`ops/watch/grafana/\`.

Of what other sequencers measure, or could, these are not here, since there is nothing behind them: gossip scores and resource
manager counts (the intake has no gossip; its limits are in \`seq_intake_shed_total\`), transport of a message (there is one).
`

const SECTIONS: readonly (readonly [title: string, isIn: (roles: readonly Role[]) => boolean])[] = [
  ['Every process', (roles) => roles.length === 0],
  ['intake', (roles) => roles[0] === 'intake'],
  ['clock', (roles) => roles[0] === 'clock'],
  ['anchor-effects', (roles) => roles[0] === 'anchor-effects'],
  ['api', (roles) => roles[0] === 'api'],
  ['The stages', (roles) => roles.length > 0 && (STAGES as readonly Role[]).includes(roles[0]!)],
]

export function metricsReference(): string {
  const all = Object.values<Definition>(METRICS)
  const sections = SECTIONS.map(([title, isIn]) => {
    const own = all.filter(({ roles = [] }) => isIn(roles))
    const mark = (CONNECTORS as readonly string[]).includes(title) ? '`' : ''
    return `## ${mark}${title}${mark}\n\n${own.map(entry).join('\n')}`
  })
  return `${HEAD}\n${sections.join('\n')}`
}

function entry(definition: Definition): string {
  const { name, type, unit, help, use, labels = {}, roles = [], exemplars } = definition
  const kind = `${type}, ${unit}${type === 'histogram' ? ` (${buckets(definition)})` : ''}${exemplars ? ', exemplars' : ''}`
  const alsoOf = roles.length > 1 && !STAGES.includes(roles[0] as never) ? ` Also of ${code(roles.slice(1))}.` : ''
  const lines = [`- **\`${name}\`** (${kind}): ${help}${alsoOf}${use ? ` ${use}` : ''}`]
  for (const [label, of] of Object.entries(labels))
    lines.push(`  - \`${label}\`: ${typeof of === 'string' ? of : code(of)}`)
  return `${lines.join('\n')}\n`
}

const code = (values: readonly string[]): string => values.map((value) => `\`${value}\``).join(', ')
const buckets = ({ buckets: of = SECONDS }: Definition): string => `${of[0]} to ${of.at(-1)}`
