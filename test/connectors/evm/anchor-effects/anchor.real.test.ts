import { describe, expect, it } from 'vitest'
import type { AnchorObserver } from '../../../../connectors/evm/anchor-effects/anchor-options.ts'
import { computeCid } from '../../../../connectors/ipfs/cid.ts'
import { anchorWorlds, batchOf, isFinal, lowerBaseFee, mineWithoutUs, RIVAL } from './anchor-world.ts'

const { keep, world } = anchorWorlds()

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
    await w.submitAs(RIVAL, batchOf(epochId, 0), 'bafkreiother')
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
    await w.submitAs(RIVAL, batch, await computeCid(batch.json))
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

  it('behavior: after a change of keys the former ends what it began, and the new one signs what comes', async () => {
    const w = await world({ sequencers: [RIVAL.address] })
    const former = w.chain.accounts.sequencer
    let stopped: Promise<void> | undefined
    const before = await w.connect({
      concluded: (_, { outcome }) => {
        if (outcome === 'READY') stopped ??= before.close() // its nonce is planned, and not signed
      },
    })
    const begun = await w.epoch(1)
    await w.until('the nonce is planned', async () => stopped !== undefined)
    await stopped
    expect(await w.outcomes()).not.toContain('SIGNED')
    keep(await w.connect({}, { signerKey: RIVAL.privateKey, formerSignerKeys: [former.privateKey] }))
    const { nonce } = await w.untilRow(begun, 0, isFinal)
    const { transactionHash } = await w.untilRow(await w.epoch(1), 0, isFinal)
    expect((await w.provider.getTransaction(transactionHash))!.from.toLowerCase()).toBe(RIVAL.address.toLowerCase())
    expect(await w.provider.getTransactionCount(former.address)).toBe(nonce + 1)
  })

  it('behavior: a call that became pointless while it waited is replaced by a filler, so that its nonce is used', async () => {
    const w = await world({ sequencers: [RIVAL.address] })
    keep(await w.connect({}, { rebroadcastMs: 100_000 }))
    const epochId = await w.epoch(1)
    const { nonce } = await w.untilRow(epochId, 0, ({ state }) => state === 'SENT', { mining: false })
    await w.until('the transaction in the pool', async () => (await w.poolSize()) === 1)
    await w.send('anvil_dropAllTransactions')
    await w.callAs(RIVAL, 'endBatchSubmissions', [w.market, epochId])
    const row = await w.untilRow(epochId, 0, ({ state }) => state === 'FAILED')
    expect(row).toMatchObject({ error: 'E43', nonce: -1 })
    expect((await w.outcomes()).filter((outcome) => ['STUCK', 'FILLED', 'REVERTED'].includes(outcome))).toEqual([
      'STUCK',
      'FILLED',
      'REVERTED', // the dry run that follows
    ])
    expect(await w.provider.getTransactionCount(w.chain.accounts.sequencer.address)).toBe(nonce + 1)
    await w.untilRow(await w.epoch(1), 0, isFinal)
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
