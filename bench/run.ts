/** `npm run bench`: every benchmark, one row a figure. Give names to run only some: stages streams log codec intake. */
import { benchIntake } from './intake.ts'
import { benchKafkaCodec } from './kafka-codec.ts'
import { benchLog } from './log.ts'
import { benchStages } from './stages.ts'
import { benchStreams } from './streams.ts'

const BENCHES = {
  stages: benchStages,
  streams: benchStreams,
  log: benchLog,
  codec: benchKafkaCodec,
  intake: benchIntake,
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !(name in BENCHES))
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}`)
  process.exit(2)
}
for (const [name, bench] of Object.entries(BENCHES)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  console.log(`# ${name}`)
  for (const row of await bench()) console.log(Object.values(row).join('  '))
}
