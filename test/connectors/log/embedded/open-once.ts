// Opens a log, as nobody in particular when told so, and prints how that ended. Ends when its log is open and it is killed.
import { openEmbeddedLog } from '../../../../connectors/log/embedded/embedded.ts'
import type { LogError } from '../../../../streams/ports.ts'

const NOBODY = 65_534

const [directory, who] = process.argv.slice(2) as [string, string | undefined]
if (who === 'nobody' && process.getuid!() === 0) process.setuid!(NOBODY)
try {
  await openEmbeddedLog({ directory })
  process.stdout.write('open\n')
} catch (error) {
  const { code, retriable, message } = error as LogError
  process.stdout.write(`${code} ${retriable} ${message.replaceAll('\n', ' ')}\n`)
  process.exit(1)
}
