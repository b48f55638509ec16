/** Rights on a real broker that has access control: planned, given once, taken away, and nobody else's touched. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Admin } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Role } from '../../../ops/base/roles.ts'
import { aclText } from '../../../ops/deploy/acls.ts'
import { applyChanges, entryOf } from '../../../ops/deploy/apply.ts'
import { type Desired, desiredState } from '../../../ops/deploy/desired.ts'
import { aclChanges } from '../../../ops/deploy/diff.ts'
import { liveAcls } from '../../../ops/deploy/live.ts'
import { openAdmin } from '../../../ops/ground/cluster/connect.ts'
import { openClusterLog, openGround } from '../../../ops/ground/cluster/open.ts'
import type { ClusterSettings } from '../../../ops/ground/cluster/settings-topic.ts'
import { scan } from '../../../ops/reading/scan.ts'
import { readAddress, readConfiguration } from '../../../ops/settings/parse.ts'
import type { BrokerPorts } from '../../../ops/world/brokers/broker-settings.ts'
import { freePorts } from '../../../ops/world/brokers/ports.ts'
import { type Kafka, startKafka } from '../../../ops/world/brokers/start.ts'
import type { Log } from '../../../streams/ports.ts'
import { ANCHOR_RULES_DEFAULTS } from '../../../topology/anchor-rules.ts'
import { headTick, rulesOf } from '../../topology/world.ts'
import { runSequencer, type SequencerRun, type StartedSequencer, startSequencer } from '../run-sequencer.ts'
import { expectNoSecrets } from '../secrets.ts'
import { type ClusterWorld, startClusterWorld } from './cluster-world.ts'

const directory = mkdtempSync(join(tmpdir(), 'sequencer-acls-'))
const settings: ClusterSettings = {
  appId: 'guarded',
  topicOptions: {
    prefix: 'guarded-',
    partitions: { submissions: 2, validated: 2, admitted: 2, finalizations: 2, verdicts: 2 },
  },
  rules: rulesOf(),
  anchoring: ANCHOR_RULES_DEFAULTS,
  chain: { chainId: 1, protocolState: `0x${'b'.repeat(40)}` },
}
const PASSWORD = 'not a secret'
/** One user for each process, with the rights of its roles alone. */
const USERS: Readonly<Record<string, readonly Role[]>> = {
  edge: ['intake', 'api'],
  middle: ['clock', 'tick-fanout', 'validate', 'admit', 'consensus', 'settle', 'ledger', 'batch'],
  signer: ['anchor', 'anchor-effects'],
}
let securePort: number
let kafka: Kafka
let admin: Admin
let desired: Desired

beforeAll(async () => {
  ;[securePort] = (await freePorts(1)) as [number]
  kafka = await startKafka({ brokers: 1, directory, properties: guarded })
  const environment = {
    SEQUENCER_KAFKA_BROKERS: kafka.bootstrap.join(),
    SEQUENCER_REGISTRY_URL: 'http://registry',
    SEQUENCER_CHAIN_CHAIN_ID: '1',
    SEQUENCER_CHAIN_PROTOCOL_STATE: settings.chain.protocolState,
    SEQUENCER_MARKETS: `0x${'a'.repeat(40)}`,
  }
  admin = await openAdmin(readConfiguration({}, environment).settings.kafka, 'test')
  const principals = { intake: 'User:edge', batch: 'User:stages', 'anchor-effects': 'User:signer' }
  desired = await desiredState(settings, { replicationFactor: 1, minInsyncReplicas: 1 }, { principals, host: '*' })
}, 900_000)
afterAll(async () => {
  await admin?.disconnect()
  await kafka?.close()
  rmSync(directory, { recursive: true, force: true })
})

/** Who comes in without a name may do everything; who logs in at the other listener only what is granted. */
function guarded({ clients, advertised, brokers, controllers }: BrokerPorts): Record<string, string> {
  const users = Object.keys(USERS).map((user) => `user_${user}="${PASSWORD}"`)
  const login = `org.apache.kafka.common.security.plain.PlainLoginModule required ${users.join(' ')};`
  const [ours, inner] = [`SECURE://127.0.0.1:${securePort}`, `BROKERS://127.0.0.1:${brokers}`]
  return {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
    listeners: `CLIENTS://127.0.0.1:${clients},${inner},CONTROLLER://127.0.0.1:${controllers},${ours}`,
    'advertised.listeners': `CLIENTS://127.0.0.1:${advertised},${inner},${ours}`,
    'listener.security.protocol.map': 'CLIENTS:PLAINTEXT,BROKERS:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_PLAINTEXT',
    'sasl.enabled.mechanisms': 'PLAIN',
    'listener.name.secure.plain.sasl.jaas.config': login,
  }
}

