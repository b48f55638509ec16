/** Runs the clock on an embedded log in a process of its own, which the tests kill. Prints the cursor at each step. */
import { startClock } from '../../../../connectors/evm/clock/clock.ts'
import { openEmbeddedLog } from '../../../../connectors/log/embedded/embedded.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { clockTopics } from './clock-harness.ts'

const [directory = '', rpcUrl = '', chainId = '', protocolState = '', market = '', startBlock = ''] =
  process.argv.slice(2)
const log = await openEmbeddedLog({ directory })
const clock = await startClock(
  {
    appId: 'test',
    topics: await clockTopics(),
    urls: [rpcUrl],
    chainId: Number(chainId),
    protocolState,
    markets: [{ dataMarket: market, windowUnit: 'blocks' }],
    startBlock: Number(startBlock),
    depth: 0,
    pollMs: 20,
    rangeBlocks: 3,
    slotsRereadBlocks: 25,
    observer: { advanced: ({ cursor }) => void process.stdout.write(`${cursor}\n`) },
  },
  { log, clock: systemClock },
)
process.once('SIGTERM', () => {
  void clock
    .close()
    .then(() => log.close())
    .then(() => process.exit(0))
})
void clock.stopped.then((error) => error && process.stderr.write(`${error.stack}\n`))
