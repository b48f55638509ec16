/** The same submissions give the same batches, byte for byte, on the embedded log and on Kafka, however they are split. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { openEmbeddedLog } from '../../connectors/log/embedded/embedded.ts'
import { openKafkaLog } from '../../connectors/log/kafka/kafka-log.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { sharedKafka } from '../real/kafka.ts'
import { EPOCHS, play, sent } from './same-bytes.ts'

let expected: unknown[]

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'same-bytes-'))
  expected = await play({ open: () => openEmbeddedLog({ directory }), partitions: 4, instances: 1 })
  await rm(directory, { recursive: true })
})

test('default: the play has batches in every epoch, more than one in some', () => {
  expect(sent.length).toBeGreaterThan(20)
  expect(expected.length).toBeGreaterThan(EPOCHS + 1)
})

test.each([
  [1, 1],
  [1, 3],
  [6, 1],
  [6, 3],
  [12, 3],
])('behavior: Kafka, %i partitions, %i instances', async (partitions, instances) => {
  const { bootstrap: brokers } = sharedKafka()
  const open = (clientId: string) => openKafkaLog({ brokers, clientId, clock: systemClock, replicationFactor: 1 })
  expect(await play({ open, partitions, instances })).toEqual(expected)
})
