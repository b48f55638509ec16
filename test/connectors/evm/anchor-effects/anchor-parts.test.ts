import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openAnswers } from '../../../../connectors/evm/anchor-effects/anchor-answers.ts'
import { createIntentFollower, type IntentChange } from '../../../../connectors/evm/anchor-effects/anchor-intents.ts'
import { resultOf } from '../../../../connectors/evm/anchor-effects/anchor-result.ts'
import { createSigner, readSignerKey } from '../../../../connectors/evm/anchor-effects/anchor-signer.ts'
import { createLimiter } from '../../../../connectors/limiter.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { isKept } from '../../../../connectors/secret-file.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { createCodec } from '../../../../schemas/codec.ts'
import { memoryRegistry } from '../../../../schemas/registry.ts'
import type { AnchorIntent, AnchorStep } from '../../../../schemas/types.ts'
import type { CommitOutcome, Log } from '../../../../streams/ports.ts'
import { sequencerTopics } from '../../../../topology/topics.ts'

const one = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
const { anchorIntents, anchorResults } = sequencerTopics(await createCodec(memoryRegistry()), {
  prefix: '',
  partitions: one,
})
const keyOf = (batchIndex: number) => ({ dataMarket: '0xaa', epochId: 1, batchIndex })

async function memoryLog(): Promise<Log> {
  const log = createMemoryLog()
  await log.createTopics([anchorIntents, anchorResults])
  return log
}

async function appendIntent(log: Log, batchIndex: number, step: AnchorStep, attempt: number): Promise<void> {
  const {
    step: _,
    outcome: __,
    error: ___,
    attestation: ____,
    payout: _____,
    ...rest
  } = resultOf({ step, attempt, cid: '' }, 'UNKNOWN')
  const defaults = {
    call: 'SUBMIT',
    delayMs: 0,
    batchOffset: 0,
    finalizedCidsRootHash: '',
    rawTransactions: [],
    payout: null,
  } as const
  const intent: AnchorIntent = { ...rest, ...defaults, step }
  const record = { key: anchorIntents.key.encode(keyOf(batchIndex)), value: anchorIntents.value.encode(intent) }
  const appender = await log.appender()
  await appender.append([{ topic: anchorIntents.name, partition: 0, timestamp: 0, ...record }])
}

describe('createIntentFollower', () => {
  const nameOf = ({ key, intent }: IntentChange): string => `${key.batchIndex} ${intent.step} ${intent.attempt}`

  it('default: tells the latest of each key, not what is done, then all that comes', async () => {
    const log = await memoryLog()
    for (const [index, step, attempt] of [
      [0, 'STORE', 1],
      [1, 'STORE', 1],
      [0, 'PREPARE', 2],
      [1, 'DONE', 2],
      [2, 'SIGN', 3],
    ] as const)
      await appendIntent(log, index, step, attempt)
    const told: string[] = []
    const stop = new AbortController()
    const following = createIntentFollower(log, systemClock, anchorIntents, () => {}).follow((change) => {
      told.push(nameOf(change))
      if (told.length === 2) void appendIntent(log, 0, 'DONE', 3).then(() => appendIntent(log, 2, 'SEND', 4))
      if (told.length === 4) stop.abort()
    }, stop.signal)
    await following
    expect(told).toEqual(['0 PREPARE 2', '2 SIGN 3', '0 DONE 3', '2 SEND 4'])
  })

  it('behavior: purges up to the oldest intent in force, and what is purged is not missed', async () => {
    const log = await memoryLog()
    for (const [index, step] of [
      [0, 'STORE'],
      [1, 'STORE'],
      [0, 'DONE'],
      [2, 'STORE'],
      [1, 'PREPARE'],
    ] as const)
      await appendIntent(log, index, step, 1)
    const stop = new AbortController()
    const follower = createIntentFollower(log, systemClock, anchorIntents, () => {})
    const told: string[] = []
    const following = follower.follow((change) => {
      told.push(nameOf(change))
      if (told.length === 2) stop.abort()
    }, stop.signal)
    await following
    await follower.purge()
    const [bounds] = await log.bounds([{ topic: anchorIntents.name, partition: 0 }])
    expect(bounds?.start).toBe(3)
    const again: string[] = []
    const second = new AbortController()
    await createIntentFollower(log, systemClock, anchorIntents, () => {}).follow((change) => {
      again.push(nameOf(change))
      if (again.length === 2) second.abort()
    }, second.signal)
    expect(again.sort()).toEqual(told.sort())
  })
})

