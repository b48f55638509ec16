import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const SOURCE = 'DevProtocolState.sol'

export interface CompiledContract {
  readonly compiler: string
  readonly abi: readonly object[]
  /** Creation code, 0x hex. */
  readonly bytecode: string
}

interface SolcOutput {
  readonly errors?: readonly { severity: string; formattedMessage: string }[]
  readonly contracts?: Record<string, Record<string, { abi: object[]; evm: { bytecode: { object: string } } }>>
}

/**
 * Compiles DevProtocolState.sol with solc-js. `evmVersion: paris` because anchor chains are older than the newest
 * opcodes; no metadata hash, so the bytecode depends on the source and the compiler alone.
 */
export function compileDevProtocolState(): CompiledContract {
  const solc = createRequire(import.meta.url)('solc') as { compile(input: string): string; version(): string }
  const content = readFileSync(new URL(SOURCE, import.meta.url), 'utf8')
  const input = {
    language: 'Solidity',
    sources: { [SOURCE]: { content } },
    settings: {
      evmVersion: 'paris',
      optimizer: { enabled: true, runs: 200 },
      metadata: { bytecodeHash: 'none', appendCBOR: false },
      outputSelection: { [SOURCE]: { DevProtocolState: ['abi', 'evm.bytecode.object'] } },
    },
  }
  const output = JSON.parse(solc.compile(JSON.stringify(input))) as SolcOutput
  const faults = (output.errors ?? []).filter(({ severity }) => severity === 'error')
  const contract = output.contracts?.[SOURCE]?.DevProtocolState
  if (faults.length > 0 || !contract) throw new Error(faults.map((fault) => fault.formattedMessage).join('\n'))
  return { compiler: solc.version(), abi: contract.abi, bytecode: `0x${contract.evm.bytecode.object}` }
}
