import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { withCommits } from '../flaky-log.ts'
import { exampleChain, ownerAddress, pseudoRandom, release, rpcError, ScriptedChain } from '../scripted-chain.ts'
import {
  APP_ID,
  canonical,
  clockTopics,
  expectSlotsAsOfEachBlock,
  expectTicksOfChain,
  readTicks,
  runClock,
} from './clock-harness.ts'

const topics = await clockTopics()

describe('crashes', () => {
  test('error: a newer clock takes over and the older one ends, saying so', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const older = await runClock(log, topics, [chain.node()])
    await older.reached(12)
    const newer = await runClock(log, topics, [chain.node()])
    await newer.reached(12)
    chain.mine(release(3))
    await newer.reached(13)
    expect(await older.stopped).toMatchObject({
      code: 'FENCED',
      message: expect.stringContaining('another test-clock'),
    })
    await newer.close()
    await expectTicksOfChain(log, topics, chain)
  })

  test.each(['before', 'after'] as const)(
    'error: a lost answer is settled by reading the log (lost %s it was applied)',
    async (when) => {
      const [chain, log] = [exampleChain(), createMemoryLog()]
      const dice = pseudoRandom(3)
      const flaky = withCommits(log, async (_burst, commit) => {
        if (dice() % 3 !== 0) return commit()
        if (when === 'after') await commit()
        return { outcome: 'unknown' }
      })
      const clock = await runClock(flaky, topics, [chain.node()], { rangeBlocks: 1 })
      await clock.reached(12)
      await clock.close()
      await expectTicksOfChain(log, topics, chain)
      await expectSlotsAsOfEachBlock(log, topics, chain)
    },
  )

  test('behavior: a cursor that was deleted is found again from the ticks', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()], { reorgDepthMax: 3 })
    await clock.reached(12)
    await clock.close()
    const writer = await log.transactionalWriter('operator')
    const reset = { topic: topics.epochTicks.name, partition: 0, next: 0, metadata: '' }
    await writer.commit({ records: [], offsets: { group: `${APP_ID}-clock`, commits: [reset] } })
    for (let i = 0; i < 9; i++) chain.mine(i === 4 ? release(3) : {})
    const again = await runClock(log, topics, [chain.node()], { reorgDepthMax: 3 })
    await again.reached(21)
    await again.close()
    await expectTicksOfChain(log, topics, chain)
  })

  test('behavior: the cursor stays small and reading begins at the oldest tick still needed', async () => {
    const [chain, log] = [new ScriptedChain({ window: 20 }), createMemoryLog()]
    for (let i = 1; i < 300; i++) chain.mine(i % 10 === 0 ? release(i) : {})
    const clock = await runClock(log, topics, [chain.node()], { reorgDepthMax: 8 })
    await clock.reached(299)
    await clock.close()
    const at = { topic: topics.epochTicks.name, partition: 0 }
    const [committed] = await log.committedOffsets(`${APP_ID}-clock`, [at])
    const ticks = await readTicks(log, topics)
    expect(committed!.metadata.length).toBeLessThan(512)
    expect(ticks[committed!.next]!.kind).toBe('HEAD')
    expect(ticks.length - committed!.next).toBeLessThan(120)
  })
})

test('behavior: whatever the chain, the nodes and the log do, the ticks are those of the chain and the slots their owners', async () => {
  const content = fc.record({
    release: fc.boolean(),
    slot: fc.option(fc.integer({ min: 1, max: 4 })),
    burn: fc.boolean(),
  })
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('mine' as const), content, reached: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('reorg' as const), depth: fc.integer({ min: 1, max: 5 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('kill' as const) }) },
  )
  const faults = fc.infiniteStream(fc.integer({ min: 0, max: 30 }))
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      faults,
      fc.integer({ min: 1, max: 5 }),
      async (steps, fault, rangeBlocks) => {
        const next = () => fault.next().value as number
        const chain = new ScriptedChain({ slots: [{ slotId: 2, owner: ownerAddress(2) }] })
        const log = createMemoryLog()
        const node = chain.node(
          (method) => {
            const dice = method === 'eth_chainId' ? 30 : next()
            if (dice === 0) throw rpcError('internal error')
            return dice === 1 && method === 'eth_getBlockByNumber' ? null : undefined
          },
          () => (next() < 3 ? 1 : 0),
        )
        // Each clock has its own access to the log, which ends with it: a killed one must not reopen the role.
        const start = async () => {
          const access = { open: true }
          const flaky = withCommits(
            log,
            async (_burst, commit) => {
              const dice = access.open ? next() : 0
              if (!access.open) return { outcome: 'fenced' }
              if (dice === 1) return { outcome: 'aborted' }
              if (dice === 2) return { outcome: 'unknown' }
              if (dice === 3) await commit()
              return dice === 3 ? { outcome: 'unknown' } : commit()
            },
            access,
          )
          const clock = await runClock(flaky, topics, [node, node], { rangeBlocks, backoffMsMax: 1 })
          return {
            ...clock,
            kill: () => {
              access.open = false
            },
          }
        }
        let clock = await start()
        await clock.reached(0)
        let epochId = 0
        let highest = 0
        for (const [i, move] of steps.entries()) {
          if (move.kind === 'kill') {
            clock.kill()
            clock = await start()
          }
          if (move.kind === 'reorg') {
            chain.reorg(Math.min(move.depth, chain.blocks.length - 1))
            epochId = Math.max(
              0,
              ...chain.blocks.flatMap(({ releases = [] }) => releases.map((released) => released.epochId)),
            )
          }
          if (move.kind !== 'mine') continue
          const { slot, burn } = move.content
          chain.mine({
            ...(move.content.release && release(++epochId)),
            ...(slot !== null && {
              slots: [burn ? { slotId: slot } : { slotId: slot, owner: ownerAddress(1_000 + i) }],
            }),
          })
          // A chain that a reorganization made shorter is only known to be another one when it has grown again.
          if (move.reached && chain.head.number > highest) await clock.reached(chain.head.number)
          highest = Math.max(highest, chain.head.number)
        }
        for (let i = 0; i < 30; i++) chain.mine()
        await clock.reached(chain.head.number)
        await clock.close()
        expectEachOpenClosedOnce(await readTicks(log, topics))
        await expectSlotsAsOfEachBlock(log, topics, chain)
      },
    ),
    { numRuns: 60 },
  )
})

/** Past all windows: every canonical OPEN has had one CLOSE, before or after a reorganization took the closing block. */
function expectEachOpenClosedOnce(ticks: Parameters<typeof canonical>[0]): void {
  const opens = canonical(ticks).filter(({ kind }) => kind === 'OPEN')
  for (const open of opens) {
    const from = ticks.findLastIndex(
      ({ kind, blockHash, epochId }) => kind === 'OPEN' && blockHash === open.blockHash && epochId === open.epochId,
    )
    const closes = ticks
      .slice(from)
      .filter(
        ({ kind, epochId, releaseBlock }) =>
          kind === 'CLOSE' && epochId === open.epochId && releaseBlock === open.blockNumber,
      )
    expect(closes.length).toBe(1)
    expect(closes[0]!.acceptedHeaders[0]).toBe(open.blockHash)
  }
}
