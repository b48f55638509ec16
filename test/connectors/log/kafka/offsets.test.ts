import { expect, test } from 'vitest'
import { ByteWriter } from '../../../../connectors/log/kafka/bytes.ts'
import type { KafkaCluster } from '../../../../connectors/log/kafka/cluster.ts'
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
