import { describe, expect, it } from 'vitest'
import { BatchGone, createBatchReader, readBatch } from '../../../../connectors/evm/anchor-effects/anchor-batches.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { withBytes } from '../../../../schemas/batch-joiner.ts'
import { createCodec } from '../../../../schemas/codec.ts'
import { memoryRegistry } from '../../../../schemas/registry.ts'
import type { Batch, BatchTexts } from '../../../../schemas/types.ts'
import type { Log } from '../../../../streams/ports.ts'
import { batchParts } from '../../../../topology/shared/parts.ts'
import { type BatchEvent, sequencerTopics } from '../../../../topology/topics.ts'
import { piecesOf } from '../../../pieces.ts'

const one = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
const { batches } = sequencerTopics(await createCodec(memoryRegistry()), { prefix: '', partitions: one })
const { signal } = new AbortController()

const textsOf = (name: string): BatchTexts[] =>
  Array.from({ length: 6 }, (_, slotId) => ({
    submissionIds: `"${name}/${slotId}"`,
    slotIds: [slotId],
    frameNumbers: [0],
    frames: [{ middle: `"${name} ${'x'.repeat(100)}"`, end: '' }],
    signatures: Buffer.alloc(65),
  }))

const batchOf = (epochId: number, batchIndex: number): Batch => {
  const lists = { projectIds: [`p${epochId}`], snapshotCids: ['cid'] }
  const counts = { batchCount: 2, submissions: 1, leavesBefore: 0, gasEstimate: 1, part: 0, parts: 1 }
  return {
    epochId,
    batchIndex,
    json: Buffer.alloc(0),
    texts: textsOf(`${epochId}/${batchIndex}`),
    roothash: '',
    finalizedCidsRootHash: '',
    ...lists,
    ...counts,
    sizeBytes: 0,
  }
}
const summaryOf = (epochId: number): BatchEvent => ({
  summaryOf: epochId,
  releaseBlock: 1,
  closeBlock: 2,
  closeBlockHash: '',
  batches: 2,
  projects: 2,
  projectsWithoutQuorum: 0,
  submissions: 2,
})

async function logOf(events: readonly (readonly [market: string, event: BatchEvent])[]): Promise<Log> {
  const log = createMemoryLog()
  await log.createTopics([batches])
  const appender = await log.appender()
  for (const [dataMarket, event] of events)
    await appender.append([
      {
        topic: batches.name,
        partition: 0,
        timestamp: 0,
        key: batches.key.encode({ dataMarket }),
        value: batches.value.encode(event),
      },
    ])
  return log
}
const textOf = ({ json }: Batch): string => Buffer.from(json).toString()
const wholeOf = (epochId: number, batchIndex: number): string => textOf(withBytes(batchOf(epochId, batchIndex)))

const FORMS = [
  { form: 'texts', partsOf: (batch: Batch): Batch[] => [...batchParts(batch, 800)] },
  { form: 'pieces of its bytes, as before', partsOf: (batch: Batch): Batch[] => [...piecesOf(withBytes(batch), 300)] },
]

describe.each(FORMS)('a batch of several records with $form', ({ partsOf }) => {
  const own = partsOf(batchOf(1, 0))
  const next = partsOf(batchOf(1, 1))
  const other = partsOf(batchOf(2, 0))
  /** Two tasks write at a time; the other market has a batch of the same epoch and index. */
  const events = [
    ['a', own[0]!],
    ['a', other[0]!],
    ['b', own[0]!],
    ...own.slice(1).flatMap((part, i) => [['a', part] as const, ['a', other[i + 1]!] as const]),
    ['a', next[0]!],
    ...next.slice(1).map((part) => ['a', part] as const),
    ['a', summaryOf(1)],
  ] as const

  it('default: is read whole, whatever lies between', async () => {
    expect(own.length).toBeGreaterThan(2)
    const log = await logOf(events)
    expect(textOf(await readBatch(log, batches, 0))).toBe(wholeOf(1, 0))
    expect(textOf(await readBatch(log, batches, 1))).toBe(wholeOf(2, 0))
    const at = events.findIndex(([, event]) => event === next[0])
    expect(textOf(await readBatch(log, batches, at))).toBe(wholeOf(1, 1))
  })

  it('behavior: calls are made of its first record alone', async () => {
    const reader = createBatchReader(await logOf(events.slice(0, 1)), batches)
    expect(await reader.summary(0, signal)).toMatchObject({ projectIds: ['p1'], snapshotCids: ['cid'], batchIndex: 0 })
  })

  it.each([
    ['the next batch', next[0]!],
    ['the summary', summaryOf(1)],
  ])('error: one of which a part is missing before %s is gone', async (_, behind) => {
    const log = await logOf([...own.slice(0, -1).map((part) => ['a', part] as const), ['a', behind]])
    await expect(readBatch(log, batches, 0)).rejects.toThrow(BatchGone)
  })

  it('error: an offset where no batch begins', async () => {
    const log = await logOf(events)
    for (const event of [own[1]!, summaryOf(1)]) {
      const at = events.findIndex(([, one]) => one === event || ('summaryOf' in one && 'summaryOf' in event))
      await expect(readBatch(log, batches, at)).rejects.toThrow(BatchGone)
    }
  })

  it('error: a log that ends within it may have the rest later', async () => {
    const log = await logOf(own.slice(0, -1).map((part) => ['a', part] as const))
    await expect(readBatch(log, batches, 0)).rejects.toMatchObject({ code: 'OFFSET_NOT_AVAILABLE', retriable: true })
  })
})
