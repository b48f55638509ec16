import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SASLOptions } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openKafkaLog } from '../../../../connectors/log/kafka/kafka-log.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { append, createTopic, records, values } from '../../../contract/log-kit.ts'
import { PASSWORD, type SecureBroker, startSecureBroker, USER } from '../../../real/secure-broker.ts'

const LONGER_THAN_A_LOGIN_MS = 6_000

let directory: string
let broker: SecureBroker

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kafka-secure-'))
  broker = await startSecureBroker(directory)
})

afterAll(async () => {
  await broker?.kafka.close()
  await rm(directory, { recursive: true, force: true })
})

const open = (mechanism: 'plain' | 'scram-sha-512', password: string, ca: readonly Buffer[]) =>
  openKafkaLog({
    brokers: [broker.address],
    clientId: 'secure',
    clock: systemClock,
    ssl: { ca: [...ca] },
    sasl: { mechanism, username: USER, password } as SASLOptions,
  })

test.each(['plain', 'scram-sha-512'] as const)('default: everything goes over TLS with SASL %s', async (mechanism) => {
  const log = await open(mechanism, PASSWORD, [broker.certificate])
  const topic = await createTopic(log)
  for (const end = Date.now() + LONGER_THAN_A_LOGIN_MS; Date.now() < end; ) await append(log, records(topic, 0, 'a'))
  expect(new Set(await values(log, topic))).toEqual(new Set(['a']))
  await log.close()
})

test('error: a wrong password is refused with what to look at', async () => {
  await expect(open('plain', 'wrong', [broker.certificate])).rejects.toMatchObject({
    code: 'AUTHENTICATION',
    retriable: false,
    message: expect.stringContaining('Look at user name, password and mechanism'),
  })
})

test('error: a certificate that nobody vouches for is refused', async () => {
  await expect(open('plain', PASSWORD, [])).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringContaining('certificate'),
  })
})
