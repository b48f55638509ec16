/** Intents that the stage did not write, and the seals on our answers. */
import { describe, expect, it } from 'vitest'
import { openAnswers } from '../../../../connectors/evm/anchor-effects/anchor-answers.ts'
import { createIntentFollower } from '../../../../connectors/evm/anchor-effects/anchor-intents.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { createCodec } from '../../../../schemas/codec.ts'
import { memoryRegistry } from '../../../../schemas/registry.ts'
import type { AnchorStep } from '../../../../schemas/types.ts'
import type { Log, LogRecord, OutgoingRecord } from '../../../../streams/ports.ts'
import type { Unreadable } from '../../../../streams/read-record.ts'
import { SealGuard } from '../../../../streams/seal-guard.ts'
import { Sealer } from '../../../../streams/seals.ts'
import { sealedTopics } from '../../../../topology/shared/seals.ts'
import { sequencerTopics } from '../../../../topology/topics.ts'
import { resultOf } from '../../../topology/anchor/anchor-harness.ts'
import { markerSigner } from '../../../topology/marker-keys.ts'
import { withCommits } from '../flaky-log.ts'
import { intentOf, KEY } from './scripted-send.ts'

const [signer, stranger] = [markerSigner('deployment'), markerSigner('stranger')]
const one = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
const bare = sequencerTopics(await createCodec(memoryRegistry()), { prefix: '', partitions: one })
const rules = { markerKeys: [signer.publicKey], unsignedMarkers: false, unsealedRecords: false }
const { anchorIntents, anchorResults } = sealedTopics(bare, rules, signer)
const older = sealedTopics(bare, { ...rules, unsealedRecords: true }, signer).anchorIntents
const foreign = sealedTopics(bare, { ...rules, markerKeys: [stranger.publicKey] }, stranger).anchorIntents

async function memoryLog(): Promise<Log> {
  const log = createMemoryLog()
  await log.createTopics([anchorIntents, anchorResults])
  return log
}
const recordOf = (step: AnchorStep, attempt: number) => ({
  topic: anchorIntents.name,
  partition: 0,
  timestamp: 0,
  key: anchorIntents.key.encode(KEY),
  value: anchorIntents.value.encode(intentOf([], { step, attempt })),
})
async function append(log: Log, ...records: readonly OutgoingRecord[]): Promise<void> {
  const appender = await log.appender()
  await appender.append(records)
  await appender.close()
}
const readAll = async (log: Log, topic: string): Promise<readonly LogRecord[]> =>
  (await log.fetch([{ topic, partition: 0, offset: 0 }], { maxWaitMs: 0, maxBytesPerPartition: 1e6 }))[0]!.records

/** Follows until an intent with this attempt is told. */
async function follow(log: Log, until: number, topic = anchorIntents) {
  const left: Unreadable[] = []
  const told: string[] = []
  const stop = new AbortController()
  await createIntentFollower(log, systemClock, topic, (record) => left.push(record)).follow(({ intent }) => {
    told.push(`${intent.step} ${intent.attempt}`)
    if (intent.attempt === until) stop.abort()
  }, stop.signal)
  return { told, left: left.map(({ offset, reason, why }) => `${offset} ${reason}: ${why}`) }
}

describe('an intent that the stage did not write', () => {
  it.each(['DONE', 'KEEP', 'SIGN'] as const)('behavior: %s leaves the real one in force', async (step) => {
    const log = await memoryLog()
    const sealer = new Sealer(anchorIntents.seals!, 0)
    await append(log, sealer.seal(recordOf('SEND', 4)), recordOf(step, 9))
    await append(log, new Sealer(foreign.seals!, 7).seal(recordOf(step, 9)))
    expect(await follow(log, 4)).toEqual({
      told: ['SEND 4'],
      left: [
        '1 forged: it has no seal of who writes the topic',
        `2 forged: it is sealed with ${stranger.publicKey}, which is none of markers.publicKeys`,
      ],
    })
  })

  it('behavior: nor does a copy of an older one, from the end of the log on either', async () => {
    const log = await memoryLog()
    const sealer = new Sealer(anchorIntents.seals!, 0)
    const [prepare, send] = [sealer.seal(recordOf('PREPARE', 2)), sealer.seal(recordOf('SEND', 4))]
    await append(log, prepare, send, prepare)
    expect(await follow(log, 4)).toMatchObject({ told: ['SEND 4'], left: [expect.stringContaining('second time')] })
    const following = follow(log, 5)
    await append(log, prepare, send, new Sealer(anchorIntents.seals!, 4).seal(recordOf('WATCH', 5)))
    expect(await following).toMatchObject({ told: ['SEND 4', 'WATCH 5'] })
  })

  it('behavior: those of an older release are in force until the first sealed one', async () => {
    const log = await memoryLog()
    await append(log, recordOf('STORE', 1))
    expect(await follow(log, 1, older)).toEqual({ told: ['STORE 1'], left: [] })
    await append(log, new Sealer(older.seals!, 1).seal(recordOf('SEND', 2)), recordOf('DONE', 3))
    expect(await follow(log, 2, older)).toMatchObject({ told: ['SEND 2'], left: [expect.stringContaining('2 forged')] })
  })
})

describe('answers', () => {
  const never = new AbortController().signal
  const answer = resultOf({ step: 'STORE', attempt: 1, outcome: 'STORED', cid: 'bafy' })
  const taken = async (log: Log): Promise<number> => {
    const guard = new SealGuard(anchorResults.name, 0, anchorResults.seals!)
    const records = await readAll(log, anchorResults.name)
    for (const record of records) guard.take(record)
    return records.length
  }

  it('behavior: each is behind those before it, of an older process too', async () => {
    const log = await memoryLog()
    for (let process = 0; process < 3; process++) {
      const answers = await openAnswers({ log, clock: systemClock }, 'role', anchorResults, never)
      for (let n = 0; n < 2; n++) await answers.write(KEY, answer)
    }
    expect(await taken(log)).toBe(6)
  })

  it('behavior: one that is written again since the reply was lost is no copy', async () => {
    const log = await memoryLog()
    let lost = 2
    const faulty = withCommits(log, async (_burst, commit) => {
      const outcome = await commit()
      return lost-- > 0 ? { outcome: 'unknown' } : outcome
    })
    const clock = { now: () => 0, sleep: async () => {} }
    const answers = await openAnswers({ log: faulty, clock }, 'role', anchorResults, never)
    await answers.write(KEY, answer)
    expect(await taken(log)).toBe(3)
  })
})
