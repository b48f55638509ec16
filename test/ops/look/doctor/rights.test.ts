/** What the doctor says of rights: of every topic that is deployed. */
import { AclOperationTypes, AclResourceTypes, ResourcePatternTypes } from 'kafkajs'
import { expect, test } from 'vitest'
import { allTopics } from '../../../../ops/ground/all-topics.ts'
import { examineRights } from '../../../../ops/look/doctor/rights.ts'
import { createCodec } from '../../../../schemas/codec.ts'
import { memoryRegistry } from '../../../../schemas/registry.ts'
import { sequencerTopology } from '../../../../topology/index.ts'
import { sequencerStores } from '../../../../topology/stores.ts'
import { sequencerTopics } from '../../../../topology/topics.ts'
import { rulesOf } from '../../../topology/world.ts'

const codec = await createCodec(memoryRegistry())
const partitions = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
const topics = sequencerTopics(codec, { prefix: '', partitions })
const topology = sequencerTopology(rulesOf(), topics, sequencerStores(codec))
const address = { appId: 'app', acls: { principals: { intake: 'User:edge' }, host: '*' } }

type Admin = Parameters<typeof examineRights>[0]
/** Brokers on which a stranger may write the topics. */
const brokersWith = (...written: readonly string[]) =>
  ({
    describeAcls: async () => ({
      resources: written.map((resourceName) => ({
        resourceType: AclResourceTypes.TOPIC,
        resourceName,
        resourcePatternType: ResourcePatternTypes.LITERAL,
        acls: [{ principal: 'User:stranger', host: '*', operation: AclOperationTypes.WRITE }],
      })),
    }),
  }) as unknown as Admin

test('default: nobody but the roles writes', async () => {
  expect(await examineRights(brokersWith('of-somebody-else'), address, topology, topics)).toMatchObject({ ok: true })
})

test.each(allTopics('app', topology, topics).map(({ name }) => name))(
  'error: a stranger may write %s',
  async (name) => {
    expect(await examineRights(brokersWith(name), address, topology, topics)).toMatchObject({
      ok: false,
      detail: `User:stranger may write ${name}, which none of its roles does: take the right away`,
    })
  },
)
