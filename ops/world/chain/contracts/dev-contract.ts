import { existsSync, readFileSync } from 'node:fs'
import { Interface } from 'ethers'
import type { CompiledContract } from './compile.ts'

const FILE = 'DevProtocolState.json'

/** The committed ABI and bytecode of DevProtocolState.sol: beside this file in the sources; dist/ has no copy of it. */
export function devProtocolState(): CompiledContract & { readonly interface: Interface } {
  const beside = new URL(FILE, import.meta.url)
  const file = existsSync(beside)
    ? beside
    : new URL(`../../../../../ops/world/chain/contracts/${FILE}`, import.meta.url)
  const contract = JSON.parse(readFileSync(file, 'utf8')) as CompiledContract
  return { ...contract, interface: new Interface(contract.abi as ConstructorParameters<typeof Interface>[0]) }
}
