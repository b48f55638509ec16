import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SASLOptions } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openKafkaLog } from '../../../../connectors/log/kafka/kafka-log.ts'
import { systemClock } from '../../../../connectors/log/system-clock.ts'
import type { BrokerPorts } from '../../../../ops/kafka/broker-settings.ts'
import { freePorts } from '../../../../ops/kafka/ports.ts'
import { type Kafka, startKafka } from '../../../../ops/kafka/start.ts'
import { findTool } from '../../../../ops/kafka/tools.ts'
import { append, createTopic, records, values } from '../../../contract/log-kit.ts'

/** TLS and SASL, as a broker outside of a test has them. */
const PASSWORD = 'not a secret'
const USER = 'sequencer'
/** A connection must log in again within this time; kafkajs does so 10 s before it is over. */
const SESSION_MS = 12_000
const LONGER_THAN_A_LOGIN_MS = 6_000

let directory: string
let kafka: Kafka
let port: number
let certificate: Buffer

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kafka-secure-'))
  const keystore = join(directory, 'broker.p12')
  certificate = createCertificate(keystore)
  ;[port] = (await freePorts(1)) as [number]
  kafka = await startKafka({ brokers: 1, directory, properties: (ports) => secureListener(ports, keystore) })
  addScramUser(kafka)
})

afterAll(async () => {
  await kafka?.close()
  await rm(directory, { recursive: true, force: true })
})

function createCertificate(keystore: string): Buffer {
  const keytool = join(findTool('java'), '..', 'keytool')
  const store = ['-alias', 'broker', '-keystore', keystore, '-storepass', PASSWORD]
  const kind = ['-keyalg', 'EC', '-dname', 'CN=localhost', '-ext', 'san=ip:127.0.0.1', '-storetype', 'PKCS12']
  execFileSync(keytool, ['-genkeypair', ...kind, ...store], { stdio: 'pipe' })
  return execFileSync(keytool, ['-exportcert', '-rfc', ...store], { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** One more listener; the broker's own stay as they are. */
function secureListener({ clients, advertised, brokers, controllers }: BrokerPorts, keystore: string) {
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule required'
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  return {
    listeners:
      `CLIENTS://127.0.0.1:${clients},BROKERS://127.0.0.1:${brokers},` +
      `CONTROLLER://127.0.0.1:${controllers},SECURE://127.0.0.1:${port}`,
    'advertised.listeners': `CLIENTS://127.0.0.1:${advertised},BROKERS://127.0.0.1:${brokers},SECURE://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'CLIENTS:PLAINTEXT,BROKERS:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
    'connections.max.reauth.ms': String(SESSION_MS),
    'listener.name.secure.plain.sasl.jaas.config': `${plain} user_${USER}="${PASSWORD}";`,
    'listener.name.secure.scram-sha-512.sasl.jaas.config': scram,
    'ssl.keystore.type': 'PKCS12',
    'ssl.keystore.location': keystore,
    'ssl.keystore.password': PASSWORD,
  }
}

function addScramUser({ libraries, bootstrap }: Kafka): void {
  const credentials = ['--alter', '--add-config', `SCRAM-SHA-512=[password=${PASSWORD}]`]
  const whom = ['--entity-type', 'users', '--entity-name', USER, '--bootstrap-server', bootstrap[0]!]
  const tool = ['-cp', join(libraries, '*'), 'kafka.admin.ConfigCommand']
  execFileSync(findTool('java'), ['-Xmx128m', ...tool, ...credentials, ...whom], { stdio: 'pipe' })
}

const open = (mechanism: 'plain' | 'scram-sha-512', password: string, ca: readonly Buffer[]) =>
  openKafkaLog({
    brokers: [`127.0.0.1:${port}`],
    clientId: 'secure',
    clock: systemClock,
    ssl: { ca: [...ca] },
    sasl: { mechanism, username: USER, password } as SASLOptions,
  })

test.each(['plain', 'scram-sha-512'] as const)('default: everything goes over TLS with SASL %s', async (mechanism) => {
  const log = await open(mechanism, PASSWORD, [certificate])
  const topic = await createTopic(log)
  for (const end = Date.now() + LONGER_THAN_A_LOGIN_MS; Date.now() < end; ) await append(log, records(topic, 0, 'a'))
  expect(new Set(await values(log, topic))).toEqual(new Set(['a']))
  await log.close()
})

test('error: a wrong password is refused with what to look at', async () => {
  await expect(open('plain', 'wrong', [certificate])).rejects.toMatchObject({
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
