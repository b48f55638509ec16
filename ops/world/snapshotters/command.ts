/** `sequencer snapshotters`: simulated snapshotters against a running intake, also the load of the benchmarks. */
import { Command } from 'commander'
import { z } from 'zod'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { AS_JSON, address, httpUrl, oneOf, parseOptions, share, whole } from '../../base/options.ts'
import { answer, type Lines, stderr } from '../../base/output.ts'
import { printable } from '../../base/printable.ts'
import { plural } from '../../base/words.ts'
import { type LoadReport, runLoad } from './load.ts'
import { runSnapshotters, type SnapshottersReport } from './run.ts'

const schema = z.object({
  to: z.string().regex(/^\/.+\/p2p\/.+$/, 'not a multiaddr that ends in /p2p/<peer id>'),
  rpc: httpUrl,
  chainId: whole(1, Number.MAX_SAFE_INTEGER),
  protocolState: address,
  dataMarket: z.array(address).min(1),
  slots: whole(1, 20_000),
  projects: whole(1, 5_000),
  seed: whole(0, 2 ** 31),
  badShare: share,
  minorityShare: share,
  connections: whole(1, 1_000),
  encryption: oneOf('tls', 'noise', 'both'),
  spreadMs: whole(0, 600_000),
  lateByEpochs: whole(1, 1_000_000),
  deadlineBlocks: whole(1, 1_000_000),
  epochs: whole(1, 1_000_000).optional(),
  ledger: z.string().optional(),
  presign: whole(1, 5_000_000).optional(),
  epochId: whole(0, Number.MAX_SAFE_INTEGER),
  json: z.boolean().default(false),
})

export function snapshottersCommand(): Command {
  return new Command('snapshotters')
    .requiredOption('--to <multiaddr>', 'intake, with its peer id')
    .option('--rpc <url>', 'node of the anchor chain', 'http://127.0.0.1:8545')
    .option('--chain-id <n>', 'chain id', '31337')
    .requiredOption('--protocol-state <address>', 'ProtocolState contract')
    .requiredOption('--data-market <address...>', 'data markets')
    .option('--slots <n>', 'slots from 1 to n; their keys follow from the seed', '36')
    .option('--projects <n>', 'projects', '12')
    .option('--seed <n>', 'decides keys, kinds and CIDs', '1')
    .option('--bad-share <share>', 'share of the slots that send something wrong', '0.15')
    .option('--minority-share <share>', 'share of the slots that report another CID', '0.05')
    .option('--connections <n>', 'libp2p hosts', '16')
    .option('--encryption <kind>', 'tls, noise or both', 'both')
    .option('--spread-ms <ms>', 'time over which the messages of an epoch are spread', '1500')
    .option('--late-by-epochs <n>', 'how far back a late submission is for: an epoch whose window is over', '6')
    .option('--deadline-blocks <n>', 'blocks from the head to the signed deadline', '100')
    .option('--epochs <n>', 'end after this many epochs of each market')
    .option('--ledger <file>', 'append a JSON line per message: what it was, which verdicts it deserves')
    .option('--presign <n>', 'load: sign n good submissions first, then send them as fast as they are taken, and end')
    .option('--epoch-id <n>', 'with --presign: the epoch they are for; 0 = simulation', '0')
    .option('--json', AS_JSON)
    .action(async (given: unknown) => {
      const options = parseOptions(schema, given, 'snapshotters')
      const stop = new AbortController()
      process.once('SIGINT', () => stop.abort())
      process.once('SIGTERM', () => stop.abort())
      const { json } = options
      if (options.presign === undefined) {
        const report = await follow(options, stop.signal)
        answer(json, report, () => render(report))
      } else {
        const report = await load({ ...options, presign: options.presign }, stop.signal)
        answer(json, report, () => [renderLoad(report)])
      }
    })
}

type Options = z.infer<typeof schema>

function follow({ rpc: rpcUrl, dataMarket: dataMarkets, ...rest }: Options, signal: AbortSignal) {
  const until = rest.epochs === undefined ? 'Ctrl-C stops them' : `they stop after ${plural(rest.epochs, 'epoch')}`
  stderr.print(
    `${plural(rest.slots, 'snapshotter')} ${rest.slots === 1 ? 'sends' : 'send'} over ${plural(rest.connections, 'connection')}; ${until}`,
  )
  return runSnapshotters({ ...rest, rpcUrl, dataMarkets, onError: sayOnce() }, signal)
}

async function load(options: Options & { presign: number }, signal: AbortSignal): Promise<LoadReport> {
  const { rpc: rpcUrl, dataMarket, ...rest } = options
  try {
    return await runLoad({ ...rest, rpcUrl, dataMarket: dataMarket[0]! }, signal)
  } catch (error) {
    throw new CliError(
      `the load cannot be made ready: ${error instanceof Error ? error.message : error}`,
      'Check --rpc: the newest block is asked for once, to sign with.',
      EXIT.unavailable,
      error,
    )
  }
}

/** Length of a node's or a peer's words. */
const REASON_SHOWN = 400

/** A failure that lasts is said once, not at every try. */
function sayOnce(): (error: unknown) => void {
  let last = ''
  return (error) => {
    const text = error instanceof Error ? error.message : String(error)
    if (text !== last) stderr.print(`snapshotters: ${printable(text, REASON_SHOWN)}`)
    last = text
  }
}

function render({ epochs, sent, byKind, reconnects }: SnapshottersReport): Lines {
  const kinds = Object.entries(byKind)
    .sort()
    .map(([kind, n]) => `  ${kind} ${n}`)
  return [`${sent} messages for ${epochs} epochs, ${reconnects} reconnects`, ...kinds]
}

const renderLoad = ({ submissions, signSeconds, signedPerSecond, sendSeconds, sentPerSecond }: LoadReport): string =>
  `signed ${signedPerSecond}/s (${signSeconds.toFixed(1)} s), sent ${submissions} in ${sendSeconds.toFixed(1)} s: ${sentPerSecond}/s`
