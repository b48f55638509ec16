import { describe, expect, test } from 'vitest'
import type { JoinOptions, Log, MemberIdentity } from '../../streams/ports.ts'
import { createTopic, expectCommitted, fresh, Listener, type LogUnderTest, records, values } from './log-kit.ts'

/** Consumer groups: who works on what, in which generation. */
export function groupTests(current: () => LogUnderTest): void {
  describe('groups', () => {
    test('default: a single member gets every partition of every topic', async () => {
      const { log } = current()
      const topics = [await createTopic(log, 3), await createTopic(log, 1)]
      const { listener } = await join(log, fresh('group'), topics, 'a')
      const [wide, narrow] = topics as [string, string]
      const expected = [
        { topic: wide, partition: 0 },
        { topic: wide, partition: 1 },
        { topic: wide, partition: 2 },
        { topic: narrow, partition: 0 },
      ]
      const sorted = [...listener.partitions].sort(
        (a, b) => topics.indexOf(a.topic) - topics.indexOf(b.topic) || a.partition - b.partition,
      )
      expect(sorted).toEqual(expected)
    })

    test('behavior: a second member takes half, moving no more than it must, and gives it back', async () => {
      const { log, other } = current()
      const topics = [await createTopic(log, 4)]
      const group = fresh('group')
      const a = await join(log, group, topics, 'a')
      const b = await join(other, group, topics, 'b')
      await a.listener.until(() => a.listener.numbers.length === 2)
      expect([...a.listener.numbers, ...b.listener.numbers].sort()).toEqual([0, 1, 2, 3])
      expect(a.listener.identity.generation).toBe(b.listener.identity.generation)
      const kept = a.listener.numbers
      await b.membership.leave()
      await a.listener.until(() => a.listener.numbers.length === 4)
      expect(a.listener.numbers).toEqual(expect.arrayContaining(kept))
      expect(a.listener.generations).toEqual([...a.listener.generations].sort((x, y) => x - y))
    })

    test('behavior: partitions of the same number in all topics go to the same member', async () => {
      const { log, other } = current()
      const topics = [await createTopic(log, 5), await createTopic(log, 3)]
      const group = fresh('group')
      const a = await join(log, group, topics, 'a')
      const b = await join(other, group, topics, 'b')
      await a.listener.until(() => a.listener.identity.generation === b.listener.identity.generation)
      for (const { listener } of [a, b]) {
        const numbersOf = (name: string) =>
          listener.partitions.filter(({ topic }) => topic === name).map(({ partition }) => partition)
        expect(numbersOf(topics[1]!)).toEqual(numbersOf(topics[0]!).filter((partition) => partition < 3))
      }
    })

    test('behavior: what one member works on the other keeps ready, while there is another', async () => {
      const { log, other } = current()
      const topics = [await createTopic(log, 3)]
      const group = fresh('group')
      const more = { standbys: 1, restored: () => new Map<number, number>() }
      const a = await join(log, group, topics, 'a', more)
      expect(a.listener.standbys).toEqual([])
      const b = await join(other, group, topics, 'b', more)
      await a.listener.until(() => a.listener.identity.generation === b.listener.identity.generation)
      expect(a.listener.standbys).toEqual(b.listener.numbers)
      expect(b.listener.standbys).toEqual(a.listener.numbers)
      await b.membership.leave()
      await a.listener.until(() => a.listener.numbers.length === 3)
      expect(a.listener.standbys).toEqual([])
    })

    test('error: a member with another topology is refused, and nobody is disturbed', async () => {
      const { log, other } = current()
      const topics = [await createTopic(log, 2)]
      const group = fresh('group')
      const { listener } = await join(log, group, topics, 'a')
      const options = { group, topics, instanceId: 'b', fingerprint: 'other topology' }
      await expect(other.join(options, new Listener())).rejects.toMatchObject({ code: 'TOPOLOGY_MISMATCH' })
      expect(listener.numbers).toEqual([0, 1])
      expect(listener.causes).toEqual([])
    })

    test('error: a group over a topic that does not exist is refused', async () => {
      const options = { group: fresh('group'), topics: ['no-such-topic'], instanceId: 'a', fingerprint: 'f' }
      await expect(current().log.join(options, new Listener())).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' })
    })

    test('behavior: a burst with a stale generation, or of a member that left, is fenced', async () => {
      const { log, other } = current()
      const topic = await createTopic(log, 2)
      const group = fresh('group')
      const a = await join(log, group, [topic], 'a')
      const writer = await log.transactionalWriter(fresh('writer'))
      const commits = [{ topic, partition: 0, next: 1, metadata: '' }]
      const burst = (value: string, membership: { memberId: string; generation: number }) =>
        writer.commit({ records: records(topic, 0, value), offsets: { group, commits, membership } })
      const first = a.listener.identity
      expectCommitted(await burst('member', first))
      const b = await join(other, group, [topic], 'b')
      await a.listener.until(() => a.listener.identity.generation === b.listener.identity.generation)
      expect(await burst('stale', first)).toMatchObject({ outcome: 'fenced' })
      expectCommitted(await burst('rejoined', a.listener.identity))
      await a.membership.leave()
      expect(await burst('left', a.listener.identity)).toMatchObject({ outcome: 'fenced' })
      expect(await burst('nobody', { memberId: 'nobody', generation: 1 })).toMatchObject({ outcome: 'fenced' })
      expect(await values(log, topic)).toEqual(['member', 'rejoined'])
    })

    test('behavior: a member that comes back under its name replaces what it was', async () => {
      const { log, other } = current()
      const topics = [await createTopic(log, 2)]
      const group = fresh('group')
      const old = await join(log, group, topics, 'a')
      const young = await join(other, group, topics, 'a')
      await old.listener.until(() => old.listener.causes.length > 0)
      await young.listener.until(() => young.listener.numbers.length === 2)
      const commits = [{ topic: topics[0]!, partition: 0, next: 1, metadata: '' }]
      const burst = (membership: MemberIdentity) => ({ records: [], offsets: { group, commits, membership } })
      const writer = await log.transactionalWriter(fresh('writer'))
      expect(await writer.commit(burst(old.listener.identity))).toMatchObject({ outcome: 'fenced' })
      expectCommitted(await writer.commit(burst(young.listener.identity)))
    })
  })
}

async function join(
  log: Log,
  group: string,
  topics: readonly string[],
  instanceId: string,
  more: Pick<JoinOptions, 'standbys' | 'restored'> = {},
) {
  const listener = new Listener()
  const membership = await log.join({ group, topics, instanceId, fingerprint: 'topology', ...more }, listener)
  await listener.until(() => listener.generations.length > 0)
  return { listener, membership }
}