/** Who has the login of an intake may write `submissions`; what it writes there as a marker counts for nothing. */
async function intakeCannotMoveEpochs(world: ClusterWorld, edgeConfig: string): Promise<void> {
  const ground = await openGround(readAddress({ config: world.config }, {}), 'test')
  const edge = await openClusterLog(readAddress({ config: edgeConfig }, {}), 'forger')
  const appender = await edge.appender()
  try {
    const { submissions, epochTicks, validated, deadLetters } = ground.topics
    const tick = { ...headTick(1_000_000), slotsOffset: 1_000_000_000 }
    const key = submissions.key.encode({ dataMarket: '', epochId: 0, projectId: '' })
    const value = submissions.value.encode({ tick, from: 0, of: 1, count: -1, checksum: 0, blockTimes: [] })
    const record = { topic: submissions.name, partition: 0, timestamp: 0, key, value }
    await appender.append([record])
    const refused = [epochTicks, validated].map(({ name }) => appender.append([{ ...record, topic: name }]))
    for (const one of refused) await expect(one).rejects.toThrow('TOPIC_AUTHORIZATION_FAILED')
    await expect
      .poll(() => reasonsIn(ground.log, deadLetters.name), { timeout: 60_000 })
      .toContain('it has no seal of who writes the topic')
  } finally {
    await appender.close()
    await edge.close()
    await ground.close()
  }
}

async function reasonsIn(log: Log, topic: string): Promise<readonly string[]> {
  const reasons: string[] = []
  for await (const records of scan(log, { topic, partition: 0 }))
    for (const { headers } of records)
      for (const { key, value } of headers)
        if (key === '__streams.errors.message') reasons.push(Buffer.from(value ?? []).toString())
  return reasons
}

const plan = async () => aclChanges(desired.acls, await liveAcls(admin))
const target = () => ({
  admin,
  registry: { register: async () => 0 },
  writeSettings: async () => {},
  writeOwner: async () => {},
})

test('default: each right is given once; then the plan has nothing to say', async () => {
  const changes = await plan()
  expect(changes.map((change) => change.class)).toEqual(desired.acls.map(() => 'create'))
  await applyChanges(changes, target())
  expect(await plan()).toEqual([])
  expect((await liveAcls(admin))!.map(aclText).sort()).toEqual(desired.acls.map(aclText).sort())
})

test('behavior: what is taken away is planned again, and rights of others stay', async () => {
  const [first] = desired.acls
  const foreign = { ...first!, principal: 'User:somebody' }
  await admin.createAcls({ acl: [entryOf(foreign)] })
  await admin.deleteAcls({ filters: [entryOf(first!)] })
  expect((await plan()).map(({ detail }) => detail)).toEqual([aclText(first!).slice(first!.principal.length + 1)])
  await admin.deleteAcls({ filters: desired.acls.map(entryOf) })
  expect((await liveAcls(admin))!.map(aclText)).toEqual([aclText(foreign)])
})

test('behavior: the rights of its roles are enough for each process, and those of other roles are not', async () => {
  const world = await startClusterWorld(join(directory, 'world'), kafka.bootstrap)
  const passwordFile = join(directory, 'password')
  writeFileSync(passwordFile, PASSWORD, { mode: 0o600 })
  const principals = Object.entries(USERS).flatMap(([user, roles]) => roles.map((role) => [role, `User:${user}`]))
  const acls = { principals: Object.fromEntries(principals) }
  const as = (username: string) => {
    const sasl = { mechanism: 'plain', username, passwordFile, plainWithoutTls: true }
    const secure = { brokers: [`127.0.0.1:${securePort}`], sasl, replicationFactor: 1, minInsyncReplicas: 1 }
    return world.configWith({ kafka: secure, acls })
  }
  const started: StartedSequencer[] = []
  const ended: SequencerRun[] = []
  const signer = world.chain.accounts.sequencer.privateKey
  try {
    const deployed = await runSequencer(['deploy', 'apply', '--config', world.configWith({ acls })])
    expect(deployed.exitCode, deployed.stderr).toBe(0)
    for (const [user, roles] of Object.entries(USERS))
      started.push(
        startSequencer(['run', '--config', as(user), '--json', '--instance-id', user, '--roles', roles.join()]),
      )
    const [edge] = started
    const { intake } = (await edge!.waitFor(({ event }) => event === 'running')) as unknown as { intake: string[] }
    await Promise.all(started.map(({ waitFor }) => waitFor(({ event }) => event === 'running')))
    await world.startEpochs()
    const load = await world.snapshotters(intake[0]!, 1).finished
    expect(load.exitCode, load.stderr).toBe(0)
    await edge!.waitFor(({ event }) => event === 'anchored')

    const wrong = await runSequencer([
      'run',
      '--config',
      as('edge'),
      '--json',
      '--instance-id',
      'x',
      '--roles',
      'batch',
    ])
    expect(wrong.exitCode).toBe(3)
    expect(wrong.stderr).toContain('AUTHORIZATION')
    await intakeCannotMoveEpochs(world, as('edge'))
  } finally {
    for (const { child } of started) child.kill('SIGTERM')
    ended.push(...(await Promise.all(started.map(({ finished }) => finished))))
    await world.close()
  }
  for (const { stdout, stderr } of ended) {
    expect(stderr).toContain('"event":"running"')
    expectNoSecrets(stdout + stderr, [PASSWORD, readFileSync(join(world.directory, 'peer.key'), 'utf8'), signer])
  }
})
