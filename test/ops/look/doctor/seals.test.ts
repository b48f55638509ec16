import { expect, test } from 'vitest'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { examineSeals, sealsDeployed } from '../../../../ops/look/doctor/seals.ts'
import { createCodec } from '../../../../schemas/codec.ts'
import { memoryRegistry } from '../../../../schemas/registry.ts'
import { Sealer } from '../../../../streams/seals.ts'
import { sealedTopics } from '../../../../topology/shared/seals.ts'
import { sequencerTopics } from '../../../../topology/topics.ts'
import { intentOf, KEY } from '../../../connectors/evm/anchor-effects/scripted-send.ts'
import { markerSigner } from '../../../topology/marker-keys.ts'

const signer = markerSigner('deployment')
const rules = { markerKeys: [signer.publicKey], unsignedMarkers: false, unsealedRecords: false }
const one = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
const bare = sequencerTopics(await createCodec(memoryRegistry()), { prefix: '', partitions: one })

test('default: what counts without a seal, as deployed', () => {
  expect(sealsDeployed({ ...rules, markerKeys: [] })).toMatchObject({ ok: false })
  expect(sealsDeployed(rules)).toEqual({ check: 'seals', ok: true, detail: '1 key; nothing counts without a seal' })
  expect(sealsDeployed({ ...rules, unsealedRecords: true })).toMatchObject({
    ok: true,
    detail: expect.stringContaining('batches, payouts, intents and results of an older release'),
    advice: expect.stringContaining('markers.unsealedFirst'),
  })
})

test('behavior: intents that the stage did not write are counted, with the newest place', async () => {
  const topics = sealedTopics(bare, rules, signer)
  const log = createMemoryLog()
  const { name: topic, key, value, seals } = topics.anchorIntents
  await log.createTopics([topics.anchorIntents])
  const record = { topic, partition: 0, timestamp: 0, key: key.encode(KEY), value: value.encode(intentOf([])) }
  const appender = await log.appender()
  const sealed = new Sealer(seals!, 0).seal(record)
  await appender.append([sealed])
  expect(await examineSeals(log, topics, rules)).toMatchObject({ detail: '1 key; nothing counts without a seal' })
  await appender.append([record, sealed])
  expect(await examineSeals(log, topics, rules)).toMatchObject({
    ok: true,
    detail: expect.stringContaining('anchor-intents has 2 forged records, the newest at offset 2'),
  })
})
