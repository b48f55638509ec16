import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../../connectors/system-clock.ts'
import type { Log, OffsetCommit } from '../../../../streams/ports.ts'
import { createTopic, expectCommitted, fresh, Listener, records, values } from '../../../contract/log-kit.ts'
import { seededRandom } from '../../../ops/random.ts'
import { useBrokerBehindProxy } from '../../../real/broker-behind-proxy.ts'
import { Api } from '../../../real/kafka-proxy.ts'
import { until } from '../../../until.ts'
import { openVisibleLog } from './visible.ts'

/**
 * Short, so that a lost answer is soon given up, and a step of a transaction is tried again within its 5 s; long enough for
 * a machine that is busy.
 */
const REQUEST_TIMEOUT_MS = 4_000
/** So long that a step whose answer is lost is not tried again. */
const STEP_TIMEOUT_MS = 6_000

/**
 * Between two cuts, at most; any time below is as likely. Sometimes a few requests get through, sometimes a burst with all
 * that comes before it; at a fixed time a machine where that takes longer would never get on.
 */
const CUT_WITHIN_MS = 400

const { kafka, proxy } = useBrokerBehindProxy()

const settings = (clientId: string, requestTimeoutMs = REQUEST_TIMEOUT_MS) => ({
  brokers: kafka().bootstrap,
  clientId,
  clock: systemClock,
  requestTimeoutMs,
})

/** Runs with logs that reach the broker through the proxy. */
async function withLogs(
  transactionsVersion: 1 | 2,
  run: (log: Log, other: Log) => Promise<void>,
  requestTimeoutMs?: number,
): Promise<void> {
  const log = await openVisibleLog({ ...settings('one', requestTimeoutMs), transactionsVersion })
  const other = await openVisibleLog({ ...settings('two', requestTimeoutMs), transactionsVersion })
  try {
    await run(log, other)
  } finally {
    await Promise.all([log.close(), other.close()])
  }
}

/** A transactional id with a topic and a group of its own. */
async function subject(log: Log) {
  const topic = await createTopic(log)
  const group = fresh('group')
  const id = fresh('writer')
  const burst = (next: number, ...texts: string[]) => {
    const commits: OffsetCommit[] = [{ topic, partition: 0, next, metadata: '' }]
    return { records: records(topic, 0, ...texts), offsets: { group, commits } }
  }
  const offset = async () => (await log.committedOffsets(group, [{ topic, partition: 0 }]))[0]?.next
  return { topic, id, burst, offset }
}

