/** `sequencer dev`. */
import { Command } from 'commander'
import { systemClock } from '../../../connectors/system-clock.ts'
import { stdout } from '../../base/output.ts'
import { DEV_DEFAULTS, parseDevConfig } from './config.ts'
import { runDev } from './dev.ts'
import { createScreen } from './screen.ts'

export function devCommand(version: string): Command {
  const fallback = (name: keyof typeof DEV_DEFAULTS): string => String(DEV_DEFAULTS[name])
  return new Command('dev')
    .option('--data-dir <dir>', 'directory of all data; a second start goes on from it', fallback('dataDir'))
    .option('--epochs <n>', 'end after n epochs are anchored; those with a late or failed batch do not count')
    .option('--listen-port <port>', 'libp2p port of the intake; 0 takes a free one', fallback('listenPort'))
    .option('--ops-port <port>', 'port of /metrics, /readyz and look-ups; 0 takes a free one', fallback('opsPort'))
    .option('--chain-port <port>', 'port of the development chain; 0 takes a free one', fallback('chainPort'))
    .option('--rpc <url>', "development node with anvil's accounts that runs already, instead of an anvil of our own")
    .option('--kubo <url>', 'RPC address of a Kubo node that keeps the batches too')
    .option('--cid-version <0|1>', 'CIDs of the batches', fallback('cidVersion'))
    .option('--tree <chained|fresh>', 'submission-id trees: one per epoch, or one per batch', fallback('tree'))
    .option('--snapshotters <n>', 'simulated snapshotters, one slot each; 0 for none', fallback('snapshotters'))
    .option(
      '--spare-slots <n>',
      'slots after those, without a snapshotter; their keys are written to spare-slots.json',
      fallback('spareSlots'),
    )
    .option('--projects <n>', 'projects they report', fallback('projects'))
    .option('--bad-share <share>', 'share of them that sends something wrong', fallback('badShare'))
    .option('--seed <n>', 'decides their keys and what they send', fallback('seed'))
    .option('--block-time <s>', 'seconds per block', fallback('blockTime'))
    .option('--epoch-blocks <n>', 'blocks from one release to the next', fallback('epochBlocks'))
    .option('--day-epochs <n>', 'epochs of a day', fallback('dayEpochs'))
    .option(
      '--day-quota <n>',
      'submissions with which a slot has earned the day; three for every four epochs unless given',
    )
    .option('--window <n>', 'submission window in blocks', fallback('window'))
    .option('--markets <n>', 'data markets', fallback('markets'))
    .option(
      '--spare-markets <n>',
      'further ones in the contract, that `sequencer markets add` may add',
      fallback('spareMarkets'),
    )
    .option('--partitions <n>', 'partitions of the keyed topics', fallback('partitions'))
    .option('--workers <n>', 'worker threads for signatures', fallback('workers'))
    .option('--otlp-url <url>', 'where traces of all submissions go, e.g. http://127.0.0.1:4318/v1/traces')
    .option('--log-level <level>', 'silent, error, warn, info or debug: of the JSON lines on standard error')
    .option('--json', 'print events as JSON lines')
    .action(async (given: Record<string, unknown>) => {
      const config = parseDevConfig(given)
      const screen = createScreen({ out: stdout, json: config.json, now: systemClock.now })
      const stop = new AbortController()
      const onSignal = () => {
        if (stop.signal.aborted) process.exit(130) // asked twice: at once, as after a kill
        screen.say('stopping; once more to stop at once')
        stop.abort()
      }
      process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
      await runDev(config, { screen, version, signal: stop.signal })
    })
}
