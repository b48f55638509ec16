/** Verdicts by reason, a stacked bar per epoch. The same numbers are there as a table. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import type { EpochSummary } from '../../../schema.ts'
import { count } from '../format.ts'
import { colours } from '../theme.ts'
import { Empty, Scrolling } from './basics.tsx'
import { colourName, nameOf, type Stack, stacksOf } from './stacks.ts'

const HEIGHT = 220

export function VerdictChart({ epochs }: { epochs: readonly EpochSummary[] }) {
  const [refusedOnly, setRefusedOnly] = useState(false)
  const oldestFirst = useMemo(() => epochs.toReversed(), [epochs])
  const stacks = useMemo(() => stacksOf(oldestFirst, refusedOnly), [oldestFirst, refusedOnly])
  if (!stacksOf(oldestFirst, false).some(({ total }) => total > 0))
    return <Empty title="No verdict yet">Verdicts show here as soon as submissions come in.</Empty>
  return (
    <>
      <div class="chart-head">
        <Legend stacks={stacks} />
        <label class="switch">
          <input type="checkbox" checked={refusedOnly} onChange={() => setRefusedOnly(!refusedOnly)} />
          Only the refused
        </label>
      </div>
      {stacks.length === 0 ? (
        <Empty title="Nothing was refused" />
      ) : (
        <Plot ids={oldestFirst.map(({ epochId }) => epochId)} stacks={stacks} />
      )}
      <details class="as-table">
        <summary>As a table</summary>
        <StackTable epochs={epochs} stacks={stacks} />
      </details>
    </>
  )
}

const Legend = ({ stacks }: { stacks: readonly Stack[] }) => (
  <ul class="legend">
    {stacks.map(({ reason, total }, index) => (
      <li key={reason}>
        <span class="swatch" style={{ background: `var(${colourName(stacks, index)})` }} />
        {nameOf(reason)} <span class="muted">{count(total)}</span>
      </li>
    ))}
  </ul>
)

const StackTable = ({ epochs, stacks }: { epochs: readonly EpochSummary[]; stacks: readonly Stack[] }) => (
  <Scrolling label="Verdicts per epoch as a table">
    <table>
      <thead>
        <tr>
          <th scope="col">Epoch</th>
          {stacks.map(({ reason }) => (
            <th key={reason} scope="col" class="num">
              {nameOf(reason)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {epochs.map(({ epochId }, row) => (
          <tr key={epochId}>
            <th scope="row">{epochId}</th>
            {stacks.map(({ reason, values }) => (
              <td key={reason} class="num">
                {count(values[values.length - 1 - row]!)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  </Scrolling>
)

/** A bar under the pointer is told in words below the chart. */
function Plot({ ids, stacks }: { ids: readonly number[]; stacks: readonly Stack[] }) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const [at, setAt] = useState<number | null>(null)
  const names = stacks.map(({ reason }) => reason).join()
  const data = useMemo(() => dataOf(ids, stacks), [ids, stacks])
  const theme = colours.value
  useEffect(() => {
    const parent = box.current!
    const made = new uPlot(optionsOf(parent, stacks, setAt), data, parent)
    plot.current = made
    const watch = new ResizeObserver(() => made.setSize({ width: parent.clientWidth, height: HEIGHT }))
    watch.observe(parent)
    return () => {
      watch.disconnect()
      made.destroy()
    }
  }, [names, theme])
  useEffect(() => plot.current?.setData(data), [data])
  const words = `Verdicts per epoch, epochs ${ids[0]} to ${ids.at(-1)}. The numbers are in the table below.`
  return (
    <>
      <div ref={box} class="plot" role="img" aria-label={words} />
      <p class="note hovered">
        {at === null || ids[at] === undefined ? 'A bar per epoch' : barWords(ids[at], stacks, at)}
      </p>
    </>
  )
}

function barWords(epochId: number, stacks: readonly Stack[], at: number): string {
  const parts = stacks.filter(({ values }) => values[at]! > 0)
  const words = parts.map(({ reason, values }) => `${count(values[at]!)} ${nameOf(reason)}`)
  return `Epoch ${epochId}: ${words.join(', ') || 'nothing'}`
}

/** uPlot draws what lies behind first: the whole stack, then the stack without its top, and so on. */
function dataOf(ids: readonly number[], stacks: readonly Stack[]): uPlot.AlignedData {
  const sums = ids.map(() => 0)
  const tops = stacks.map(({ values }) => values.map((value, i) => (sums[i] = sums[i]! + value)))
  return [[...ids], ...tops.toReversed()]
}

function optionsOf(parent: HTMLElement, stacks: readonly Stack[], onBar: (at: number | null) => void): uPlot.Options {
  const colour = (name: string): string => colourOf(parent, name)
  const axis = {
    stroke: colour('--muted'),
    font: `12px ${getComputedStyle(parent).fontFamily}`,
    ticks: { show: false },
  }
  const paths = uPlot.paths.bars!({ size: [0.75, 28] })
  const series = stacks.map((_, i) => ({
    fill: colour(colourName(stacks, i)),
    width: 0,
    paths,
    points: { show: false },
  }))
  const whole = (_: uPlot, places: number[]) => places.map((at) => (Number.isInteger(at) ? `${at}` : ''))
  return {
    width: parent.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: (_, min, max) => [min - BAR_HALF, max + BAR_HALF] },
      y: { range: (_, _min, max) => [0, max * HEADROOM || 1] },
    },
    axes: [
      { ...axis, size: 28, grid: { show: false }, values: whole },
      { ...axis, size: 56, grid: { stroke: colour('--line'), width: 1 }, values: (_, places) => places.map(count) },
    ],
    series: [{}, ...series.toReversed()],
    hooks: { setCursor: [({ cursor }) => onBar(cursor.idx ?? null)] },
  }
}

const BAR_HALF = 0.6
const HEADROOM = 1.05

/** A colour of the style sheet as a canvas takes it. */
function colourOf(element: HTMLElement, name: string): string {
  element.style.color = `var(${name})`
  const { color } = getComputedStyle(element)
  element.style.color = ''
  return color
}
