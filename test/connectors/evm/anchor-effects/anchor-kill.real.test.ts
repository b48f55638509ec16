import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Endpoint, RpcOptions } from '../../../../connectors/evm/nodes/ask.ts'
import { createRpc } from '../../../../connectors/evm/nodes/rpc.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import type { Anchor } from '../../../../schemas/types.ts'
import type { Log } from '../../../../streams/ports.ts'
import { type AnchorWorld, anchorWorlds, isFinal } from './anchor-world.ts'

const { world } = anchorWorlds()

/** Outside calls of one life. The last one either does not happen, or happens and is never heard of. */
interface Life {
  readonly calls: number
  readonly lastOneHappens: boolean
  /** Mined after it. */
  readonly blocks: number
}
const lives = fc.array(
  fc.record({
    calls: fc.integer({ min: 1, max: 40 }),
    lastOneHappens: fc.boolean(),
    blocks: fc.integer({ min: 0, max: 3 }),
  }),
  { minLength: 3, maxLength: 8 },
)

const LIFE_MS_MAX = 1_500
const never = new Promise<never>(() => {})

/** Everything the connector does outside goes through it; from its death on nothing goes out and nothing comes back. */
function mortal({ calls, lastOneHappens }: Life) {
  let left = calls
  let die = (): void => {}
  const dead = new Promise<void>((resolve) => {
    die = resolve
  })
  const call = async <T>(action: () => Promise<T>): Promise<T> => {
    if (left <= 0) return never
    if (--left > 0) return action()
    if (lastOneHappens) await action().catch(() => undefined)
    die()
    return never
  }
  /** Not counted: reads that come and go without an effect. */
  const read = async <T>(action: () => Promise<T>): Promise<T> => {
    const answer = left > 0 ? await action() : await never
    return left > 0 ? answer : never
  }
  const kill = (): void => {
    left = 0
  }
  return { call, read, dead, kill }
}

type Mortal = ReturnType<typeof mortal>

const mortalLog = (log: Log, { call, read }: Mortal): Log => ({
  createTopics: (topics) => call(() => log.createTopics(topics)),
  partitionCount: (topic) => read(() => log.partitionCount(topic)),
  topicIds: (topics) => read(() => log.topicIds(topics)),
  committedOffsets: (group, partitions) => read(() => log.committedOffsets(group, partitions)),
  bounds: (partitions) => read(() => log.bounds(partitions)),
  ends: (partitions) => read(() => log.ends(partitions)),
  fetch: (positions, options) => read(() => log.fetch(positions, options)),
  // The same instance id: the group throws the dead member out, as it does when a process is started again.
  join: (options, listener) => read(() => log.join(options, listener)),
  transactionalWriter: async (name) => {
    const writer = await call(() => log.transactionalWriter(name))
    return { commit: (burst) => call(() => writer.commit(burst)), close: () => writer.close() }
  },
  appender: () => call(() => log.appender()),
  deleteRecords: (before) => call(() => log.deleteRecords(before)),
  close: async () => {},
})

/** Runs a connector until its calls are used up, or for a while; then it is left behind, hanging, like a killed process. */
async function live(w: AnchorWorld, life: Life): Promise<void> {
  const self = mortal(life)
  const connect = (url: string, options: RpcOptions): Endpoint => {
    const rpc = createRpc({ ...options, urls: [url] }, { clock: systemClock })
    return {
      ask: (method, params) => self.call(() => rpc.read((ask) => ask(method, params))),
      close: () => rpc.close(),
    }
  }
  const store = { ...w.files, put: (bytes: Uint8Array) => self.call(() => w.files.put(bytes)) }
  void w.connect({}, {}, { storage: w.storageOf([store]), connect, log: mortalLog(w.log, self) }).catch(() => undefined)
  await Promise.race([self.dead, systemClock.sleep(LIFE_MS_MAX)])
  self.kill()
}

describe('a connector that is killed', () => {
  it('behavior: between any two outside calls, several times: each batch is on the chain exactly once', async () => {
    await fc.assert(
      fc.asyncProperty(lives, async (some) => {
        const w = await world()
        const epochId = await w.epoch(2)
        for (const life of some) {
          await live(w, life)
          for (let i = 0; i < life.blocks; i++) await w.send('evm_mine')
        }
        const last = await w.connect()
        const rows: Anchor[] = []
        for (const index of [0, 1, -1]) rows.push(await w.untilRow(epochId, index, isFinal))
        await last.close()
        const cids = rows.map(({ cid }) => cid).filter((cid) => cid !== '')
        expect((await w.events('SnapshotBatchSubmitted', epochId)).sort()).toEqual(cids.sort())
        expect(await w.events('BatchSubmissionsCompleted', epochId)).toHaveLength(1)
        expect(await w.events('DelayedBatchSubmitted', epochId)).toEqual([])
        const nonces = rows.map(({ nonce }) => nonce)
        expect(new Set(nonces).size).toBe(3)
      }),
      { numRuns: 8, endOnFailure: true },
    )
  })
})
