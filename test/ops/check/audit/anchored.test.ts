import { expect, test } from 'vitest'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { indexBatches } from '../../../../ops/check/audit/anchored.ts'
import { Findings } from '../../../../ops/check/audit/report.ts'
import { createCodec } from '../../../../schemas/codec.ts'
import { memoryRegistry } from '../../../../schemas/registry.ts'
import { RULES_DEFAULTS } from '../../../../topology/rules.ts'
import { epochScope, sequencerTopics } from '../../../../topology/topics.ts'
import { piecesOf } from '../../../pieces.ts'
import { batchOf, MARKET } from '../../look/fixture.ts'

const one = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
const topics = sequencerTopics(await createCodec(memoryRegistry()), { prefix: '', partitions: one })
const parts = [...piecesOf(batchOf({ json: Buffer.alloc(500) }), 300)]

test.each([
  { what: 'each record of a batch once', written: parts, duplicated: [] },
  { what: 'its first record twice', written: [...parts, parts[0]!], duplicated: ['batch 0 a second time'] },
  { what: 'another twice', written: [...parts, parts[1]!], duplicated: ['batch 0, part 1, a second time'] },
])('behavior: $what', async ({ written, duplicated }) => {
  const log = createMemoryLog()
  await log.createTopics([topics.batches])
  const { name: topic, key, value } = topics.batches
  const appender = await log.appender()
  for (const batch of written) {
    const record = { key: key.encode({ dataMarket: MARKET }), value: value.encode(batch) }
    await appender.append([{ topic, partition: 0, timestamp: 0, ...record }])
  }
  const findings = new Findings()
  const index = await indexBatches(log, topics, RULES_DEFAULTS, findings)
  expect(index.get(epochScope(MARKET, 3))!.offsets).toEqual([0])
  expect(findings.differences().map(({ message }) => message)).toEqual(duplicated)
})
