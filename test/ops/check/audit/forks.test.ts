import { expect, test } from 'vitest'
import { auditLog } from '../../../../ops/check/audit/audit.ts'
import { RULES, runScenario } from './scenario.ts'

test('behavior: who had a slot before its sale left the chain is judged by what was told then', async () => {
  const { log, topics } = await runScenario({ seed: 3, partitions: 1, saleLeaves: true })
  expect(await auditLog(log, { topics, rules: RULES })).toMatchObject({ lost: 0, mismatches: 0 })
  // An audit that takes the row as it was left would give the votes to the seller.
  const [at, record] = [...log.records(topics.slots, 0).entries()].find(
    ([, { value }]) => topics.slots.value.decode(value!).slotId === 3,
  )!
  const row = topics.slots.value.decode(record.value!)
  const value = topics.slots.value.encode({ ...row, history: row.history.filter(({ untilFork }) => untilFork === 0) })
  log.records(topics.slots, 0)[at] = { ...record, value }
  const { mismatches } = await auditLog(log, { topics, rules: RULES })
  expect(mismatches).toBeGreaterThan(0)
})
