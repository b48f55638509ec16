import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Wallet } from 'ethers'
import { afterEach, describe, expect, it } from 'vitest'
import type { AnchorObserver } from '../../../connectors/evm/anchor-options.ts'
import { devAccount } from '../../../connectors/evm/dev-accounts.ts'
import { DEV_CHAIN_ID } from '../../../connectors/evm/devchain.ts'
import { StoreError } from '../../../connectors/ipfs/batch-store.ts'
import { computeCid } from '../../../connectors/ipfs/cid.ts'
import { type AnchorWorld, batchOf, createAnchorWorld } from './anchor-world.ts'

let open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const part of open.toReversed()) await part.close()
  open = []
})

const keep = <T extends { close(): Promise<void> }>(part: T): T => {
  open.push(part)
  return part
}
const world = async (...options: Parameters<typeof createAnchorWorld>): Promise<AnchorWorld> =>
  keep(await createAnchorWorld(...options))

/** Another sequencer of the market. */
const RIVAL = devAccount(12)
const HIGH_BASE_FEE = '0x38d7ea4c68000' // 1e15 wei: no transaction here pays that, and 40 empty blocks do not bring it down
const raiseBaseFee = (w: AnchorWorld) => w.send('anvil_setNextBlockBaseFeePerGas', [HIGH_BASE_FEE])
const lowerBaseFee = (w: AnchorWorld) => w.send('anvil_setNextBlockBaseFeePerGas', ['0x1'])
/** Blocks that take no transaction of ours. */
async function mineWithoutUs(w: AnchorWorld, blocks: number): Promise<void> {
  for (let i = 0; i < blocks; i++) {
    await raiseBaseFee(w)
    await w.send('evm_mine')
  }
}

async function submitAs(w: AnchorWorld, account: typeof RIVAL, batch: ReturnType<typeof batchOf>, cid: string) {
  const { epochId, projectIds, snapshotCids, finalizedCidsRootHash } = batch
  const args = [w.market, cid, epochId, projectIds, snapshotCids, finalizedCidsRootHash]
  await w.callAs(account, 'submitSubmissionBatch', args)
}

const outcomesOf = async (w: AnchorWorld): Promise<string[]> => (await w.results()).map(({ value }) => value.outcome)

const isFinal = ({ state }: { state: string }): boolean => state === 'FINAL'

describe('startAnchor on anvil', () => {
  it('default: an epoch of three batches is stored, anchored, ended and attested', async () => {
    const w = await world()
    keep(await w.connect())
    const epochId = await w.epoch(3)
    const end = await w.untilRow(epochId, -1, isFinal)
    const rows = await Promise.all([0, 1, 2].map((index) => w.untilRow(epochId, index, isFinal)))
    expect((await w.events('SnapshotBatchSubmitted', epochId)).sort()).toEqual(rows.map(({ cid }) => cid).sort())
    expect(await w.events('BatchSubmissionsCompleted', epochId)).toHaveLength(1)
    for (const { nonce, blockNumber } of rows) {
      expect(nonce).toBeLessThan(end.nonce)
      expect(blockNumber).toBeLessThanOrEqual(end.blockNumber)
    }
    expect(Buffer.from(await w.files.get(rows[0]!.cid)).toString()).toContain('project:0:0')

    const { validators } = w.chain.accounts
    for (const { cid, finalizedCidsRootHash } of rows)
      for (const validator of validators.slice(0, 2))
        await w.callAs(validator, 'submitBatchAttestation', [w.market, cid, epochId, finalizedCidsRootHash])
    const attested = await w.untilRow(epochId, 1, (row) => row.attested)
    expect(attested.attestations.map(({ validator, matches, finalized }) => [validator, matches, finalized])).toEqual([
      [validators[0]!.address, true, false],
      [validators[1]!.address, true, true],
    ])
  })

  it('behavior: an epoch without batches is only ended', async () => {
    const w = await world()
    keep(await w.connect())
    const epochId = await w.epoch(0)
    await w.untilRow(epochId, -1, isFinal)
    expect(await w.events('BatchSubmissionsCompleted', epochId)).toHaveLength(1)
  })
})