describe.each([1, 2] as const)('transactions version %i', (version) => {
  test('behavior: the end is done, its answer lost: a new writer finds everything there', () =>
    withLogs(version, async (log) => {
      const { topic, id, burst, offset } = await subject(log)
      const writer = await log.transactionalWriter(id)
      expectCommitted(await writer.commit(burst(1, 'a')))
      for (const [at, kind] of (['lose answer', 'cut after'] as const).entries()) {
        const young = await log.transactionalWriter(id)
        const lost = proxy().next(Api.END_TXN, kind, id)
        expect(await young.commit(burst(at + 2, `b${at}`))).toMatchObject({ outcome: 'unknown' })
        await lost.happened
        expect(await young.commit(burst(9, 'never'))).toMatchObject({ outcome: 'unknown' })
        await log.transactionalWriter(id)
        expect(await offset()).toBe(at + 2)
      }
      expect(await values(log, topic)).toEqual(['a', 'b0', 'b1'])
    }))

  test('behavior: the end is lost: a new writer finds nothing there, and writes the burst again', () =>
    withLogs(version, async (log) => {
      const { topic, id, burst, offset } = await subject(log)
      const writer = await log.transactionalWriter(id)
      const lost = proxy().next(Api.END_TXN, 'cut before', id)
      expect(await writer.commit(burst(1, 'a'))).toMatchObject({ outcome: 'unknown' })
      await lost.happened
      const young = await log.transactionalWriter(id)
      expect(await offset()).toBe(undefined)
      expectCommitted(await young.commit(burst(1, 'a')))
      expect(await offset()).toBe(1)
      expect(await values(log, topic)).toEqual(['a'])
    }))

  test('behavior: an end that comes late does nothing to the transaction of a newer writer', () =>
    withLogs(version, async (log, other) => {
      const { topic, id, burst, offset } = await subject(log)
      const old = await log.transactionalWriter(id)
      expectCommitted(await old.commit(burst(1, 'a')))
      const late = proxy().next(Api.END_TXN, 'hold', id)
      expect(await old.commit(burst(2, 'old'))).toMatchObject({ outcome: 'unknown' })
      await late.happened
      const young = await other.transactionalWriter(id)
      const open = proxy().next(Api.END_TXN, 'hold', id)
      const committing = young.commit(burst(3, 'b'))
      await open.happened // the newer transaction has its records, but not its end
      await late.release()
      expect(await values(log, topic)).toEqual(['a'])
      await open.release()
      expectCommitted(await committing)
      expect(await values(log, topic)).toEqual(['a', 'b'])
      expect(await offset()).toBe(3)
    }))

  test('behavior: a burst whose batch or offsets were not answered is there once', () =>
    withLogs(version, async (log) => {
      const { topic, id, burst, offset } = await subject(log)
      const writer = await log.transactionalWriter(id)
      const kinds = ['lose answer', 'cut before', 'cut after'] as const
      let at = 0
      for (const apiKey of [Api.PRODUCE, Api.TXN_OFFSET_COMMIT])
        for (const kind of kinds) {
          const lost = proxy().next(apiKey, kind, id)
          expectCommitted(await writer.commit(burst(++at, `${at}`)))
          await lost.happened
        }
      expect(await values(log, topic)).toEqual(['1', '2', '3', '4', '5', '6'])
      expect(await offset()).toBe(6)
    }))

  test('behavior: a batch that comes after its transaction was aborted is in no later one', () =>
    withLogs(
      version,
      async (log) => {
        const { topic, id, burst, offset } = await subject(log)
        const writer = await log.transactionalWriter(id)
        const late = proxy().next(Api.PRODUCE, 'hold', id)
        expect(await writer.commit(burst(1, 'late'))).toMatchObject({ outcome: 'aborted', cause: { retriable: true } })
        const open = proxy().next(Api.END_TXN, 'hold', id)
        const committing = writer.commit(burst(1, 'again'))
        await open.happened
        await late.release()
        await open.release()
        expectCommitted(await committing)
        expect(await values(log, topic)).toEqual(['again'])
        expect(await offset()).toBe(1)
      },
      STEP_TIMEOUT_MS,
    ))

  test('behavior: a writer that stood still in its transaction is fenced, and leaves nothing', () =>
    withLogs(version, async (log, other) => {
      const { topic, id, burst } = await subject(log)
      const old = await log.transactionalWriter(id)
      const still = proxy().next(Api.PRODUCE, 'hold', id)
      const late = old.commit(burst(1, 'zombie'))
      await still.happened
      const young = await other.transactionalWriter(id)
      expectCommitted(await young.commit(burst(1, 'a')))
      await still.release()
      expect(await late).toMatchObject({ outcome: 'fenced' })
      expect(await old.commit(burst(2, 'zombie'))).toMatchObject({ outcome: 'fenced' })
      expect(await values(log, topic)).toEqual(['a'])
    }))

  test('behavior: a transaction that the broker ended after its time leaves nothing, and its writer is fenced', () =>
    withLogs(version, async (log) => {
      const impatient = await openVisibleLog({
        ...settings('impatient'),
        transactionsVersion: version,
        transactionTimeoutMs: 1_000,
      })
      const { topic, id, burst, offset } = await subject(log)
      const writer = await impatient.transactionalWriter(id)
      expectCommitted(await writer.commit(burst(1, 'a')))
      const late = proxy().next(Api.END_TXN, 'hold', id)
      const committing = writer.commit(burst(2, 'late'))
      await late.happened
      await until('stable', async () => (await offset().catch(() => 0)) === 1) // stable: the broker has ended it
      void late.release()
      expect(await committing).toMatchObject({ outcome: 'fenced' })
      expect(await values(log, topic)).toEqual(['a'])
      const young = await log.transactionalWriter(id)
      expectCommitted(await young.commit(burst(2, 'again')))
      expect(await values(log, topic)).toEqual(['a', 'again'])
      await impatient.close()
    }))

  test('behavior: when every connection is cut at any moment, each burst is there once', () =>
    withLogs(version, async (log) => {
      const { topic, id, burst, offset } = await subject(log)
      let writer = await log.transactionalWriter(id)
      const rounds = 60
      const stopCutting = cutAtRandom()
      try {
        for (let round = 1; round <= rounds; ) {
          const { outcome } = await writer.commit(burst(round, `${round}`)).catch(() => ({ outcome: 'unknown' }))
          if (outcome === 'unknown') {
            writer = await patiently(() => log.transactionalWriter(id))
            if ((await patiently(offset)) === round) round++
          } else if (outcome === 'committed') round++
        }
      } finally {
        stopCutting()
      }
      expect(await values(log, topic)).toEqual(Array.from({ length: rounds }, (_, at) => `${at + 1}`))
    }))
})

