/** Rights on a real broker that has access control: planned, given once, taken away, and nobody else's touched. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Admin } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openAdmin } from '../../../ops/cluster/connect.ts'
import type { ClusterSettings } from '../../../ops/cluster/settings-topic.ts'
import { readConfiguration } from '../../../ops/config/parse.ts'
import { aclText } from '../../../ops/deploy/acls.ts'
import { applyChanges, entryOf } from '../../../ops/deploy/apply.ts'
import { type Desired, desiredState } from '../../../ops/deploy/desired.ts'
import { aclChanges } from '../../../ops/deploy/diff.ts'
import { liveAcls } from '../../../ops/deploy/live.ts'
import { type Kafka, startKafka } from '../../../ops/kafka/start.ts'
import { ANCHOR_RULES_DEFAULTS } from '../../../topology/anchor-rules.ts'
import { rulesOf } from '../../topology/world.ts'

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
let kafka: Kafka
let admin: Admin
let desired: Desired

beforeAll(async () => {
  const properties = {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
  }
  kafka = await startKafka({ brokers: 1, directory, properties })
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

const plan = async () => aclChanges(desired.acls, await liveAcls(admin))
const target = () => ({ admin, registry: { register: async () => 0 }, writeSettings: async () => {} })

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
