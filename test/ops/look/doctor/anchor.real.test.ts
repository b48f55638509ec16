import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { examineAnchoring } from '../../../../ops/look/doctor/anchor.ts'
import { readAddress } from '../../../../ops/settings/parse.ts'
import { devProtocolState } from '../../../../ops/world/chain/contracts/dev-contract.ts'
import { devAccount } from '../../../../ops/world/chain/dev-accounts.ts'
import { createDevSender } from '../../../../ops/world/chain/dev-sender.ts'
import { DEV_CHAIN_ID, type DevChain, startDevChain } from '../../../../ops/world/chain/devchain.ts'
import { MARKET_DEFAULTS, RULES_DEFAULTS } from '../../../../topology/rules.ts'

let directory: string
let chain: DevChain
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sequencer-doctor-'))
  const windows = { snapshot: 2, batch: 20, attestation: 40 }
  chain = await startDevChain({
    directory,
    port: 0,
    blockTimeSeconds: 1,
    markets: 2,
    windows,
    slots: [{ slotId: 1, owner: devAccount(50).address }],
  })
  writeFileSync(join(directory, 'signer.key'), chain.accounts.sequencer.privateKey, { mode: 0o600 })
  writeFileSync(join(directory, 'stranger.key'), 'ab'.repeat(32), { mode: 0o600 })
})
afterAll(async () => {
  await chain.close()
  rmSync(directory, { recursive: true, force: true })
})

/** `ok check` of every finding, in order. */
async function examined(settings: Readonly<Record<string, string>>, chainId = DEV_CHAIN_ID): Promise<string[]> {
  const set = Object.entries({ 'chain.rpcUrls': chain.rpcUrl, ...settings }).map(([name, value]) => `${name}=${value}`)
  const address = readAddress({ kafka: '127.0.0.1:1', registry: 'http://127.0.0.1:1', set }, {})
  const { protocolState, markets: served } = chain
  const markets = served.map((dataMarket) => ({ ...MARKET_DEFAULTS, dataMarket, chainId, protocolState }))
  const deployed = { chain: { chainId, protocolState }, served, rules: { ...RULES_DEFAULTS, markets } }
  const findings = await examineAnchoring(address, deployed as unknown as Parameters<typeof examineAnchoring>[1])
  for (const { ok, advice } of findings) expect(advice === undefined).toBe(ok !== false)
  return findings.map(({ ok, check }) => `${ok} ${check}`)
}
const MARKETS_FINE = ['true market', 'true market', 'true registry']
const file = (name: string): string => join(directory, name)

test('default: nodes, the signer’s coin and its role in each market, and a store', async () => {
  expect(await examined({ 'anchor.signerKeyFile': file('signer.key'), 'storage.directory': file('blocks') })).toEqual([
    'true chain',
    'true block time',
    'true gas',
    'true agreement',
    ...MARKETS_FINE,
    'true signer',
    'true role',
    'true role',
    'true storage',
  ])
})

test('behavior: of a process without the key and without stores it says that neither was looked at', async () => {
  expect(await examined({})).toEqual([
    'true chain',
    'true block time',
    'true gas',
    'true agreement',
    ...MARKETS_FINE,
    'null signer',
    'null storage',
  ])
})

test('error: a signer that cannot pay and may not anchor, a former one that may, a Kubo that is down', async () => {
  const keys = { 'anchor.signerKeyFile': file('stranger.key'), 'anchor.formerSignerKeyFiles': file('signer.key') }
  expect(await examined({ ...keys, 'storage.kubo': 'http://127.0.0.1:9' })).toEqual([
    'true chain',
    'true block time',
    'true gas',
    'true agreement',
    ...MARKETS_FINE,
    ...['false signer', 'false role', 'false role'],
    ...['true signer', 'true role', 'true role'],
    'false storage',
  ])
})

test('error: a key that is not there, and a node of another chain', async () => {
  expect(await examined({ 'anchor.signerKeyFile': file('none.key') })).toContain('false signer')
  expect(await examined({ 'anchor.signerKeyFile': file('signer.key') }, 1)).toEqual([
    'false chain',
    'true block time',
    'true gas',
    'true agreement',
    'false market',
    'false signer',
    'null storage',
  ])
})

test('error: a market that its owner switched off, and a registry without slots', async () => {
  const abi = devProtocolState().interface
  const owner = createDevSender(chain.rpcUrl, chain.chainId, chain.accounts.owner.privateKey)
  try {
    const call = (name: string, args: readonly unknown[]) => ({
      to: chain.protocolState,
      data: abi.encodeFunctionData(name, args),
      gasLimit: 200_000,
    })
    const [created] = await owner.send([{ data: devProtocolState().bytecode, gasLimit: 6_000_000 }])
    const changes = [
      ['toggleDataMarket', [chain.markets[1], false]],
      ['updateSnapshotterState', [created!.contractAddress]],
    ]
    await owner.send(changes.map(([name, args]) => call(name as string, args as unknown[])))
    expect((await examined({})).slice(4, 7)).toEqual(['true market', 'false market', 'false registry'])
  } finally {
    owner.close()
  }
})