describe('what the contract refuses or drops', () => {
  it('behavior: a batch that is mined after its window is LATE by its event, though its receipt says success', async () => {
    const late: number[] = []
    const w = await world({ windows: { snapshot: 1, batch: 6, attestation: 20 } })
    const observer: AnchorObserver = { lateAccepted: ({ batchIndex }) => late.push(batchIndex) }
    keep(await w.connect(observer, { stuckBlocks: 1_000 }))
    const epochId = await w.epoch(1)
    await w.untilRow(epochId, 0, ({ state }) => state === 'SENT', { mining: false })
    await mineWithoutUs(w, 8)
    await lowerBaseFee(w)
    const row = await w.untilRow(epochId, 0, ({ state }) => state === 'LATE')
    const receipt = await w.provider.getTransactionReceipt(row.transactionHash)
    expect(receipt?.status).toBe(1)
    expect(await w.events('DelayedBatchSubmitted', epochId)).toEqual([row.cid])
    expect(await w.events('SnapshotBatchSubmitted', epochId)).toEqual([])
    expect(late).toEqual([0])
    await w.untilRow(epochId, -1, isFinal)
  })

  it('behavior: a batch whose window is over before it is sent is LATE without a transaction', async () => {
    const w = await world({ windows: { snapshot: 1, batch: 3, attestation: 20 } })
    const epochId = await w.epoch(1)
    for (let i = 0; i < 4; i++) await w.send('evm_mine')
    keep(await w.connect())
    expect(await w.untilRow(epochId, 0, ({ state }) => state === 'LATE')).toMatchObject({
      nonce: -1,
      transactionHash: '',
    })
    expect(await w.events('DelayedBatchSubmitted', epochId)).toEqual([])
    await w.untilRow(epochId, -1, isFinal)
  })

  it('behavior: E25 of another batch is FAILED, and the other batches of the epoch are anchored', async () => {
    const w = await world({ sequencers: [RIVAL.address] })
    const reverts: string[] = []
    const epochId = await w.epoch(2)
    await submitAs(w, RIVAL, batchOf(epochId, 0), 'bafkreiother')
    keep(await w.connect({ reverted: (code) => reverts.push(code) }))
    const row = await w.untilRow(epochId, 0, ({ state }) => state === 'FAILED')
    expect(row).toMatchObject({ error: 'E25', nonce: -1 })
    expect(reverts).toEqual(['E25'])
    await w.untilRow(epochId, 1, isFinal)
    await w.untilRow(epochId, -1, isFinal)
  })

  it('behavior: E25 of this very batch is success: someone anchored it before', async () => {
    const w = await world({ sequencers: [RIVAL.address] })
    const epochId = await w.epoch(1)
    const batch = batchOf(epochId, 0)
    await submitAs(w, RIVAL, batch, await computeCid(batch.json))
    keep(await w.connect())
    const row = await w.untilRow(epochId, 0, isFinal)
    expect(row).toMatchObject({ nonce: -1, cid: await computeCid(batch.json) })
    expect(row.blockNumber).toBeGreaterThan(0)
    expect(await w.events('SnapshotBatchSubmitted', epochId)).toEqual([row.cid])
  })

  it('behavior: E43 is FAILED, and E39 of the ending call is success', async () => {
    const w = await world({ sequencers: [RIVAL.address] })
    const epochId = await w.epoch(1)
    await w.callAs(RIVAL, 'endBatchSubmissions', [w.market, epochId])
    keep(await w.connect())
    expect(await w.untilRow(epochId, 0, ({ state }) => state === 'FAILED')).toMatchObject({ error: 'E43' })
    expect(await w.untilRow(epochId, -1, isFinal)).toMatchObject({ nonce: -1 })
    expect(await w.events('BatchSubmissionsCompleted', epochId)).toHaveLength(1)
  })

  it('behavior: E04 waits until the operator adds the signer', async () => {
    const w = await world()
    keep(await w.connect({}, { signerKey: RIVAL.privateKey }))
    const epochId = await w.epoch(1)
    await w.untilRow(epochId, 0, ({ error }) => error === 'E04')
    await w.callAs(w.chain.accounts.owner, 'updateAddresses', [w.market, 1, [RIVAL.address], [true]])
    expect(await w.untilRow(epochId, 0, isFinal)).toMatchObject({ nonce: 0, error: '' })
  })

  it('behavior: a call that became pointless while it waited is replaced by a filler, so that its nonce is used', async () => {
    const w = await world({ sequencers: [RIVAL.address] })
    keep(await w.connect())
    const epochId = await w.epoch(1)
    await w.untilRow(epochId, 0, ({ state }) => state === 'SENT', { mining: false })
    await w.send('anvil_dropAllTransactions')
    await w.callAs(RIVAL, 'endBatchSubmissions', [w.market, epochId])
    const row = await w.untilRow(epochId, 0, ({ state }) => state === 'FAILED')
    expect(row.error).toBe('E43')
    const fills = (await w.intents()).filter(({ value }) => value.call === 'FILL')
    const outcomes = await outcomesOf(w)
    // Broadcast again before it was noticed, it is mined and reverts instead: the nonce is used either way.
    expect(fills.length > 0 ? outcomes : ['FILLED']).toContain('FILLED')
    const next = await w.epoch(1)
    await w.untilRow(next, 0, isFinal)
  })

  it('behavior: too little gas is found out, and more is asked for', async () => {
    const w = await world()
    keep(await w.connect({}, { gasMargin: 0.3 }))
    const epochId = await w.epoch(1, 20)
    const row = await w.untilRow(epochId, 0, isFinal)
    expect((await w.results()).map(({ value }) => value.error)).toContain('OUT_OF_GAS')
    expect(await w.events('SnapshotBatchSubmitted', epochId)).toEqual([row.cid])
  })
})

