import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createMemoryLog } from '../../connectors/log/memory/memory.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { doubling } from '../../streams/back-off.ts'
import { asWork, type OneOfMany, type RunningPart, startOneOfMany } from '../../streams/one-of-many.ts'
import { type GroupListener, type Log, LogError, PositionLostError } from '../../streams/ports.ts'

const CLOCK = { now: systemClock.now, sleep: systemClock.sleep }
let parts: RunningPart[]
beforeEach(() => {
  parts = []
})
afterEach(async () => {
  await Promise.all(parts.map((part) => part.close()))
})

/** Work that says when it runs, and that the test can end. */
function holder(log: Log, instanceId: string, more: Partial<OneOfMany> = {}) {
  const state = {
    running: 0,
    begun: 0,
    owned: [] as boolean[],
    waited: [] as string[],
    end: (_failure?: Error) => {},
  }
  const work = (signal: AbortSignal): Promise<void> => {
    state.running++
    state.begun++
    return new Promise<void>((resolve, reject) => {
      state.end = (failure) => (failure ? reject(failure) : resolve())
      signal.addEventListener('abort', () => resolve(), { once: true })
    }).finally(() => {
      state.running--
    })
  }
  const part = startOneOfMany(
    {
      ...{ group: 'holders', topic: 'turns', instanceId, fingerprint: 'one', work },
      isTakenOver: ({ message }) => message === 'fenced',
      pauseMs: doubling({ firstMs: 1, mostMs: 5 }),
      owning: (owns) => state.owned.push(owns),
      waiting: ({ message }) => state.waited.push(message),
      ...more,
    },
    { log, clock: CLOCK },
  )
  parts.push(part)
  return { part, state }
}

describe('on a log', () => {
  let log: Log
  beforeEach(async () => {
    log = createMemoryLog()
    await log.createTopics([{ name: 'turns', partitions: 1, cleanup: 'delete' }])
  })
  afterEach(() => log.close())

  test('default: one of two works; when it closes, the other goes on', async () => {
    const [a, b] = [holder(log, 'a'), holder(log, 'b')]
    await vi.waitFor(() => expect(a.state.running + b.state.running).toBe(1))
    const [first, second] = a.state.running ? [a, b] : [b, a]
    await first.part.close()
    expect(first.state.running).toBe(0)
    await vi.waitFor(() => expect(second.state.running).toBe(1))
    expect(second.state.owned.at(-1)).toBe(true)
  })

  test('behavior: somebody has added a partition to the topic: still one works', async () => {
    await log.createTopics([{ name: 'wide', partitions: 2, cleanup: 'delete' }])
    const [a, b] = [holder(log, 'a', { topic: 'wide' }), holder(log, 'b', { topic: 'wide' })]
    await vi.waitFor(() => expect([a.state.owned.length, b.state.owned.length]).toEqual([2, 1]))
    expect([a.state.owned.at(-1), b.state.owned.at(-1)].sort()).toEqual([false, true])
    await vi.waitFor(() => expect(a.state.running + b.state.running).toBe(1))
  })

  test('behavior: closing while it joins leaves nothing running', async () => {
    const { part, state } = holder(log, 'a')
    await part.close()
    expect(state.running).toBe(0)
    await expect(part.stopped).resolves.toBeUndefined()
  })

  test('error: a second process of the same name ends the first, which does not throw the second out again', async () => {
    const first = holder(log, 'a')
    await vi.waitFor(() => expect(first.state.running).toBe(1))
    const second = holder(log, 'a')
    expect(await first.part.stopped).toMatchObject({ code: 'MEMBER_REPLACED' })
    await vi.waitFor(() => expect(second.state.running).toBe(1))
    expect(first.state.running).toBe(0)
  })
})

