import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openEmbeddedLog } from '../../../connectors/log/embedded/embedded.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { startOneOfMany } from '../../../ops/run/one-of-many.ts'
import type { Part } from '../../../ops/run/wiring.ts'
import type { Log } from '../../../streams/ports.ts'

let directory: string
let log: Log
let holders: Part[]
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sequencer-one-'))
  log = await openEmbeddedLog({ directory, clock: systemClock })
  await log.createTopics([{ name: 'turns', partitions: 1, cleanup: 'delete' }])
  holders = []
})
afterEach(async () => {
  await Promise.all(holders.map((holder) => holder.close()))
  await log.close()
  rmSync(directory, { recursive: true, force: true })
})

/** A part that says when it runs, and that the test can end. */
function holder(instanceId: string) {
  const state = { running: 0, starts: 0, end: (_: Error) => {} }
  const start = async (): Promise<Part> => {
    state.running++
    state.starts++
    let end: (error?: Error) => void = () => {}
    const stopped = new Promise<Error | undefined>((resolve) => {
      end = (error) => {
        state.running--
        resolve(error)
        end = () => {}
      }
    })
    state.end = (error) => end(error)
    return { stopped, close: async () => end() }
  }
  const options = { group: 'holders', topic: 'turns', instanceId, fingerprint: 'one', start, owning: () => {} }
  const part = startOneOfMany(
    { ...options, isTakenOver: ({ message }) => message === 'fenced' },
    { log, clock: systemClock },
  )
  holders.push(part)
  return { part, state }
}

test('default: one of two runs it; when it closes, the other goes on', async () => {
  const a = holder('a')
  const b = holder('b')
  await vi.waitFor(() => expect(a.state.running + b.state.running).toBe(1))
  const [first, second] = a.state.running ? [a, b] : [b, a]
  await first.part.close()
  expect(first.state.running).toBe(0)
  await vi.waitFor(() => expect(second.state.running).toBe(1))
})

test('behavior: a part that was taken over starts again after a while, if it is still ours', {
  timeout: 10_000,
}, async () => {
  const { state } = holder('a')
  await vi.waitFor(() => expect(state.running).toBe(1))
  state.end(new Error('fenced'))
  await vi.waitFor(() => expect(state).toMatchObject({ running: 1, starts: 2 }), { timeout: 5_000 })
})

test('error: what is final ends it, with the reason', async () => {
  const { part, state } = holder('a')
  await vi.waitFor(() => expect(state.running).toBe(1))
  state.end(new Error('wrong chain'))
  expect(await part.stopped).toMatchObject({ message: 'wrong chain' })
})

test('behavior: closing while it starts closes what has started', async () => {
  const { part, state } = holder('a')
  await part.close()
  expect(state.running).toBe(0)
  await expect(part.stopped).resolves.toBeUndefined()
})
