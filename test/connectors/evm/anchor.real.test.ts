import { afterEach, describe, expect, it } from 'vitest'
import { type AnchorWorld, createAnchorWorld } from './anchor-world.ts'

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
