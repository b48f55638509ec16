import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Log, TransactionalWriter } from '../../streams/ports.ts'
import { createTopic, fresh, type LogUnderTest, readAll, record, text } from './log-kit.ts'

const PARTITIONS = 2
const WRITERS = 3
const RUNS = 60

/** A log as simple as it can be said: arrays with holes. */
class ModelLog {
  readonly partitions = Array.from({ length: PARTITIONS }, () => ({ start: 0, cells: [] as (string | null)[] }))
  readonly epochs = Array.from({ length: WRITERS }, () => 0)
  committed: number | undefined

  write(at: readonly number[], value: string, control: boolean): void {
    for (const partition of at) this.partitions[partition]!.cells.push(value)
    if (control) for (const partition of new Set(at)) this.partitions[partition]!.cells.push(null)
  }

  delete(partition: number, offset: number): void {
    const { start, cells } = this.partitions[partition]!
    this.partitions[partition]!.start = Math.max(start, Math.min(offset, cells.length))
  }

  seen(partition: number): [number, string][] {
    const { start, cells } = this.partitions[partition]!
    return cells.flatMap((value, offset) => (value === null || offset < start ? [] : [[offset, value]])) as [
      number,
      string,
    ][]
  }
}

type Command =
  | { readonly do: 'append'; readonly at: readonly number[] }
  | { readonly do: 'commit'; readonly at: readonly number[]; readonly writer: number; readonly stale: boolean }
  | { readonly do: 'open'; readonly writer: number }
  | { readonly do: 'delete'; readonly partition: number; readonly offset: number }
  | { readonly do: 'read'; readonly partition: number; readonly from: number; readonly maxBytes: number }

const partition = fc.nat(PARTITIONS - 1)
const targets = fc.array(partition, { maxLength: 6 })
const writer = fc.nat(WRITERS - 1)
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ do: fc.constant('append' as const), at: targets }),
  fc.record({ do: fc.constant('commit' as const), at: targets, writer, stale: fc.boolean() }),
  fc.record({ do: fc.constant('open' as const), writer }),
  fc.record({ do: fc.constant('delete' as const), partition, offset: fc.nat(30) }),
  fc.record({ do: fc.constant('read' as const), partition, from: fc.nat(40), maxBytes: fc.nat(40) }),
)

/** Any sequence of calls leaves the log as the model says. */
export function modelTests(current: () => LogUnderTest): void {
  describe('model', () => {
    test(`behavior: any sequence of calls does what a plain model does (${RUNS} runs)`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(command, { maxLength: 40 }), (commands) => agree(current().log, commands)),
        { numRuns: RUNS },
      )
    })
  })
}

async function agree(log: Log, commands: readonly Command[]): Promise<void> {
  const topic = await createTopic(log, PARTITIONS)
  const model = new ModelLog()
  const group = fresh('group')
  const ids = Array.from({ length: WRITERS }, () => fresh('writer'))
  const writers = await Promise.all(ids.map((id) => log.transactionalWriter(id)))
  const older: (TransactionalWriter | undefined)[] = ids.map(() => undefined)
  for (const [at, step] of commands.entries()) {
    const value = `value ${at}`
    if (step.do === 'append') {
      const appender = await log.appender()
      await appender.append(step.at.map((target) => record(topic, target, value)))
      model.write(step.at, value, false)
    } else if (step.do === 'commit') {
      const chosen = step.stale ? older[step.writer] : writers[step.writer]
      const offsets = { group, commits: [{ topic, partition: 0, next: at, metadata: value }] }
      const outgoing = step.at.map((target) => record(topic, target, value))
      const result = await (chosen ?? writers[step.writer]!).commit({ records: outgoing, offsets })
      const fenced = step.stale && older[step.writer] !== undefined
      expect(result.outcome).toBe(fenced ? 'fenced' : 'committed')
      if (fenced) continue
      model.write(step.at, value, true)
      model.committed = at
    } else if (step.do === 'open') {
      older[step.writer] = writers[step.writer]
      writers[step.writer] = await log.transactionalWriter(ids[step.writer]!)
    } else if (step.do === 'delete') {
      const end = model.partitions[step.partition]!.cells.length
      const offset = Math.min(step.offset, end) // beyond the end Kafka refuses
      await log.deleteRecords([{ topic, partition: step.partition, offset }])
      model.delete(step.partition, offset)
    } else await compareRead(log, model, topic, step)
  }
  await compareAll(log, model, topic, group)
}

async function compareRead(log: Log, model: ModelLog, topic: string, step: Command & { do: 'read' }): Promise<void> {
  const { start, cells } = model.partitions[step.partition]!
  const position = { topic, partition: step.partition, offset: step.from }
  const [fetched] = await log.fetch([position], { maxWaitMs: 0, maxBytesPerPartition: step.maxBytes })
  expect(fetched).toMatchObject({
    start,
    stable: cells.length,
    outOfRange: step.from < start || step.from > cells.length,
  })
  const left = fetched!.outOfRange ? [] : model.seen(step.partition).filter(([offset]) => offset >= step.from)
  const got = fetched!.records.map(({ offset, value }) => [offset, text(value)])
  expect(got).toEqual(left.slice(0, got.length))
  // An answer without records moves on all the same: Kafka's may hold one control batch.
  if (left.length > 0 && got.length === 0) expect(fetched!.next).toBeGreaterThan(step.from)
  const skipped = left[got.length]?.[0] ?? cells.length
  expect(fetched!.next).toBeLessThanOrEqual(Math.max(skipped, step.from))
  if (got.length > 0) expect(fetched!.next).toBeGreaterThan(got.at(-1)![0] as number)
}

async function compareAll(log: Log, model: ModelLog, topic: string, group: string): Promise<void> {
  for (const [partition, { start, cells }] of model.partitions.entries()) {
    const found = await readAll(log, { topic, partition })
    expect(found.map(({ offset, value }) => [offset, text(value)])).toEqual(model.seen(partition))
    expect(await log.bounds([{ topic, partition }])).toEqual([{ start, stable: cells.length }])
  }
  const [committed] = await log.committedOffsets(group, [{ topic, partition: 0 }])
  expect(committed?.next).toBe(model.committed)
}
