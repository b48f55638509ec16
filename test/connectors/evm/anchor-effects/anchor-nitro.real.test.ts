/** The anchor on anvil by Nitro's rules: what the contract calls a block is one of the parent chain (test/real/nitro.ts). */
import { describe, expect, it } from 'vitest'
import { type NitroOptions, startNitro } from '../../../real/nitro.ts'
import { type AnchorWorld, anchorWorlds, isFinal, RIVAL } from './anchor-world.ts'

const { keep, world } = anchorWorlds()
const WINDOWS = { snapshot: 1, batch: 3, attestation: 20 }

async function nitroOf(w: AnchorWorld, options: Partial<NitroOptions> = {}) {
  const { rpcUrl, chainId, protocolState } = w.chain
  return keep(await startNitro({ rpcUrl, chainId, protocolState, ...options }))
}

type NitroRun = Awaited<ReturnType<typeof nitroOf>>

const connect = async (w: AnchorWorld, { proxies }: NitroRun) =>
  keep(await w.connect({}, { urls: proxies.map(({ url }) => url), contractBlock: 'l1BlockNumber', confirmations: 0 }))

const NOT_MINING = { mining: false }

describe('startAnchor on anvil with block numbers of a parent chain, blocks of 250 ms and none of them empty', () => {
  it('default: a batch and the ending of its epoch are final in blocks that have the same number for the contract', async () => {
    const w = await world({ windows: WINDOWS })
    const nitro = await nitroOf(w)
    const epochId = await w.epoch(2)
    await connect(w, nitro)
    nitro.start()
    const end = await w.untilRow(epochId, -1, isFinal, NOT_MINING)
    const first = await w.untilRow(epochId, 0, isFinal, NOT_MINING)
    expect(end.blockNumber).toBeGreaterThan(first.blockNumber)
    expect(await w.events('SnapshotBatchSubmitted', epochId)).toHaveLength(2)
  })

  it('behavior: the last block of the window still belongs to it: a batch that is sent there is anchored', async () => {
    const w = await world({ windows: WINDOWS })
    const nitro = await nitroOf(w)
    const epochId = await w.epoch(1)
    nitro.parent += WINDOWS.batch
    await nitroHead(w, nitro)
    await connect(w, nitro)
    nitro.start()
    expect(await w.untilRow(epochId, 0, isDone, NOT_MINING)).toMatchObject({ state: 'FINAL', error: '' })
    expect(await w.events('DelayedBatchSubmitted', epochId)).toEqual([])
  })

  it('behavior: the block after it does not: the batch is LATE, and no transaction is paid for', async () => {
    const w = await world({ windows: WINDOWS })
    const nitro = await nitroOf(w)
    const epochId = await w.epoch(1)
    nitro.parent += WINDOWS.batch + 1
    await nitroHead(w, nitro)
    await connect(w, nitro)
    nitro.start()
    expect(await w.untilRow(epochId, 0, isDone, NOT_MINING)).toMatchObject({ state: 'LATE', transactionHash: '' })
    await w.untilRow(epochId, -1, isFinal, NOT_MINING)
  })

  it('behavior: what a rival ended between dry run and sending is refused when it is sent, and the next epoch is anchored', async () => {
    const w = await world({ windows: { ...WINDOWS, batch: 100, attestation: 200 }, sequencers: [RIVAL.address] })
    const nitro = await nitroOf(w)
    const [proxy] = nitro.proxies
    const held = proxy!.play({ name: 'send-refused', params: { words: 'execution reverted', forwardedShare: 0 } })
    const epochId = await w.epoch(1)
    await connect(w, nitro)
    nitro.start()
    await w.until('a refusal', async () => held.happened > 0)
    await w.callAs(RIVAL, 'endBatchSubmissions', [w.market, epochId])
    held.stop()
    expect(await w.untilRow(epochId, 0, isDone, NOT_MINING)).toMatchObject({ state: 'FAILED', error: 'E43' })
    const next = await w.epoch(1)
    await w.untilRow(next, 0, isFinal, NOT_MINING)
    await w.untilRow(next, -1, isFinal, NOT_MINING)
  })
})

const isDone = ({ state }: { state: string }): boolean => ['FINAL', 'LATE', 'FAILED'].includes(state)

/** The newest block is one of the parent's block that is set now. */
async function nitroHead(w: AnchorWorld, nitro: NitroRun): Promise<void> {
  await w.send('anvil_setCoinbase', [`0x${nitro.parent.toString(16).padStart(40, '0')}`])
  await w.send('evm_mine')
}
