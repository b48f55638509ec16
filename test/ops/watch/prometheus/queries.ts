/** What a PromQL query speaks of, by Prometheus' own grammar. */
import { parser } from '@prometheus-io/lezer-promql'
import type { Definition } from '../../../../ops/watch/metrics/definition.ts'
import { METRICS } from '../../../../ops/watch/metrics/table/index.ts'
import { timesAt } from '../../../../ops/watch/prometheus/alert.ts'
import { recordingRules } from '../../../../ops/watch/prometheus/recording.ts'
import { alertsAt } from '../../../../ops/watch/prometheus/rules.ts'

type Tree = ReturnType<typeof parser.parse>
type SyntaxNode = Tree['topNode']

const OF_EVERY_TARGET = ['job', 'instance']
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  up: [],
  process_start_time_seconds: [],
  process_cpu_seconds_total: [],
  process_resident_memory_bytes: [],
}
const ALERT_NAMES = alertsAt(timesAt(1)).map(({ name }) => name)
const ALERTS: Definition['labels'] = {
  service: ['sequencer'],
  alertstate: ['pending', 'firing'],
  alertname: ALERT_NAMES,
}

/** A recorded series has the labels that the level in its name says. */
const RECORDED = new Map(
  recordingRules(timesAt(1)).map(({ record }) => {
    const level = record.split(':')[0]!
    return [record, level === 'sequencer' ? {} : { [level]: 'of the level' }]
  }),
)

/** Series name → labels with their values. */
function labelsOf(series: string): Definition['labels'] | undefined {
  if (series === 'ALERTS') return ALERTS
  if (RECORDED.has(series)) return RECORDED.get(series)
  if (series in OTHERS) return {}
  for (const { name, type, labels = {} } of Object.values<Definition>(METRICS)) {
    if (name === series) return type === 'histogram' ? undefined : labels
    if (type === 'histogram' && [`${name}_bucket`, `${name}_sum`, `${name}_count`].includes(series))
      return series.endsWith('_bucket') ? { ...labels, le: 'upper bound' } : labels
  }
  return undefined
}

/** What is wrong with a query, in words; nothing when all of it can be. */
export function faultsOf(query: string): string[] {
  const tree = parser.parse(query)
  const faults: string[] = []
  const known = new Set(OF_EVERY_TARGET)
  const text = ({ from, to }: SyntaxNode): string => query.slice(from, to)
  for (const node of nodesOf(tree, '⚠')) faults.push(`no PromQL at ${query.slice(node.from, node.from + 20)}`)
  for (const selector of nodesOf(tree, 'VectorSelector')) {
    const name = text(selector.getChild('Identifier')!)
    const labels = labelsOf(name)
    if (!labels) faults.push(`there is no ${name}`)
    for (const label of Object.keys(labels ?? {})) known.add(label)
    for (const matcher of nodesOf(selector, 'UnquotedLabelMatcher'))
      if (labels) faults.push(...faultsOfMatcher(name, labels, matcher, text))
  }
  for (const label of nodesOf(tree, 'LabelName'))
    if (label.parent?.name === 'GroupingLabels' && !known.has(text(label)))
      faults.push(`nothing in it has a label ${text(label)}`)
  return faults
}

function faultsOfMatcher(
  name: string,
  labels: NonNullable<Definition['labels']>,
  matcher: SyntaxNode,
  text: (node: SyntaxNode) => string,
): string[] {
  const label = text(matcher.getChild('LabelName')!)
  const operator = text(matcher.getChild('MatchOp')!)
  const value = text(matcher.getChild('StringLiteral')!).slice(1, -1)
  if (OF_EVERY_TARGET.includes(label)) return []
  const values = labels[label]
  if (values === undefined) return [`${name} has no label ${label}`]
  if (typeof values === 'string') return []
  const wanted = operator.endsWith('~') ? value.split('|') : [value]
  return wanted
    .filter((one) => !values.some((of) => (operator.endsWith('~') ? new RegExp(`^(?:${one})$`).test(of) : of === one)))
    .map((one) => `${name} never has ${label} ${one}`)
}

function nodesOf(within: Tree | SyntaxNode, name: string): SyntaxNode[] {
  const found: SyntaxNode[] = []
  const top = 'topNode' in within ? within.topNode : within
  top.cursor().iterate((node) => {
    if (node.type.isError ? name === '⚠' : node.name === name) found.push(node.node)
  })
  return found
}
