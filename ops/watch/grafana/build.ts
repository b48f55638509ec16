/** Grafana's JSON of a dashboard. */
import type { Dataquery as AnyQuery, Builder } from '@grafana/grafana-foundation-sdk/cog'
import { StackingConfigBuilder, StackingMode } from '@grafana/grafana-foundation-sdk/common'
import {
  DashboardBuilder,
  DatasourceVariableBuilder,
  type Dashboard as GrafanaDashboard,
  type Panel as GrafanaPanel,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as TimelineBuilder } from '@grafana/grafana-foundation-sdk/statetimeline'
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table'
import { PanelBuilder as SeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries'
import type { Dashboard, Panel, Query } from './panel.ts'

const SOURCE = { type: 'prometheus', uid: '$source' }
const HEIGHT = { stat: 5, series: 8, table: 9, timeline: 8 } as const

export function grafanaJson({ uid, title, help, rows }: Dashboard): GrafanaDashboard {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(help)
    .tags(['sequencer'])
    .refresh('10s')
    .time({ from: 'now-1h', to: 'now' })
    .timezone('browser')
    .withVariable(new DatasourceVariableBuilder('source').label('Prometheus').type('prometheus'))
    .withVariable(
      new QueryVariableBuilder('market')
        .label('Market')
        .datasource(SOURCE)
        .query('label_values(seq_epoch_head, market)')
        .refresh(VariableRefresh.OnTimeRangeChanged)
        .multi(true)
        .includeAll(true)
        .allValue('.*'),
    )
  for (const { title: row, panels } of rows) {
    builder.withRow(new RowBuilder(row))
    for (const panel of panels) builder.withPanel(panelOf(panel))
  }
  return builder.build()
}

function panelOf(panel: Panel): Builder<GrafanaPanel> {
  const { kind, title, help, queries, unit = 'none', width, limits, stacked } = panel
  const targets = queries.map((query, at) => queryOf(query, kind, at))
  const common = <B extends StatBuilder | TimelineBuilder | TableBuilder | SeriesBuilder>(builder: B): B =>
    builder
      .title(title)
      .description(help)
      .datasource(SOURCE)
      .unit(unit)
      .span(width)
      .height(HEIGHT[kind])
      .targets(targets) as B
  if (kind === 'stat')
    return limits ? common(new StatBuilder()).thresholds(thresholds(limits)) : common(new StatBuilder())
  if (kind === 'timeline') return common(new TimelineBuilder())
  if (kind === 'table')
    return common(new TableBuilder()).transformations([
      { id: 'merge', options: {} },
      { id: 'organize', options: { excludeByName: { Time: true, __name__: true, alertstate: true, service: true } } },
    ])
  const series = common(new SeriesBuilder()).fillOpacity(stacked ? 40 : 8)
  return stacked ? series.stacking(new StackingConfigBuilder().mode(StackingMode.Normal)) : series
}

function queryOf({ expr, legend = '' }: Query, kind: Panel['kind'], at: number): Builder<AnyQuery> {
  const builder = new DataqueryBuilder().refId('ABCDEFGH'[at]!).expr(expr).legendFormat(legend)
  return kind === 'table' ? builder.instant().format(PromQueryFormat.Table) : builder.range()
}

function thresholds([yellow, red]: readonly [number, number]) {
  const steps =
    red < yellow
      ? [
          { value: null, color: 'red' },
          { value: red, color: 'yellow' },
          { value: yellow, color: 'green' },
        ]
      : [
          { value: null, color: 'green' },
          { value: yellow, color: 'yellow' },
          { value: red, color: 'red' },
        ]
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps)
}