describe('whatever happens to the work and the group', () => {
  test('behavior: work whose topic was made anew begins again, and says so', async () => {
    const { part, state } = await working()
    state.end(new PositionLostError('TOPIC_RECREATED', { topic: 'intents' }, 'intents was made anew'))
    await vi.waitFor(() => expect(state.begun).toBe(2))
    expect(state.waited).toContain('intents was made anew')
    await part.close()
    await expect(part.stopped).resolves.toBeUndefined()
  })

  /** A group that the test plays. */
  function played() {
    const joined: GroupListener[] = []
    const refusals: LogError[] = []
    let left = 0
    const join: Log['join'] = async (_options, listener) => {
      const refusal = refusals.shift()
      if (refusal) throw refusal
      joined.push(listener)
      return { leave: async () => void left++ }
    }
    const owns = (is: boolean): void =>
      joined.at(-1)!.assigned(is ? [{ topic: 'turns', partition: 0 }] : [], { memberId: 'm', generation: 1 }, [])
    return { log: { join } as Partial<Log> as Log, joined, refusals, owns, left: () => left }
  }
  /** A holder that works. */
  async function working(more: Partial<OneOfMany> = {}) {
    const group = played()
    const { part, state } = holder(group.log, 'a', more)
    await vi.waitFor(() => expect(group.joined).toHaveLength(1))
    group.owns(true)
    await vi.waitFor(() => expect(state.running).toBe(1))
    return { ...group, part, state }
  }

  test('behavior: work that another process has taken over begins again after a pause, while the group says that it is ours', async () => {
    const { state, joined } = await working()
    state.end(new Error('fenced'))
    await vi.waitFor(() => expect(state).toMatchObject({ running: 1, begun: 2, waited: ['fenced'] }))
    expect(joined).toHaveLength(1)
  })

  test('behavior: so does work that the log failed for a while, and work that ended without being told to', async () => {
    const { state } = await working()
    state.end(new LogError('AWAY', 'the log is away', { retriable: true }))
    await vi.waitFor(() => expect(state).toMatchObject({ running: 1, begun: 2 }))
    state.end()
    await vi.waitFor(() => expect(state).toMatchObject({ running: 1, begun: 3 }))
    expect(state.waited).toEqual(['the log is away', 'holders: the work ended by itself'])
  })

  test('behavior: pauses grow from failure to failure', async () => {
    const asked: number[] = []
    const { state } = await working({ pauseMs: (failures) => asked.push(failures) && 1 })
    for (const begun of [2, 3, 4]) {
      state.end(new Error('fenced'))
      await vi.waitFor(() => expect(state).toMatchObject({ running: 1, begun }))
    }
    expect(asked).toEqual([1, 2, 3])
  })

  test('behavior: work ends with the ownership, and begins with the next one', async () => {
    const { owns, state } = await working()
    owns(false)
    await vi.waitFor(() => expect(state.running).toBe(0))
    owns(true)
    await vi.waitFor(() => expect(state).toMatchObject({ running: 1, begun: 2 }))
    expect(state.owned).toEqual([true, false, true])
    expect(state.waited).toEqual([])
  })

  test('behavior: one that was thrown out ends its work, leaves, and joins again', async () => {
    const { joined, owns, state, left } = await working()
    joined[0]!.lost(new Error('the session expired'))
    await vi.waitFor(() => expect(joined).toHaveLength(2))
    expect(state).toMatchObject({ running: 0, waited: ['thrown out of group holders: the session expired'] })
    expect(left()).toBe(1)
    owns(true)
    await vi.waitFor(() => expect(state.running).toBe(1))
  })

  test('behavior: a group that refuses for a while is joined later', async () => {
    const group = played()
    group.refusals.push(new LogError('AWAY', 'no coordinator', { retriable: true }))
    const { state } = holder(group.log, 'a')
    await vi.waitFor(() => expect(group.joined).toHaveLength(1))
    expect(state.waited).toEqual(['no coordinator'])
  })

  test('error: what is final of the work ends it, with the reason', async () => {
    const { part, state, left } = await working()
    state.end(new Error('wrong chain'))
    expect(await part.stopped).toMatchObject({ message: 'wrong chain' })
    expect(left()).toBe(1)
  })

  test('error: so does what is final of the group', async () => {
    const group = played()
    group.refusals.push(new LogError('TOPOLOGY_MISMATCH', 'another release works here'))
    const { part } = holder(group.log, 'a')
    expect(await part.stopped).toMatchObject({ code: 'TOPOLOGY_MISMATCH' })
  })
})

describe('a part as work', () => {
  /** A part that takes its time to start, and that the test can end. */
  function part() {
    let started: () => void = () => {}
    let end: (failure?: Error) => void = () => {}
    const stopped = new Promise<Error | undefined>((resolve) => {
      end = resolve
    })
    const close = vi.fn(async () => end())
    const work = asWork(() => new Promise((resolve) => (started = () => resolve({ stopped, close }))))
    return { work, close, start: () => started(), end: (failure: Error) => end(failure) }
  }

  test('default: it is closed at the signal', async () => {
    const { work, close, start } = part()
    const stop = new AbortController()
    const done = work(stop.signal)
    start()
    stop.abort()
    await expect(done).resolves.toBeUndefined()
    expect(close).toHaveBeenCalledTimes(1)
  })

  test('behavior: one that starts behind the signal is closed at once', async () => {
    const { work, close, start } = part()
    const done = work(AbortSignal.abort())
    start()
    await expect(done).resolves.toBeUndefined()
    expect(close).toHaveBeenCalledTimes(1)
  })

  test('error: what ends it is thrown, when it is closed', async () => {
    const { work, close, start, end } = part()
    const done = work(new AbortController().signal)
    start()
    end(new Error('wrong chain'))
    await expect(done).rejects.toThrow('wrong chain')
    expect(close).toHaveBeenCalledTimes(1)
  })
})
