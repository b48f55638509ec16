/** `sequencer alerts`: the way of alerts to people. */
import { Command } from 'commander'
import { z } from 'zod'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { untilAborted } from '../../base/lifecycle.ts'
import { httpUrl, parseOptions } from '../../base/options.ts'
import { stderr } from '../../base/output.ts'
import { secretIn } from '../../ground/cluster/connect.ts'
import { startForwarding } from './forward.ts'

const schema = z.object({
  listen: z.string().regex(/^[^\s/]+:\d{1,5}$/, 'host:port is needed, as in 127.0.0.1:9195'),
  webhookFile: z.string(),
  processName: z.string().min(1).max(100),
})

export function alertsCommand(): Command {
  return new Command('alerts').addCommand(
    new Command('forward')
      .description(
        'Take the notifications of an Alertmanager and post each alert to a webhook of the deployed services',
      )
      .requiredOption('--webhook-file <file>', 'file with the address of the webhook, which only its owner may read')
      .option('--listen <host:port>', 'where Alertmanager finds it, at /alerts', '127.0.0.1:9195')
      .option('--process-name <name>', 'process_name of alerts that are of no process', 'sequencer')
      .addHelpText(
        'after',
        '\nThe webhook is posted {"process_name","error_msg","timestamp","severity"}, an alert each. What it does not take is\n' +
          'answered with 502, and Alertmanager sends it again. ops/watch/prometheus/alertmanager.yml has the route.',
      )
      .action(async (given: Record<string, unknown>) => {
        const { listen, webhookFile, processName } = parseOptions(schema, given, 'alerts forward')
        const stop = new AbortController()
        for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
        await forwardUntil(stop.signal, { listen, webhook: webhookIn(webhookFile), processName })
      }),
  )
}

interface Wanted {
  readonly listen: string
  readonly webhook: string
  readonly processName: string
}

async function forwardUntil(signal: AbortSignal, { listen, webhook, processName }: Wanted): Promise<void> {
  const at = listen.lastIndexOf(':')
  const host = listen.slice(0, at).replace(/^\[(.*)\]$/, '$1')
  const warn = (text: string): void => stderr.print(text)
  const server = await startForwarding({ host, port: Number(listen.slice(at + 1)), webhook, processName, warn })
  stderr.print(`takes alerts at ${server.url}/alerts`)
  await untilAborted(signal)
  await server.close()
}

function webhookIn(file: string): string {
  const address = secretIn(file)
  if (!httpUrl.safeParse(address).success)
    throw new CliError(
      `${file} holds no address of a webhook`,
      'Put one http(s) address into it, and nothing else.',
      EXIT.usage,
    )
  return address
}