describe('what the chain does', () => {
  it('behavior: a stuck transaction is replaced with higher fees and the same nonce, logged before it is sent', async () => {
    let bumps = 0
    const w = await world()
    keep(await w.connect({ feeBumped: () => bumps++ }))
    const epochId = await w.epoch(1)
    const first = await w.untilRow(epochId, 0, ({ state }) => state === 'SENT', { mining: false })
    while ((await w.intents()).every(({ value }) => value.rawTransactions.length < 2)) await mineWithoutUs(w, 1)
    await lowerBaseFee(w)
    const row = await w.untilRow(epochId, 0, isFinal)
    expect(row.nonce).toBe(first.nonce)
    expect(bumps).toBeGreaterThan(0)
    const [last] = (await w.intents()).filter(({ value }) => value.step === 'SEND').slice(-1)
    const sender = await w.provider.getTransaction(row.transactionHash)
    expect(last?.value.nonce).toBeLessThanOrEqual(sender!.nonce + 1)
    expect(await w.events('SnapshotBatchSubmitted', epochId)).toEqual([row.cid])
  })

  it('behavior: a batch that a reorg took out is sent again, and is anchored once', async () => {
    const w = await world()
    keep(await w.connect({}, { confirmations: 4 }))
    const epochId = await w.epoch(1)
    const mined = await w.untilRow(epochId, 0, ({ state }) => state === 'MINED')
    await w.send('anvil_reorg', [1, []])
    await w.send('evm_mine')
    await w.untilRow(epochId, 0, ({ blockHash, state }) => state === 'MINED' && blockHash !== mined.blockHash)
    const row = await w.untilRow(epochId, 0, isFinal)
    expect(await outcomesOf(w)).toContain('REORGED')
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
    await w.send('anvil_reorg', [1, []])
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
    expect(await outcomesOf(w)).toContain('NONCE_TAKEN')
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

describe('outages and restarts', () => {
  it('behavior: a node that is down at the start and again later is waited for', async () => {
    const w = await world()
    const proxy = keep(await createProxy(w.chain.rpcUrl))
    await proxy.stop()
    let waits = 0
    keep(await w.connect({ waiting: () => waits++ }, { urls: [proxy.url] }))
    const epochId = await w.epoch(2)
    await w.until('waiting', async () => waits > 3)
    await proxy.start()
    await w.untilRow(epochId, 0, ({ state }) => state === 'SENT', { mining: false })
    await proxy.stop()
    const before = waits
    await w.send('evm_mine')
    await w.until('waiting again', async () => waits > before + 3)
    await proxy.start()
    for (const index of [0, 1, -1]) await w.untilRow(epochId, index, isFinal)
    expect(await w.events('SnapshotBatchSubmitted', epochId)).toHaveLength(2)
  })

  it('behavior: a store that is down is waited for; one that gives another CID is never anchored', async () => {
    const w = await world()
    let puts = 0
    const store = async (bytes: Uint8Array, signal: AbortSignal): Promise<string> => {
      if (++puts < 4) throw new StoreError('UNAVAILABLE', 'down')
      return w.storeInFiles(bytes, signal)
    }
    keep(await w.connect({}, {}, store))
    const epochId = await w.epoch(1)
    await w.untilRow(epochId, 0, isFinal)
    expect(puts).toBe(4)
  })

  it('error: a batch that every store gives another CID is FAILED', async () => {
    const w = await world({}, { retriesMax: 2 })
    const store = () => Promise.reject(new StoreError('CID_MISMATCH', 'the store gave another CID'))
    keep(await w.connect({}, {}, store))
    const epochId = await w.epoch(1)
    const row = await w.untilRow(epochId, 0, ({ state }) => state === 'FAILED')
    expect(row).toMatchObject({ cid: '', error: 'the store gave another CID' })
    await w.untilRow(epochId, -1, isFinal)
    expect(await w.events('SnapshotBatchSubmitted', epochId)).toEqual([])
  })

  it('error: a batch that the log has lost is FAILED, and says so', async () => {
    const w = await world({}, { retriesMax: 1 })
    const epochId = await w.epoch(1)
    const [bounds] = await w.log.bounds([{ topic: w.topics.batches.name, partition: 0 }])
    await w.untilRow(epochId, 0, ({ state }) => state === 'PLANNED', { mining: false })
    await w.log.deleteRecords([{ topic: w.topics.batches.name, partition: 0, offset: bounds!.stable }])
    keep(await w.connect())
    const row = await w.untilRow(epochId, 0, ({ state }) => state === 'FAILED')
    expect(row.error).toContain('no batch at offset')
  })

  it('behavior: a second connector takes over when the first goes', async () => {
    const w = await world()
    const owners: string[] = []
    const told = (name: string): AnchorObserver => ({ owning: (owns) => void (owns && owners.push(name)) })
    const first = await w.connect(told('a'), { instanceId: 'a' })
    await w.until('an owner', async () => owners.length > 0)
    keep(await w.connect(told('b'), { instanceId: 'b' }))
    const epochId = await w.epoch(2)
    await w.untilRow(epochId, 0, ({ state }) => state === 'SENT', { mining: false })
    await first.close()
    for (const index of [0, 1, -1]) await w.untilRow(epochId, index, isFinal)
    expect(owners.at(-1)).toBe('b')
    expect(await w.events('SnapshotBatchSubmitted', epochId)).toHaveLength(2)
  })

  it('behavior: intents that are no longer in force are purged', async () => {
    const w = await world()
    keep(await w.connect({}, { purgeIntervalMs: 50 }))
    const epochId = await w.epoch(1)
    await w.untilRow(epochId, -1, isFinal)
    const { cid, finalizedCidsRootHash } = await w.untilRow(epochId, 0, isFinal)
    for (const validator of w.chain.accounts.validators.slice(0, 2))
      await w.callAs(validator, 'submitBatchAttestation', [w.market, cid, epochId, finalizedCidsRootHash])
    await w.untilRow(epochId, 0, ({ attested }) => attested)
    await w.until('an empty topic', async () => (await w.intents()).length === 0)
  })

  it('error: a node of another chain is refused at the start', async () => {
    const w = await world()
    await expect(w.connect({}, { chainId: 1 })).rejects.toMatchObject({ code: 'WRONG_CHAIN' })
  })
})

/** An HTTP proxy that can be stopped and started again on its port. */
async function createProxy(target: string) {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', async () => {
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(target, { method: 'POST', headers, body: Buffer.concat(chunks) })
      response.writeHead(answer.status, headers).end(Buffer.from(await answer.arrayBuffer()))
    })
  })
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  await listen(0)
  const { port } = server.address() as AddressInfo
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { url: `http://127.0.0.1:${port}`, start: () => listen(port), stop, close: stop }
}