test('behavior: a member that has yet to hear of the new generation is not fenced by it', () =>
  withLogs(2, async (log, other) => {
    const topic = await createTopic(log, 2)
    const group = fresh('group')
    const join = async (at: Log, instanceId: string): Promise<Listener> => {
      const listener = new Listener()
      await at.join({ group, topics: [topic], instanceId, fingerprint: 'f' }, listener)
      await listener.until(() => listener.generations.length > 0)
      return listener
    }
    const a = await join(log, 'a')
    const writer = await log.transactionalWriter(fresh('writer'))
    const commits: OffsetCommit[] = [{ topic, partition: 0, next: 1, metadata: '' }]
    const burst = () => ({ records: records(topic, 0, 'x'), offsets: { group, commits, membership: a.identity } })
    const before = a.identity
    const held = proxy().next(Api.SYNC_GROUP, 'hold', `${before.memberId}`)
    const joining = join(other, 'b')
    await held.happened // the group has the new generation; a does not know its share of it
    const outcome = await writer.commit(burst())
    expect(outcome).toMatchObject({ outcome: 'aborted', cause: { retriable: true } })
    await held.release()
    await a.until(() => a.identity.generation > before.generation)
    await joining
    expectCommitted(await writer.commit(burst()))
    expect(await values(log, topic)).toEqual(['x'])
  }))

describe('appends', () => {
  test('behavior: an append that was not answered is sent again and there once, in order', () =>
    withLogs(2, async (log) => {
      const topic = await createTopic(log, 2)
      const appender = await log.appender()
      const kinds = ['lose answer', 'cut before', 'cut after'] as const
      for (const kind of kinds) {
        const lost = proxy().next(Api.PRODUCE, kind, topic)
        const appended = [kind, `${kind}, later`].map((text) => appender.append(records(topic, 0, text)))
        const beside = appender.append(records(topic, 1, kind))
        const [first, second] = await Promise.all(appended)
        expect(second![0]).toBe(first![0]! + 1)
        await lost.happened
        await beside
      }
      expect(await values(log, topic, 0)).toEqual(kinds.flatMap((kind) => [kind, `${kind}, later`]))
      expect(await values(log, topic, 1)).toEqual(kinds)
    }))

  test('behavior: when the broker is killed and comes back, each append is there once, in order', () =>
    withLogs(2, async (log) => {
      const topic = await createTopic(log)
      const appender = await log.appender()
      const appends: Promise<readonly number[]>[] = []
      const append = (count: number): void => {
        for (let at = 0; at < count; at++) appends.push(appender.append(records(topic, 0, `${appends.length}`)))
      }
      append(20)
      await appends[0]
      append(20)
      await kafka().brokers[0]!.kill9()
      append(20)
      await kafka().brokers[0]!.restart()
      append(20)
      expect((await Promise.all(appends)).flat()).toEqual(appends.map((_, at) => at))
      expect(await values(log, topic)).toEqual(appends.map((_, at) => `${at}`))
    }))
})

/** @returns stops it */
function cutAtRandom(): () => void {
  const random = seededRandom(7)
  let timer: NodeJS.Timeout
  const cut = (): void => {
    proxy().cut()
    timer = setTimeout(cut, random() * CUT_WITHIN_MS)
  }
  cut()
  return () => clearTimeout(timer)
}

async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call()
    } catch (error) {
      if (!(error as { retriable?: boolean }).retriable || attempt > 100) throw error
    }
  }
}
