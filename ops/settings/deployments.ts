/** Contracts of Powerloom that this program knows by name, so that nobody has to take them from the file that is checked. */

export interface Deployment {
  readonly chainId: number
  /** ProtocolState proxy, lower case; also the EIP-712 verifying contract. */
  readonly protocolState: string
}

/** Each is known by signatures of real snapshotters, which recover under it: test/ops/settings/deployments.test.ts. */
export const DEPLOYMENTS: Readonly<Record<string, Deployment>> = {
  'powerloom-mainnet': { chainId: 7869, protocolState: '0x000aa7d3a6a2556496f363b59e56d9aa1881548f' },
  'powerloom-premainnet': { chainId: 11169, protocolState: '0xf68342970bef978697e1104223b2e1b6a1d7764d' },
}
