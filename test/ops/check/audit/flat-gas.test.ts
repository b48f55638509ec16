import { expect, test } from 'vitest'
import { auditLog } from '../../../../ops/check/audit/audit.ts'
import { isEpochSummary } from '../../../../topology/topics.ts'
import { RULES, runScenario } from './scenario.ts'

const SUCH = { lost: 0, duplicated: 0, skipped: 0 }

test.each([
  ['of an earlier release, so much for each project', (projects: number) => 238_000 * projects, 0],
  ['that comes of nothing', (projects: number) => 238_000 * projects + 1, 1],
] as const)('behavior: a gas estimate %s', async (_, estimate, mismatches) => {
  const { log, topics } = await runScenario({ seed: 3, partitions: 1 })
  const records = log.records(topics.batches, 0)
  const at = records.findIndex(({ value }) => !isEpochSummary(topics.batches.value.decode(value!)))
  const batch = topics.batches.value.decode(records[at]!.value!)
  if (isEpochSummary(batch)) throw new Error('it was found as a batch')
  const value = topics.batches.value.encode({ ...batch, gasEstimate: estimate(batch.projectIds.length) })
  records[at] = { ...records[at]!, value }
  expect(await auditLog(log, { topics, rules: RULES })).toMatchObject({ ...SUCH, mismatches })
})
