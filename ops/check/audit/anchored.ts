/** The batches that were built and anchored according to the log, by epoch. */
import type { Anchor, EpochSummary } from '../../../schemas/types.ts'
import type { Log } from '../../../streams/ports.ts'
import { readRecords } from '../../../streams/read-record.ts'
import { epochScope, isEpochSummary, type Topics } from '../../../topology/topics.ts'
import { scan } from '../../reading/scan.ts'
import { originOf, type SealRules } from './record-origin.ts'
import type { Findings } from './report.ts'

export interface EpochBatches {
  /** Offset of the first record of each batch in `batches`, by batch index. */
  readonly offsets: readonly number[]
  readonly summary: EpochSummary | undefined
}

/** The places of the batches of each epoch; their bytes are read when they are compared. Counts repeated ones as duplicated. */
export async function indexBatches(
  log: Log,
  { batches }: Topics,
  rules: SealRules,
  findings: Findings,
): Promise<Map<string, EpochBatches>> {
  const guard = originOf(batches, rules)
  const index = new Map<string, { offsets: number[]; summary: EpochSummary | undefined }>()
  const parts = new Set<string>()
  for await (const records of scan(log, { topic: batches.name, partition: 0 }, { tell: findings.unreadable }))
    for (const { offset, key, value: event } of readRecords(batches, 0, records, findings.unreadable, { guard })) {
      if (event === null) continue
      const { dataMarket } = key
      const epochId = isEpochSummary(event) ? event.summaryOf : event.epochId
      const scope = epochScope(dataMarket, epochId)
      const epoch = index.get(scope) ?? { offsets: [], summary: undefined }
      index.set(scope, epoch)
      const where = `batches offset ${offset}, epoch ${epochId} of ${dataMarket}`
      if (isEpochSummary(event)) {
        if (epoch.summary) findings.add('duplicated', where, 'a second summary')
        epoch.summary ??= event
        continue
      }
      const { batchIndex, part } = event
      const id = `${scope}/${batchIndex}/${part}`
      if (parts.has(id))
        findings.add('duplicated', where, `batch ${batchIndex}${part > 0 ? `, part ${part},` : ''} a second time`)
      else if (part === 0) epoch.offsets[batchIndex] = offset
      parts.add(id)
    }
  return index
}

/** The newest row of `anchors` by epoch and batch index. */
export async function readAnchors(
  log: Log,
  { anchors }: Topics,
  findings: Findings,
): Promise<ReadonlyMap<string, ReadonlyMap<number, Anchor>>> {
  const rows = new Map<string, Map<number, Anchor>>()
  for await (const records of scan(log, { topic: anchors.name, partition: 0 }, { tell: findings.unreadable }))
    for (const { key, value } of readRecords(anchors, 0, records, findings.unreadable)) {
      const { dataMarket, epochId, batchIndex } = key
      const scope = epochScope(dataMarket, epochId)
      const epoch = rows.get(scope) ?? new Map<number, Anchor>()
      rows.set(scope, epoch)
      if (value === null) epoch.delete(batchIndex)
      else epoch.set(batchIndex, value)
    }
  return rows
}
