/** `npm run kafka`: a broker (or three) to try things on, until Ctrl-C. */
import { mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { stderr, stdout } from '../../base/output.ts'
import { type Launch, launch } from './launch.ts'
import { startRegistry } from './registry.ts'
import { startKafka } from './start.ts'
import { createSteps } from './steps.ts'

interface Options {
  readonly brokers: '1' | '3'
  readonly directory?: string
  readonly registry?: boolean
}

const { log, progress } = createSteps(stderr, Date.now)

const command = new Command('npm run kafka --')
  .description('Start Apache Kafka on loopback and run it until Ctrl-C (needs Java 17 and Maven)')
  .addOption(new Option('--brokers <number>', 'how many brokers').choices(['1', '3']).default('1'))
  .option('--directory <dir>', 'data and logs; kept, and used again (default: a temporary one, removed at the end)')
  .option('--registry', 'a schema registry too (needs pip)')
  .action(async (options: Options) => {
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'sequencer-kafka-'))
    await launch((ports) => run({ ...options, directory }, ports), {
      stopping: () => log('stopping; once more to stop at once'),
      stopped() {
        if (options.directory === undefined) rmSync(directory, { recursive: true, force: true })
        log(options.directory === undefined ? 'stopped' : `stopped; a second start goes on from ${directory}`)
      },
    })
    if (options.directory === undefined) removeEmpty(directory) // of a start that failed the logs are kept
  })

async function run(options: Options & { readonly directory: string }, { parts, signal, fail }: Launch): Promise<void> {
  const { directory } = options
  const ports = { log, progress, signal, onEnded: fail }
  const brokers = Number(options.brokers) as 1 | 3
  const kafka = await parts.add('kafka', startKafka({ ...ports, brokers, directory }))
  stdout.print(`kafka     ${kafka.bootstrap.join(',')}`)
  if (!options.registry) return
  const registry = await startRegistry({ ...ports, directory: join(directory, 'registry') })
  await parts.add('registry', { close: () => registry.stop() })
  stdout.print(`registry  ${registry.url}`)
}

function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory)
  } catch {
    // it is gone, or has logs
  }
}

await command.parseAsync()
