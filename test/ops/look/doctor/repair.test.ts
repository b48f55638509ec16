import { describe, expect, test } from 'vitest'
import type { EndSearch, FoundEnd } from '../../../../connectors/log/kafka/hanging-transactions.ts'
import type { OpenTransaction } from '../../../../connectors/log/kafka/open-transactions.ts'
import { textOf } from '../../../../ops/base/output.ts'
import { judge, REMEMBERED_MS, SETTLED_MS, TIMEOUT_MS_MAX, whyLeft } from '../../../../ops/look/doctor/repair/judge.ts'
import { isLeft, renderRepair, repairTransactions } from '../../../../ops/look/doctor/repair/repair.ts'
import { LogError } from '../../../../streams/ports.ts'

const NOW = 1_800_000_000_000

const open = (changed: Partial<OpenTransaction> = {}): OpenTransaction => ({
  topic: 'votes',
  partition: 0,
  producerId: 7n,
  producerEpoch: 3,
  coordinatorEpoch: -1,
  startOffset: 5,
  lastTimestamp: NOW - TIMEOUT_MS_MAX,
  transactionalId: 'seq-admit-0',
  state: 'CompleteCommit',
  timeoutMs: 30_000,
  startedAt: undefined,
  isCoordinated: false,
  ...changed,
})

const found = (end: FoundEnd['end'], isNextEpoch: boolean, partition = 0): FoundEnd => ({
  topic: 'verdicts',
  partition,
  offset: 9,
  end,
  isNextEpoch,
})

describe('whether a transaction hangs', () => {
  test.each<[string, Partial<OpenTransaction>, string | undefined]>([
    [
      'its coordinator has it',
      { isCoordinated: true, state: 'PrepareCommit' },
      'its coordinator has it (PrepareCommit)',
    ],
    ['a broker is away', { isCoordinated: undefined, transactionalId: undefined }, 'a broker does not answer'],
    ['it is over, and settled', { lastTimestamp: NOW - SETTLED_MS }, undefined],
    ['it was written to just now', { lastTimestamp: NOW - SETTLED_MS + 1 }, 'within 60 s'],
    ['nobody is seen to know it, and no time-out is that long', { transactionalId: undefined }, undefined],
    [
      'nobody is seen to know it',
      { transactionalId: undefined, lastTimestamp: NOW - TIMEOUT_MS_MAX + 1 },
      'within 900 s',
    ],
    ['its records come from the future', { lastTimestamp: NOW + 1 }, 'dated in the future'],
    ['brokers have forgotten its producer', { lastTimestamp: NOW - REMEMBERED_MS - 1 }, 'older than a day'],
  ])('behavior: %s', (_, changed, why) => {
    const said = whyLeft(open(changed), NOW)
    if (why === undefined) expect(said).toBeUndefined()
    else expect(said).toContain(why)
  })
})

describe('the end that it is to get', () => {
  const own = { hasOwnEpoch: true }
  const search = (ends: readonly FoundEnd[], unsearched: readonly string[] = []): EndSearch => ({ ends, unsearched })

  test.each<[string, EndSearch, typeof own, 'COMMIT' | 'ABORT' | undefined]>([
    ['as elsewhere: committed', search([found('COMMIT', true), found('COMMIT', true, 1)]), own, 'COMMIT'],
    ['as elsewhere: aborted', search([found('ABORT', true)]), own, 'ABORT'],
    ['an end of the one before it is not its own', search([found('COMMIT', false)]), own, 'ABORT'],
    [
      'its own end decides, not that of the one before',
      search([found('COMMIT', false), found('ABORT', true)]),
      own,
      'ABORT',
    ],
    ['ends that contradict each other', search([found('COMMIT', true), found('ABORT', true, 1)]), own, undefined],
    ['none was found, but not everything was looked at', search([], ['votes/1 (no right to read it)']), own, undefined],
    [
      'one was found: what was not looked at has the same',
      search([found('COMMIT', true)], ['votes/1 (…)']),
      own,
      'COMMIT',
    ],
    [
      'without an epoch of its own no end is surely its own',
      search([found('COMMIT', true)]),
      { hasOwnEpoch: false },
      undefined,
    ],
    ['without an epoch of its own and without any end', search([]), { hasOwnEpoch: false }, 'ABORT'],
  ])('behavior: %s', (_, ends, epochs, end) => {
    expect(judge(ends, epochs).end).toBe(end)
  })
})

test('error: a refused end is told with the words of the broker, and the others are still written', async () => {
  const refuse = async ({ partition }: OpenTransaction) => {
    if (partition === 0) throw new LogError('CLUSTER_AUTHORIZATION_FAILED', 'give the principal its ACL on the cluster')
  }
  const log = {
    transactionsVersion: 2 as const,
    partitionCount: async () => 1,
    bounds: async (asked: readonly unknown[]) => asked.map(() => ({ start: 0, stable: 5 })),
    ends: async (asked: readonly unknown[]) => asked.map(() => 6),
    openTransactions: async () => [open(), open({ partition: 1 })],
    searchEnds: async () => ({ ends: [], unsearched: [] }),
    writeEnd: refuse,
  }
  const repaired = await repairTransactions(log, [{ name: 'votes', partitions: 2 }], {
    appId: 'seq',
    now: NOW,
    dryRun: false,
  })
  expect(repaired.map(({ done }) => done)).toEqual([false, true])
  expect(repaired.map(isLeft)).toEqual([true, false])
  expect(textOf(renderRepair(repaired, false)).split('\n')).toEqual([
    'votes/0  open from offset 5 on, by seq-admit-0: its ABORT was refused',
    '      give the principal its ACL on the cluster',
    'votes/1  open from offset 5 on, by seq-admit-0: ABORT written',
    '      no other partition has an end of it: nothing of it counts anywhere',
    '',
    '1 end written, 1 left.',
    'Readers go on by themselves. Run `sequencer audit` when the epochs have closed: it finds what was torn apart.',
    '',
  ])
})
