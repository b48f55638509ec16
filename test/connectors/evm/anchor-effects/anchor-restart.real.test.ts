import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { AnchorObserver } from '../../../../connectors/evm/anchor-effects/anchor-options.ts'
import { anchorWorlds, isFinal } from './anchor-world.ts'

const { keep, world } = anchorWorlds()

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

  it('error: a batch that the log has lost is FAILED, and says so', async () => {
    const w = await world({}, { retriesMax: 1 })
    const epochId = await w.epoch(1)
    const [bounds] = await w.log.bounds([{ topic: w.topics.batches.name, partition: 0 }])
    await w.untilRow(epochId, 0, ({ state }) => state === 'PLANNED', { mining: false })
    await w.log.deleteRecords([{ topic: w.topics.batches.name, partition: 0, offset: bounds!.stable }])
    keep(await w.connect())
    const row = await w.untilRow(epochId, 0, ({ state }) => state === 'FAILED')
    expect(row.error).toContain('there is no offset')
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
    keep(await w.connect({}, { purgeIntervalMs: 50, reorgDepthMax: 10 }))
    const epochId = await w.epoch(1)
    await w.untilRow(epochId, -1, isFinal)
    const { cid, finalizedCidsRootHash } = await w.untilRow(epochId, 0, isFinal)
    for (const validator of w.chain.accounts.validators.slice(0, 2))
      await w.callAs(validator, 'submitBatchAttestation', [w.market, cid, epochId, finalizedCidsRootHash])
    await w.untilRow(epochId, 0, ({ attested }) => attested)
    await w.until('an empty topic', async () => {
      await w.send('evm_mine') // until all of it is as deep as it is watched
      return (await w.intents()).length === 0
    })
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