describe('openAnswers', () => {
  const never = new AbortController().signal
  const answer = resultOf({ step: 'STORE', attempt: 1, cid: 'bafy' }, 'STORED')
  const count = async (log: Log): Promise<number> => {
    const at = { topic: anchorResults.name, partition: 0, offset: 0 }
    const [fetched] = await log.fetch([at], { maxWaitMs: 0, maxBytesPerPartition: 1_000_000 })
    return fetched!.records.length
  }

  it('default: each result is committed, in order', async () => {
    const log = await memoryLog()
    const answers = await openAnswers({ log, clock: systemClock }, 'role', anchorResults, never)
    await Promise.all([0, 1, 2].map((index) => answers.write(keyOf(index), answer)))
    const options = { maxWaitMs: 0, maxBytesPerPartition: 1_000_000 }
    const [fetched] = await log.fetch([{ topic: anchorResults.name, partition: 0, offset: 0 }], options)
    expect(fetched?.records.map(({ key }) => anchorResults.key.decode(key!).batchIndex)).toEqual([0, 1, 2])
  })

  it('error: the older of two is FENCED, and writes nothing any more', async () => {
    const log = await memoryLog()
    const old = await openAnswers({ log, clock: systemClock }, 'role', anchorResults, never)
    await openAnswers({ log, clock: systemClock }, 'role', anchorResults, never)
    await expect(old.write(keyOf(0), answer)).rejects.toMatchObject({ code: 'FENCED' })
    await expect(old.write(keyOf(1), answer)).rejects.toMatchObject({ code: 'FENCED' })
    expect(await count(log)).toBe(0)
  })

  it.each([
    ['aborted', 0],
    ['unknown', 1],
  ] as const)('behavior: an %s commit is made again', async (outcome, opened) => {
    const log = await memoryLog()
    let writers = 0
    let faults = 2
    const faulty: Log = Object.create(log, {
      transactionalWriter: {
        value: async (id: string) => {
          writers++
          const writer = await log.transactionalWriter(id)
          const commit = (burst: Parameters<typeof writer.commit>[0]): Promise<CommitOutcome> =>
            faults-- > 0 ? Promise.resolve({ outcome }) : writer.commit(burst)
          return { commit, close: () => writer.close() }
        },
      },
    })
    const clock = { ...systemClock, sleep: async () => {} }
    const answers = await openAnswers({ log: faulty, clock }, 'role', anchorResults, never)
    await answers.write(keyOf(0), answer)
    expect(await count(log)).toBe(1)
    expect(writers).toBe(1 + 2 * opened)
  })
})

describe('createLimiter', () => {
  it('default: so many at once, the others in order, also after a failure', async () => {
    const limit = createLimiter(2)
    let running = 0
    let most = 0
    const done: number[] = []
    const tasks = Array.from({ length: 7 }, (_, i) =>
      limit(async () => {
        most = Math.max(most, ++running)
        await Promise.resolve()
        running--
        if (i === 1) throw new Error('one fails')
        done.push(i)
      }).catch(() => undefined),
    )
    await Promise.all(tasks)
    expect(most).toBe(2)
    expect(done).toEqual([0, 2, 3, 4, 5, 6])
  })
})

describe('readSignerKey', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'key-'))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))
  const secret = 'ab'.repeat(32)
  const fileWith = (text: string, mode = 0o600): string => {
    const file = join(directory, 'key')
    writeFileSync(file, text, { mode })
    chmodSync(file, mode)
    return file
  }

  it.each([secret, `0x${secret}`, `0x${secret}\n`])('default: reads %j', (text) => {
    expect(readSignerKey(fileWith(text))).toBe(`0x${secret}`)
  })

  it.each([
    ['is missing', () => join(directory, 'none')],
    ['can be read by others', () => fileWith(secret, 0o644)],
    ['holds something else', () => fileWith(`${secret}zz`)],
  ])('error: a file that %s is refused, without the key in the message', (_what, file) => {
    const read = () => readSignerKey(file())
    expect(read).toThrow(/key file/)
    expect(read).not.toThrow(secret)
  })

  it.each([
    { owner: 'its reader', mode: 0o100600, uid: 1000, reader: 1000, kept: true },
    { owner: 'its reader', mode: 0o100640, uid: 1000, reader: 1000, kept: false },
    { owner: 'root', mode: 0o100440, uid: 0, reader: 1000, kept: true },
    { owner: 'root', mode: 0o100460, uid: 0, reader: 1000, kept: false },
    { owner: 'root', mode: 0o100444, uid: 0, reader: 1000, kept: false },
    { owner: 'root, who reads it', mode: 0o100640, uid: 0, reader: 0, kept: false },
  ])('args: a file of $owner with mode $mode is kept: $kept', ({ mode, uid, reader, kept }) => {
    expect(isKept({ mode, uid }, reader)).toBe(kept)
  })

  it('error: a bad key is refused, without it in the message', () => {
    expect(() => createSigner(`${secret}zz`, 1)).toThrow(/not 64 hex digits/)
    expect(() => createSigner(`${secret}zz`, 1)).not.toThrow(secret)
  })
})
