import { Transaction, Wallet } from 'ethers'
import { describe, expect, it } from 'vitest'
import { DEV_CHAIN_ID } from '../../../../ops/world/chain/devchain.ts'
import { anchorWorlds, isFinal, lowerBaseFee, mineWithoutUs } from './anchor-world.ts'

const { keep, world } = anchorWorlds()
const HASH_CHARACTERS = 66

describe('what the chain does', () => {
  it('behavior: a stuck transaction is replaced with higher fees and the same nonce, logged before it is sent', async () => {
    let bumps = 0
    const w = await world()
    keep(await w.connect({ feeBumped: () => bumps++ }))
    const epochId = await w.epoch(1)
    const { nonce } = await w.untilRow(epochId, 0, ({ state }) => state === 'SENT', { mining: false })
    while ((await w.intents()).every(({ value }) => value.rawTransactions.length < 2)) await mineWithoutUs(w, 1)
    await lowerBaseFee(w)
    const row = await w.untilRow(epochId, 0, isFinal)
    const raws = (await w.intents()).flatMap(({ value }) => (value.nonce === nonce ? value.rawTransactions : []))
    // Of an older form that is long, later intents have only the hash.
    const forms = raws.filter((raw) => raw.length > HASH_CHARACTERS).map((raw) => Transaction.from(raw))
    const [first, mined] = [forms[0], forms.find(({ hash }) => hash === row.transactionHash)]
    expect(bumps).toBeGreaterThan(0)
    expect(mined).toMatchObject({ nonce: first!.nonce, data: first!.data })
    expect(mined!.maxFeePerGas! * 100n >= first!.maxFeePerGas! * 110n).toBe(true)
    expect(await w.events('SnapshotBatchSubmitted', epochId)).toEqual([row.cid])
  })

  it('behavior: a batch that a reorg took out is sent again, and is anchored once', async () => {
    const w = await world()
    keep(await w.connect({}, { confirmations: 4 }))
    const epochId = await w.epoch(1)
    const mined = await w.untilRow(epochId, 0, ({ state }) => state === 'MINED')
    await w.reorganiseFrom(mined.blockNumber)
    await w.send('evm_mine')
    await w.untilRow(epochId, 0, ({ blockHash, state }) => state === 'MINED' && blockHash !== mined.blockHash)
    const row = await w.untilRow(epochId, 0, isFinal)
    expect(await w.outcomes()).toContain('REORGED')
    expect(row.nonce).toBe(mined.nonce)
    expect(row.transactionHash).toBe(mined.transactionHash)
    expect(await w.events('SnapshotBatchSubmitted', epochId)).toEqual([row.cid])
    await w.untilRow(epochId, -1, isFinal)
  })

  it('behavior: a reorg while the connector is away is seen when it comes back', async () => {
    const w = await world()
    const first = await w.connect({}, { confirmations: 4 })
    const epochId = await w.epoch(1)
    const mined = await w.untilRow(epochId, 0, ({ state }) => state === 'MINED')
    await first.close()
    await w.reorganiseFrom(mined.blockNumber)
    keep(await w.connect({}, { confirmations: 4 }))
    const row = await w.untilRow(epochId, 0, isFinal)
    expect(row.blockHash).not.toBe(mined.blockHash)
    expect(await w.events('SnapshotBatchSubmitted', epochId)).toEqual([row.cid])
  })

  it('behavior: a nonce that the key used elsewhere is given up, and the batch gets another', async () => {
    const w = await world()
    keep(await w.connect({}, { stuckBlocks: 1_000 }))
    const epochId = await w.epoch(1)
    const { nonce } = await w.untilRow(epochId, 0, ({ state }) => state === 'SENT', { mining: false })
    const wallet = new Wallet(w.chain.accounts.sequencer.privateKey)
    const fees = { maxFeePerGas: 900_000_000_000n, maxPriorityFeePerGas: 900_000_000_000n }
    const foreign = { to: wallet.address, nonce, gasLimit: 21_000, chainId: DEV_CHAIN_ID, type: 2, ...fees }
    await w.send('eth_sendRawTransaction', [await wallet.signTransaction(foreign)])
    const row = await w.untilRow(epochId, 0, isFinal)
    expect(await w.outcomes()).toContain('NONCE_TAKEN')
    expect(row.nonce).toBeGreaterThan(nonce)
    expect(await w.events('SnapshotBatchSubmitted', epochId)).toEqual([row.cid])
  })

  it('behavior: a signer without money waits for it', async () => {
    const w = await world()
    const { address } = w.chain.accounts.sequencer
    const needs: bigint[] = []
    await w.send('anvil_setBalance', [address, '0x0'])
    keep(await w.connect({ lowBalance: (_wei, needed) => needs.push(needed) }))
    const epochId = await w.epoch(1)
    await w.until('low balance', async () => needs.length > 2)
    await w.send('anvil_setBalance', [address, '0xde0b6b3a7640000'])
    await w.untilRow(epochId, 0, isFinal)
    expect(needs[0]).toBeGreaterThan(0n)
  })

  it('behavior: validators that agree on another root are noted', async () => {
    const w = await world()
    keep(await w.connect())
    const epochId = await w.epoch(1)
    const { cid } = await w.untilRow(epochId, 0, isFinal)
    const other = `0x${'ab'.repeat(32)}`
    for (const validator of w.chain.accounts.validators.slice(0, 2))
      await w.callAs(validator, 'submitBatchAttestation', [w.market, cid, epochId, other])
    const row = await w.untilRow(epochId, 0, ({ diverged }) => diverged)
    expect(row).toMatchObject({ attested: false, state: 'FINAL' })
    expect(row.attestations.map(({ matches }) => matches)).toEqual([false, false])
  })
})
