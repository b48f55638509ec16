import { systemClock } from '../../../connectors/system-clock.ts'
import { logContract } from '../../contract/log.ts'
import { cannot } from '../../contract/log-kit.ts'
import { sharedKafka } from '../../real/kafka.ts'
import { openVisibleLog } from './kafka/visible.ts'

for (const transactionsVersion of [1, 2] as const) {
  logContract(`kafka, transactions version ${transactionsVersion}`, { maintains: false, reopens: true }, async () => {
    const { bootstrap: brokers } = sharedKafka()
    const open = (clientId: string) =>
      openVisibleLog({ brokers, clientId, clock: systemClock, transactionsVersion, replicationFactor: 1 })
    let log = await open('one')
    const other = await open('two')
    return {
      log,
      other,
      now: () => systemClock.now(),
      maintain: cannot,
      reopen: async () => {
        await log.close()
        log = await open('one')
        return log
      },
      close: async () => {
        await log.close()
        await other.close()
      },
    }
  })
}
