import { HDNodeWallet } from 'ethers'

/** The mnemonic that anvil and hardhat give their funded accounts; public, so worth nothing outside a development chain. */
const MNEMONIC = 'test test test test test test test test test test test junk'

export interface DevAccount {
  /** Lower case. */
  readonly address: string
  readonly privateKey: string
}

/** The n-th account (from 0) of the development mnemonic; anvil funds the first `fundedAccounts` of them. */
export function devAccount(index: number): DevAccount {
  const wallet = HDNodeWallet.fromPhrase(MNEMONIC, undefined, `m/44'/60'/0'/0/${index}`)
  return { address: wallet.address.toLowerCase(), privateKey: wallet.privateKey }
}

/** The accounts that play the roles of the development chain. */
export const DEV_ROLE_INDEX = { owner: 0, epochManager: 1, sequencer: 2, firstValidator: 3 } as const
