/** The rules that Prometheus evaluates; `npm run metrics:generate` writes them to rules.yml. */
import { stringify } from 'yaml'
import { type Alert, type Times, timesAt } from './alert.ts'
import { anchorAlerts } from './alerts/anchor.ts'
import { budgetAlerts } from './alerts/budgets.ts'
import { chainAlerts } from './alerts/chain.ts'
import { dayAlerts } from './alerts/days.ts'
import { epochAlerts } from './alerts/epochs.ts'
import { intakeAlerts } from './alerts/intake.ts'
import { logAlerts } from './alerts/log.ts'
import { processAlerts } from './alerts/processes.ts'
import { stageAlerts } from './alerts/stages.ts'
import { recordingRules } from './recording.ts'

const RUNBOOK = 'docs/runbook.md'

/** From the ground up: what explains others comes before them. */
const TABLES = [
  processAlerts,
  logAlerts,
  stageAlerts,
  intakeAlerts,
  chainAlerts,
  anchorAlerts,
  epochAlerts,
  dayAlerts,
  budgetAlerts,
]

export const alertsAt = (times: Times): readonly Alert[] => TABLES.flatMap((table) => table(times))

/**
 * @param scale factor of every time in them, for tests
 * @param interval between two evaluations
 */
export function rulesText({ scale = 1, interval = '15s' }: { scale?: number; interval?: string } = {}): string {
  const times = timesAt(scale)
  const groups = [
    { name: 'sequencer-records', interval, rules: recordingRules(times) },
    { name: 'sequencer-alerts', interval, rules: alertsAt(times).map((alert) => ruleOf(alert, times)) },
  ]
  return stringify({ groups }, { lineWidth: 0, aliasDuplicateObjects: false })
}

function ruleOf(alert: Alert, { range }: Times) {
  const { name, severity, summary, description, for: held = 0 } = alert
  return {
    alert: name,
    expr: quietWhenExplained(alert),
    ...(held > 0 && { for: range(held) }),
    labels: { service: 'sequencer', severity },
    annotations: { summary, description, runbook_url: `${RUNBOOK}#${name.toLowerCase()}` },
  }
}

function quietWhenExplained({ expr, explainedBy = [] }: Alert): string {
  if (explainedBy.length === 0) return expr
  return `(${expr}) unless on () ALERTS{service="sequencer",alertstate="firing",alertname=~"${explainedBy.join('|')}"}`
}
