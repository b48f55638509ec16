/** server.properties of one combined node (broker and controller) on loopback, small enough for three on one machine. */

export interface BrokerPorts {
  readonly clients: number
  /** The port that clients are told to connect to: `clients`, or that of a proxy before it. */
  readonly advertised: number
  /** Between brokers, so that a proxy before `clients` cuts clients off, not replication. */
  readonly brokers: number
  readonly controllers: number
}

export interface BrokerSettings {
  readonly nodeId: number
  readonly nodes: ReadonlyMap<number, BrokerPorts>
  readonly dataDirectory: string
  /** Added last, so they win. */
  readonly more: Readonly<Record<string, string>>
}

const INTERNAL_PARTITIONS = 4
/** Time for which a killed broker counts as alive: nobody leads its partitions till then, nor may it come back. Usually 9 s. */
const SESSION_MS = 4_000

export function serverProperties({ nodeId, nodes, dataDirectory, more }: BrokerSettings): string {
  const { clients, advertised, brokers, controllers } = nodes.get(nodeId)!
  const replicas = String(nodes.size)
  const inSyncMin = String(Math.max(1, nodes.size - 1))
  const settings: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': String(nodeId),
    'controller.quorum.voters': [...nodes].map(([id, node]) => `${id}@127.0.0.1:${node.controllers}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    listeners: [
      `CLIENTS://127.0.0.1:${clients}`,
      `BROKERS://127.0.0.1:${brokers}`,
      `CONTROLLER://127.0.0.1:${controllers}`,
    ].join(','),
    'advertised.listeners': `CLIENTS://127.0.0.1:${advertised},BROKERS://127.0.0.1:${brokers}`,
    'listener.security.protocol.map': 'CLIENTS:PLAINTEXT,BROKERS:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'BROKERS',
    'log.dirs': dataDirectory,
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': inSyncMin,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSyncMin,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSyncMin,
    'offsets.topic.num.partitions': String(INTERNAL_PARTITIONS),
    'transaction.state.log.num.partitions': String(INTERNAL_PARTITIONS),
    'share.coordinator.state.topic.num.partitions': String(INTERNAL_PARTITIONS),
    'broker.session.timeout.ms': String(SESSION_MS),
    'broker.heartbeat.interval.ms': String(SESSION_MS / 4),
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': '1000',
    'log.cleaner.dedupe.buffer.size': '16777216',
    'num.network.threads': '2',
    'num.io.threads': '4',
    ...more,
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
