/** `npm run kafka`: a broker (or three) to try things on, until Ctrl-C. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { startRegistry } from './registry.ts'
import { startKafka } from './start.ts'

interface Options {
  readonly brokers: '1' | '3'
  readonly directory?: string
  readonly registry?: boolean
}

const command = new Command('npm run kafka --')
  .description('Start Apache Kafka on loopback and run it until Ctrl-C (needs Java 17 and Maven)')
  .addOption(new Option('--brokers <number>', 'how many brokers').choices(['1', '3']).default('1'))
  .option('--directory <dir>', 'data and logs; kept, and used again (default: a temporary one, removed at the end)')
  .option('--registry', 'a schema registry too (needs pip)')
  .action(run)

async function run({ brokers, registry: withRegistry, ...options }: Options): Promise<void> {
  const interrupted = new Promise((done) => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, done)
  })
  const awake = setInterval(() => {}, 60_000)
  const log = (line: string) => process.stderr.write(`${line}\n`)
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'sequencer-kafka-'))
  const kafka = await startKafka({ brokers: Number(brokers) as 1 | 3, directory, log })
  process.stdout.write(`kafka     ${kafka.bootstrap.join(',')}\n`)
  const registry = withRegistry ? await startRegistry({ directory: join(directory, 'registry'), log }) : undefined
  if (registry) process.stdout.write(`registry  ${registry.url}\n`)
  await interrupted
  log('stopping')
  await Promise.all([kafka.close(), registry?.stop()])
  if (options.directory === undefined) rmSync(directory, { recursive: true, force: true })
  clearInterval(awake)
}

try {
  await command.parseAsync()
} catch (error) {
  process.stderr.write(`error: ${(error as Error).message}\n`)
  process.exitCode = 3
}
