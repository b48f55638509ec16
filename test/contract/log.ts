import { afterEach, beforeEach, describe } from 'vitest'
import { groupTests } from './log-groups.ts'
import { maintenanceTests, reopenTests } from './log-keeping.ts'
import type { LogTraits, LogUnderTest, MakeLog } from './log-kit.ts'
import { modelTests } from './log-model.ts'
import { recordTests } from './log-records.ts'
import { transactionTests } from './log-transactions.ts'

/** What every driver of the `Log` port does, whatever is behind it. Each test has a log of its own. */
export function logContract(name: string, traits: LogTraits, makeLog: MakeLog): void {
  describe(`Log contract: ${name}`, () => {
    let subject: LogUnderTest
    beforeEach(async () => {
      subject = await makeLog()
    })
    afterEach(async () => {
      await subject.close()
    })
    const current = (): LogUnderTest => subject
    recordTests(current)
    transactionTests(current)
    groupTests(current)
    if (traits.maintains) maintenanceTests(current)
    if (traits.reopens) reopenTests(current)
    modelTests(current)
  })
}
