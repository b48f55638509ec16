/**
 * `npm run bench`: every benchmark as one table, a row per figure, with the machine it ran on. Names choose some of them,
 * e.g. `npm run bench -- stages close`; `--json` prints the rows as JSON.
 */
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import { benchClose } from './close.ts'
import { benchFlow } from './flow.ts'
import { benchIntake } from './intake.ts'
import { benchKafkaCodec } from './kafka-codec.ts'
import { benchLog } from './log.ts'
import { benchMemory } from './memory.ts'
import { benchMetrics } from './metrics.ts'
import type { BenchRow } from './rows.ts'
import { benchStages } from './stages.ts'
import { benchStreams } from './streams.ts'

const BENCHES = {
  stages: benchStages,
  streams: benchStreams,
  log: benchLog,
  codec: benchKafkaCodec,
  intake: benchIntake,
  close: benchClose,
  flow: benchFlow,
  metrics: benchMetrics,
  memory: benchMemory,
} as const satisfies Record<string, () => Promise<BenchRow[]>>

const asked = process.argv.slice(2).filter((word) => word !== '--json')
const json = process.argv.includes('--json')
const unknown = asked.filter((name) => !(name in BENCHES))
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}`)
  process.exit(2)
}

/** The load of others is part of every figure: on a busy machine the times are longer than the work. */
const machine = (): string =>
  [
    `${new Date().toISOString().slice(0, 16)}Z`,
    `node ${process.versions.node}`,
    `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown CPU'}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `load before ${loadavg()[0]!.toFixed(1)}`,
  ].join(', ')

for (const [name, bench] of Object.entries(BENCHES)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  const conditions = machine()
  const rows = await bench()
  if (json) console.log(JSON.stringify({ bench: name, machine: conditions, rows }))
  else {
    console.log(`\n## ${name} (${conditions})\n`)
    console.log('| what | figure | unit | conditions |\n|---|---:|---|---|')
    for (const { name: what, value, unit, conditions: how } of rows)
      console.log(`| ${what} | ${value.toLocaleString('en')} | ${unit} | ${how} |`)
  }
}
