import { expect } from 'vitest'
import type { AuditReport } from '../../ops/check/audit/report.ts'
import { runSequencer } from './run-sequencer.ts'

/** Audits the log that the options name: nothing may be lost, doubled, skipped or different, else the test fails with what is. */
export async function auditClean(...where: readonly string[]): Promise<AuditReport> {
  const { stdout, stderr, exitCode } = await runSequencer(['audit', ...where, '--json'])
  expect(stdout, stderr).not.toBe('')
  const report = JSON.parse(stdout) as AuditReport
  expect(report.differences).toEqual([])
  expect(report).toMatchObject({ lost: 0, duplicated: 0, skipped: 0, mismatches: 0 })
  expect(exitCode, stderr).toBe(report.epochsOnChain === null ? 4 : 0)
  return report
}
