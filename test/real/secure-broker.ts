/** A broker with one more listener, as one outside of a test has it: TLS, and a login by SASL (PLAIN or SCRAM-SHA-512). */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { BrokerPorts } from '../../ops/world/brokers/broker-settings.ts'
import { freePorts } from '../../ops/world/brokers/ports.ts'
import { type Kafka, startKafka } from '../../ops/world/brokers/start.ts'
import { findTool } from '../../ops/world/brokers/tools.ts'

export const PASSWORD = 'not a secret'
export const USER = 'sequencer'
/** A connection must log in again within this time; kafkajs does so 10 s before it is over. */
const SESSION_MS = 12_000

export interface SecureBroker {
  readonly kafka: Kafka
  /** Of the listener with TLS and login. */
  readonly address: string
  /** PEM of who vouches for it. */
  readonly certificate: Buffer
}

export async function startSecureBroker(directory: string): Promise<SecureBroker> {
  const keystore = join(directory, 'broker.p12')
  const certificate = createCertificate(keystore)
  const [port] = (await freePorts(1)) as [number]
  const kafka = await startKafka({
    brokers: 1,
    directory,
    properties: (ports) => secureListener(ports, port, keystore),
  })
  addScramUser(kafka)
  return { kafka, address: `127.0.0.1:${port}`, certificate }
}

function createCertificate(keystore: string): Buffer {
  const keytool = join(findTool('java'), '..', 'keytool')
  const store = ['-alias', 'broker', '-keystore', keystore, '-storepass', PASSWORD]
  const kind = ['-keyalg', 'EC', '-dname', 'CN=localhost', '-ext', 'san=ip:127.0.0.1', '-storetype', 'PKCS12']
  execFileSync(keytool, ['-genkeypair', ...kind, ...store], { stdio: 'pipe' })
  return execFileSync(keytool, ['-exportcert', '-rfc', ...store], { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** One more listener; the broker's own stay as they are. */
function secureListener({ clients, advertised, brokers, controllers }: BrokerPorts, port: number, keystore: string) {
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
