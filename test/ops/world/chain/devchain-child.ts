/** Starts the development chain of a directory in a process of its own, which the tests kill. Prints its port. */
import { startDevChain } from '../../../../ops/world/chain/devchain.ts'

const [directory = '', idleSeconds = '120'] = process.argv.slice(2)
const windows = { snapshot: 2, batch: 20, attestation: 40 }
const chain = await startDevChain({
  directory,
  port: 0,
  blockTimeSeconds: 1,
  markets: 1,
  windows,
  slots: [],
  idleSeconds: Number(idleSeconds),
})
process.stdout.write(`${chain.rpcUrl}\n`)
setInterval(() => undefined, 1_000)
