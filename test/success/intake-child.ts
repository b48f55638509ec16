/**
 * An intake as a process: says where it is in a line of JSON, and at SIGTERM, once it has ended, what its log took and what it
 * counted. Arguments: port, folder of the key, ms that an append takes.
 */
import { join } from 'node:path'
import { startIntake } from '../../connectors/libp2p/intake.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { ScriptedLog, topics } from '../connectors/libp2p/harness.ts'

const [port = '0', folder = '.', appendMs = '0'] = process.argv.slice(2)
const log = new ScriptedLog()
log.before = () => systemClock.sleep(Number(appendMs))
const keyFile = join(folder, 'peer.key')
const intake = await startIntake(
  { listen: [`/ip4/127.0.0.1/tcp/${port}`], keyFile, topics },
  { log, clock: systemClock },
)
const say = (value: unknown): Promise<void> =>
  new Promise((done) => process.stdout.write(`${JSON.stringify(value)}\n`, () => done()))
process.once('SIGTERM', async () => {
  const began = Date.now()
  await intake.close()
  const { unappended, notParted, oversize, shed } = intake.stats()
  const ids = log.submissions.map(({ submissionId }) => submissionId)
  await say({ ids, ms: Date.now() - began, unappended, notParted, oversize, cut: shed.parting })
  process.exit()
})
await say({ multiaddr: intake.multiaddrs[0] })
