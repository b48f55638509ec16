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
  const { kind, limits, stacked } = panel
  if (kind === 'stat') {
    const stat = withTargets(new StatBuilder(), panel)
    return limits ? stat.thresholds(thresholds(limits)) : stat
  }
  if (kind === 'timeline') return withTargets(new TimelineBuilder(), panel)
  if (kind === 'table')
    return withTargets(new TableBuilder(), panel).transformations([
      { id: 'merge', options: {} },
      { id: 'organize', options: { excludeByName: { Time: true, __name__: true, alertstate: true, service: true } } },
    ])
  const series = withTargets(new SeriesBuilder(), panel).fillOpacity(stacked ? 40 : 8)
  return stacked ? series.stacking(new StackingConfigBuilder().mode(StackingMode.Normal)) : series
}

/** The words, the place and the queries that every kind of panel has. */
function withTargets<B extends StatBuilder | TimelineBuilder | TableBuilder | SeriesBuilder>(
  builder: B,
  panel: Panel,
): B {
  const { kind, title, help, queries, unit = 'none', width } = panel
  return builder
    .title(title)
    .description(help)
    .datasource(SOURCE)
    .unit(unit)
    .span(width)
    .height(HEIGHT[kind])
    .targets(queries.map((query, at) => queryOf(query, kind, at))) as B
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
