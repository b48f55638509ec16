/** `npm run cluster`: a whole cluster on this machine, until Ctrl-C. */
import { resolve } from 'node:path'
import { Command } from 'commander'
import { z } from 'zod'
import { explain } from '../../base/cli-error.ts'
import { parseOptions, port, whole } from '../../base/options.ts'
import { stderr, stdout } from '../../base/output.ts'
import { type Launch, launch } from '../brokers/launch.ts'
import { createSteps } from '../brokers/steps.ts'
import { brokersOf, claimDirectory, portsOf } from './directory.ts'
import type { Ended, Member } from './member.ts'
import { startCluster } from './start.ts'
import { createStory, shellWord } from './story.ts'

const BEGUN_AT = Date.now()
/** A snapshotter is one slot of the chain. */
const SNAPSHOTTERS = 36
/** An epoch in 8 s: a machine of two cores, which runs all of it, keeps up. */
const PACE = ['--epoch-blocks', '8', '--window', '5'] as const

const schema = z.object({
  brokers: z.literal(['1', '3'], { error: 'not 1 or 3' }).optional(),
  directory: z.string().min(1, 'no name of a directory'),
  listenPort: port,
  opsPort: port,
  chainPort: port,
  snapshotters: whole(0, 1_000),
  keepGoing: z.boolean().default(false),
})
type Options = z.infer<typeof schema>

const steps = createSteps(stdout, Date.now)
const { log } = steps

const command = new Command('npm run cluster --')
  .description(
    'Start brokers, a registry, a development chain, the sequencer in three processes and snapshotters, until Ctrl-C.\n' +
      'Needs Java 17, Maven and pip.',
  )
  .option('--brokers <number>', '1 or 3; what the directory has when it is left out, and at first 1')
  .option('--directory <dir>', 'data, logs and sequencer.yaml; a second start goes on from it', './cluster')
  .option('--listen-port <port>', 'libp2p port of the intake; 0 takes a free one', '9100')
  .option('--ops-port <port>', 'port of console and query API; 0 takes a free one', '9090')
  .option('--chain-port <port>', 'port of the development chain; 0 takes a free one', '8545')
  .option('--snapshotters <n>', 'simulated snapshotters, one slot each; 0 for none', String(SNAPSHOTTERS))
  .option('--keep-going', 'to try outages: a process that ends is said, and ends nothing else')
  .action((given: unknown) => {
    const options = parseOptions(schema, given, 'npm run cluster --')
    return launch((ports) => run(options, ports), {
      stopping: () => log('stopping; once more to stop at once'),
      stopped: () => log(`Everything has ended. To go on: npm run cluster${again(options)}`),
    })
  })

const again = ({ directory }: Options): string =>
  resolve(directory) === resolve('cluster') ? '' : ` -- --directory ${shellWord(directory)}`

async function run(options: Options, ports: Launch): Promise<void> {
  const { directory, snapshotters, listenPort, opsPort, chainPort } = options
  const brokers = brokersOf(directory, options.brokers && (Number(options.brokers) as 1 | 3))
  await ports.parts.add('directory', claimDirectory(directory))
  const at = await portsOf({ 'listen-port': listenPort, 'ops-port': opsPort, 'chain-port': chainPort })
  const story = createStory(steps, BEGUN_AT, Date.now)
  const cluster = await startCluster(
    {
      ...steps,
      directory,
      brokers,
      chainArgs: [...PACE, '--chain-port', `${at['chain-port']}`, '--snapshotters', `${snapshotters}`],
      settings: (made) => ({
        ...made,
        intake: { ...made.intake, listen: [`/ip4/127.0.0.1/tcp/${at['listen-port']}`] },
        ops: { port: at['ops-port'] },
      }),
      ...(snapshotters > 0 && { snapshotterArgs: ['--slots', `${snapshotters}`] }),
      onEvent: story.heard,
      ...(options.keepGoing && { onEnded: saidOnly }),
    },
    ports,
  )
  story.running(cluster)
}

/** With --keep-going. */
function saidOnly({ name, args }: Member, { error }: Ended): void {
  stderr.print(...explain(error).lines)
  log(`${name} again: ./sequencer ${args.map(shellWord).join(' ')}`)
}

try {
  await command.parseAsync()
} catch (error) {
  const { lines, exitCode } = explain(error)
  stderr.print(...lines)
  process.exitCode = exitCode
}
