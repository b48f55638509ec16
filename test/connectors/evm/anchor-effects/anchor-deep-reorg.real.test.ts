import { describe, expect, it } from 'vitest'
import { NONCE_ONLY } from '../../../../schemas/anchor-keys.ts'
import type { Anchor } from '../../../../schemas/types.ts'
import { type AnchorWorld, anchorWorlds, isFinal } from './anchor-world.ts'

const { keep, world } = anchorWorlds()

/** Final, after the chain went back behind it. */
const isFinalAgain = ({ state, reorgs }: Anchor): boolean => state === 'FINAL' && reorgs === 1

async function anchored(w: AnchorWorld, epochId: number, batches: number): Promise<Anchor[]> {
  const rows: Anchor[] = []
  for (let index = 0; index < batches; index++) rows.push(await w.untilRow(epochId, index, isFinal))
  rows.push(await w.untilRow(epochId, -1, isFinal))
  return rows
}

async function expectOnChainOnce(w: AnchorWorld, epochId: number, rows: readonly Anchor[]): Promise<void> {
  const cids = rows.map(({ cid }) => cid).filter((cid) => cid !== '')
  expect((await w.events('SnapshotBatchSubmitted', epochId)).sort()).toEqual(cids.sort())
  expect(await w.events('BatchSubmissionsCompleted', epochId)).toHaveLength(1)
  expect(await w.events('DelayedBatchSubmitted', epochId)).toEqual([])
}

/** The next epoch is anchored as if nothing had happened. */
async function expectGoesOn(w: AnchorWorld): Promise<void> {
  const epochId = await w.epoch(1)
  await expectOnChainOnce(w, epochId, await anchored(w, epochId, 1))
}

describe('a chain that goes back behind what is final', () => {
  it('behavior: batches and ending are sent again, the same bytes with the same nonces, and it goes on', async () => {
    const w = await world()
    const told: number[] = []
    keep(await w.connect({ wentBack: (transactions) => told.push(transactions) }))
    const epochId = await w.epoch(2)
    const before = await anchored(w, epochId, 2)
    await w.reorganiseFrom(Math.min(...before.map(({ blockNumber }) => blockNumber)))
    expect(await w.events('SnapshotBatchSubmitted', epochId)).toEqual([])
    const after: Anchor[] = []
    for (const index of [0, 1, -1]) after.push(await w.untilRow(epochId, index, isFinalAgain))
    await expectOnChainOnce(w, epochId, after)
    const sent = (rows: Anchor[]) => rows.slice(0, 2).map(({ nonce, transactionHash }) => [nonce, transactionHash])
    expect(sent(after)).toEqual(sent(before))
    expect(after[2]!.nonce).toBeGreaterThan(before[2]!.nonce) // it waited for them; a filler has its place
    expect(told).toEqual([3])
    await expectGoesOn(w)
  })

  it('behavior: a process that starts after it finds it, in a chain that lost its newest blocks with a release', async () => {
    const w = await world()
    const first = await w.connect()
    await w.epoch(1)
    const epochId = await w.epoch(0)
    await w.untilRow(epochId, -1, isFinal)
    await w.untilRow(epochId - 1, -1, isFinal)
    const saved = await w.send('evm_snapshot')
    const lost = await w.epoch(1)
    await anchored(w, lost, 1)
    await first.close()
    await w.send('evm_revert', [saved])
    keep(await w.connect())
    // Its release is lost as well, so the batch waits until there is one again; what comes behind does not.
    await w.untilRow(lost, 0, ({ state, reorgs }) => state === 'STORED' && reorgs === 1)
    expect(await w.release()).toBe(lost)
    const rows = [await w.untilRow(lost, 0, isFinalAgain), await w.untilRow(lost, -1, isFinalAgain)]
    await expectOnChainOnce(w, lost, rows)
    await expectGoesOn(w)
  })

  it('behavior: nonces of somebody else that are lost are filled', async () => {
    const w = await world()
    const saved = await w.send('evm_snapshot')
    const { sequencer } = w.chain.accounts
    for (let i = 0; i < 2; i++) await w.callAs(sequencer, 'endBatchSubmissions', [w.market, 900 + i])
    const gaps: number[] = []
    keep(await w.connect({ gapFound: (nonce) => gaps.push(nonce) }))
    const before = await w.epoch(0)
    const { nonce } = await w.untilRow(before, -1, isFinal)
    await w.send('evm_revert', [saved])
    await w.release()
    await w.untilRow(before, -1, isFinalAgain)
    expect(gaps).toEqual([nonce - 2])
    const fillers = (await w.intents()).filter(
      ({ key, value }) => key.batchIndex === NONCE_ONLY && value.step === 'SEND',
    )
    expect(fillers.map(({ value }) => value.nonce)).toEqual([nonce - 2, nonce - 1])
    await expectGoesOn(w)
  })
})
