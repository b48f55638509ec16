import { expect, test } from 'vitest'
import { createMemoryLog } from '../../connectors/log/memory/memory.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { createStreamsBuilder } from '../../streams/create-builder.ts'
import { type GroupListener, type JoinOptions, LogError } from '../../streams/ports.ts'
import { StreamsRuntime } from '../../streams/runtime.ts'
import { plainTopic, text, topicOf } from './fixture.ts'

const input = plainTopic('in')
const output = topicOf('out', text)

function topology() {
  const builder = createStreamsBuilder()
  builder
    .stream(input)
    .process<{ out: readonly [string, string] }>('copy', ['out'], ({ outputs: { out } }) => ({
      process: (key, value) => void out.send(key, value) as undefined,
    }))
    .out.to(output)
  return builder.build()
}

test('behavior: after a member was lost, a group that counts its generations anew is believed', async () => {
  const memory = createMemoryLog()
  const listeners: GroupListener[] = []
  const generations = [7, 1]
  const join = async (_: JoinOptions, listener: GroupListener) => {
    const generation = generations[listeners.length]!
    listeners.push(listener)
    setImmediate(() => listener.assigned([{ topic: 'in', partition: 0 }], { memberId: 'm', generation }, []))
    return { leave: async () => {} }
  }
  const opened: number[] = []
  const log = Object.assign(Object.create(memory) as typeof memory, { join })
  await log.createTopics([input, output])
  const runtime = new StreamsRuntime(topology(), {
    appId: 'app',
    instanceId: 'a',
    log,
    clock: systemClock,
    observer: { restored: (_stage, partition) => void opened.push(partition) },
  })
  await runtime.start()
  await expect.poll(() => opened.length).toBe(1)
  listeners[0]!.lost(new LogError('SESSION_EXPIRED', 'the group went on without it'))
  await expect.poll(() => opened.length, { timeout: 10_000 }).toBe(2)
  await runtime.close()
  await memory.close()
})
