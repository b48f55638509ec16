/** What is played, each under the name by which `npm run nodes` knows it. */
import type { FaultName } from '../real/node-faults.ts'
import type { Play } from '../real/node-proxy.ts'
import { SEND_REFUSALS } from '../real/node-words.ts'

export interface Case {
  readonly help: string
  /** All of them at once. */
  readonly plays: readonly Play[]
  /** Blocks that leave the chain when it begins, and again in the middle. */
  readonly reorganise?: number
}

const one = <Name extends FaultName>(help: string, name: Name, params: Play<Name>['params'] = {}, share = 1): Case => ({
  help,
  plays: [{ name, params, share } as Play],
})

const reorganisation = (depth: number): Case => ({
  help: `${depth} blocks leave the chain, twice`,
  plays: [],
  reorganise: depth,
})

export const CASES: Readonly<Record<string, Case>> = {
  'late-logs': one('logs 0.8 s behind their block', 'late-logs', { ms: 800 }),
  'late-logs-3s': one('logs 3 s behind their block', 'late-logs', { ms: 3_000 }),
  'late-logs-blocks': one('logs two blocks behind theirs', 'late-logs', { ms: 0, blocks: 2 }),
  'late-logs-no-bloom': {
    help: 'logs 0.8 s behind their block, and no bloom filter',
    plays: [{ name: 'late-logs', params: { ms: 800 } }, { name: 'zero-bloom' }],
  },
  'lost-logs': one('the logs of a third of the blocks never come', 'late-logs', { ms: 0, lostShare: 0.33 }),
  'lost-logs-no-bloom': {
    help: 'the logs of a third of the blocks never come, and no bloom filter',
    plays: [{ name: 'late-logs', params: { ms: 0, lostShare: 0.33 } }, { name: 'zero-bloom' }],
  },
  'empty-logs': one('a third of the answers of eth_getLogs is empty', 'empty-logs', {}, 0.33),
  'removed-logs': one('a third of the answers says that the logs were removed', 'removed-logs', {}, 0.33),
  'zero-bloom': one('a bloom filter that excludes everything', 'zero-bloom'),
  'null-latest': one('the newest block is null once in ten', 'null-latest', {}, 0.1),
  'odd-answers': one('one answer in thirty has an odd part', 'odd-answers', {}, 0.03),
  ...Object.fromEntries(
    Object.keys(SEND_REFUSALS).map((client) => [
      `send-refused-${client}`,
      one(`what is sent is refused in the words of ${client}, half of it taken all the same`, 'send-refused', {
        client,
      }),
    ]),
  ),
  'send-refused-taken': one('what is sent is refused, and taken', 'send-refused', { forwardedShare: 1 }),
  'send-dropped': one('half of what is sent is lost without a word', 'send-dropped', {}, 0.5),
  'send-held': one('the node hears of what is sent 5 s later', 'send-held', { ms: 5_000 }),
  'wrong-chain': {
    help: 'another chain id, and answers that make the caller ask for it again',
    plays: [{ name: 'wrong-chain' }, { name: 'cut', share: 0.1 }],
  },
  lag: one('three blocks behind', 'lag', { blocks: 3 }),
  'balanced-pair': one('two nodes behind one address, one of them three blocks behind', 'lag', { blocks: 3 }, 0.5),
  fork: one('on a fork of three blocks', 'fork', { depth: 3 }),
  'fork-pair': one('two nodes behind one address, one of them on a fork', 'fork', { depth: 3 }, 0.5),
  'range-max-100': one('eth_getLogs of 100 blocks at most', 'range-max', { blocks: 100 }),
  'range-max-1': one('eth_getLogs of one block at most', 'range-max', { blocks: 1 }),
  'batch-max-10': one('10 calls in a batch', 'batch-max', { calls: 10 }),
  'batch-max-1': one('no batches', 'batch-max', { calls: 1 }),
  'http-429': one('every second request is too many', 'http-status', { status: 429, body: 'slow down' }, 0.5),
  'http-500': one('HTTP 500 to everything', 'http-status', { status: 500 }),
  'http-page': one('a page in place of every third answer', 'http-status', { status: 200 }, 0.33),
  silence: one('every fifth request is never answered', 'silence', {}, 0.2),
  cut: one('every third connection is cut', 'cut', {}, 0.33),
  'slow-body': one('a third of the answers takes 3 s', 'slow-body', { ms: 3_000 }, 0.33),
  'huge-body': one('every twentieth answer has 64 MiB', 'huge-body', { mib: 64 }, 0.05),
  indexing: one('transactions are being indexed', 'indexing'),
  pruned: one('no state but that of the newest block', 'pruned'),
  'high-tip': one('a tip of 500 gwei', 'high-tip', { gwei: 500 }),
  'no-tip': one('no eth_maxPriorityFeePerGas', 'no-tip'),
  legacy: one('no base fee, and no transactions of type 2', 'legacy'),
  'late-receipts': one('receipts 3 s late', 'late-receipts', { ms: 3_000 }),
  'reorg-1': reorganisation(1),
  'reorg-3': reorganisation(3),
  'reorg-10': reorganisation(10),
  'reorg-50': reorganisation(50),
}
