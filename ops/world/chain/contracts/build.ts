/** `npm run contracts:build`: writes what DevProtocolState.sol compiles to, which is committed and checked by a test. */
import { writeFileSync } from 'node:fs'
import { compileDevProtocolState } from './compile.ts'

const contract = compileDevProtocolState()
writeFileSync(new URL('DevProtocolState.json', import.meta.url), `${JSON.stringify(contract)}\n`)
process.stdout.write(`DevProtocolState.json: ${contract.bytecode.length / 2 - 1} bytes of creation code\n`)
