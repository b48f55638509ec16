import { expect, test } from 'vitest'
import { ByteWriter } from '../../../../connectors/log/kafka/byte-writer.ts'
import type { KafkaCluster } from '../../../../connectors/log/kafka/cluster.ts'
import { KafkaLog } from '../../../../connectors/log/kafka/kafka-log.ts'
import { LeaderEpochs } from '../../../../connectors/log/kafka/leader-epochs.ts'
import { committedOffsets } from '../../../../connectors/log/kafka/offsets.ts'
import type { KafkaRequest } from '../../../../connectors/log/kafka/request.ts'
import type { FetchedOffset } from '../../../../connectors/log/kafka/requests/offset-fetch.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'

const UNSTABLE = 88
const at = (partition: number) => ({ topic: 't', partition })
const offset = (partition: number, errorCode = 0): FetchedOffset => ({
  ...at(partition),
  offset: errorCode === 0 ? 10 + partition : -1,
  leaderEpoch: 0,
  metadata: '',
  errorCode,
})

/** A coordinator with these answers, one for each request; how much was asked each time is in `asked`. */
function coordinator(answers: readonly (readonly FetchedOffset[])[]) {
  const asked: number[] = []
  const cluster = {
    settings: { transactionTimeoutMs: 0 },
    limits: (limitMs: number) => ({ clock: systemClock, limitMs, evenIfUnanswered: true }),
    coordinatorOf: async () => 1,
    send: async (_node: number, request: KafkaRequest<unknown>) => {
      const writer = new ByteWriter(true)
      request.encode(writer)
      asked.push(writer.finish().length)
      return answers[asked.length - 1]
    },
  } as unknown as KafkaCluster
  return { cluster, asked }
}

test('behavior: in a group in which some transaction always is under way, each partition is waited for alone', async () => {
  const { cluster, asked } = coordinator([
    [offset(0), offset(1, UNSTABLE), offset(2)],
    [offset(1)], // 0 and 2 may be unstable again by now
  ])
  const found = await committedOffsets(cluster, 'g', [at(0), at(1), at(2)], new LeaderEpochs())
  expect(found.map((one) => one?.next)).toEqual([10, 11, 12])
  expect(asked[1]).toBeLessThan(asked[0]!)
})

test('default: a partition without an offset has none, and nothing asked is nothing sent', async () => {
  const { cluster, asked } = coordinator([[{ ...offset(0), offset: -1 }]])
  expect(await committedOffsets(cluster, 'g', [at(0)], new LeaderEpochs())).toEqual([undefined])
  expect(await committedOffsets(cluster, 'g', [], new LeaderEpochs())).toEqual([])
  expect(asked).toHaveLength(1)
})

/** A cluster in which offsets of a group stay unstable until its writer has ended an empty transaction. */
function withLeftOffsets() {
  const asked: string[] = []
  let isLeft = true
  const identity = { producerId: 1n, producerEpoch: 1 }
  const cluster = {
    settings: { transactionTimeoutMs: 0 },
    limits: () => ({ clock: systemClock, limitMs: 0, evenIfUnanswered: true }),
    coordinatorOf: async () => 1,
    send: async (_node: number, { apiName }: KafkaRequest<unknown>) => {
      asked.push(apiName)
      if (apiName === 'EndTxn') isLeft = !asked.includes('AddOffsetsToTxn')
      return apiName === 'OffsetFetch' ? [offset(0, isLeft ? UNSTABLE : 0)] : identity
    },
  } as unknown as KafkaCluster
  return { log: new KafkaLog(cluster, 2), asked }
}

test('behavior: offsets that an older writer has left half-committed are ended by the writer that waits for them', async () => {
  const { log, asked } = withLeftOffsets()
  await log.transactionalWriter('id', 'g')
  expect(await log.committedOffsets('g', [at(0)])).toMatchObject([{ next: 10 }])
  expect(asked).toEqual(['InitProducerId', 'OffsetFetch', 'AddOffsetsToTxn', 'EndTxn', 'OffsetFetch'])
})

test.each<[string, (log: KafkaLog) => Promise<unknown>]>([
  ['nobody has opened a writer', async () => {}],
  ['the writer is of no group', (log) => log.transactionalWriter('id')],
  ['the writer is of another group', (log) => log.transactionalWriter('id', 'other')],
  ['the writer is closed', async (log) => (await log.transactionalWriter('id', 'g')).close()],
  [
    'the writer has committed, so what is open may be its own',
    async (log) => (await log.transactionalWriter('id', 'g')).commit({ records: [] }),
  ],
])('error: they stay unstable when %s', async (_why, prepare) => {
  const { log, asked } = withLeftOffsets()
  await prepare(log)
  await expect(log.committedOffsets('g', [at(0)])).rejects.toMatchObject({ code: 'UNSTABLE_OFFSET_COMMIT' })
  expect(asked).not.toContain('AddOffsetsToTxn')
})
