/** Every field of every topic, altered once in a copy: the audit tells of it, or the table says why the field decides nothing. */
import { beforeAll, expect, test } from 'vitest'
import { auditLog } from '../../../../ops/check/audit/audit.ts'
import { isClean } from '../../../../ops/check/audit/render.ts'
import type { RecordTopic } from '../../../../streams/kafka-topic.ts'
import type { LogRecord } from '../../../../streams/ports.ts'
import { RULES, runScenario, type Scenario } from './scenario.ts'
import { NOT_READ, NOT_TOLD } from './undecided-fields.ts'

type Fields = Record<string, unknown>
interface Alteration {
  /** `topic.Kind.field` */
  readonly name: string
  readonly topic: RecordTopic<unknown, unknown>
  readonly partition: number
  readonly at: number
  readonly record: LogRecord
}

let scenario: Scenario
let alterations: Alteration[]
beforeAll(async () => {
  scenario = await runScenario({ seed: 21, epochs: 1, partitions: 1 })
  alterations = alterationsOf(scenario)
}, 120_000)

/** What a record is, in a topic of several: the kind of a tick, the outcome of a result. */
function kindOf(value: Fields): string {
  const tick = value.tick as Fields | undefined
  return String(tick?.kind ?? value.kind ?? value.outcome ?? ('summaryOf' in value ? 'Summary' : ''))
}

function alterationsOf({ log, topics }: Scenario): Alteration[] {
  const counted = countedIn({ log, topics })
  const { deadLetters: _, ...rest } = topics
  const found = new Map<string, Alteration>()
  for (const [name, topic] of Object.entries(rest) as [string, RecordTopic<unknown, unknown>][])
    for (let partition = 0; partition < topic.partitions; partition++)
      for (const [at, record] of log.records(topic, partition).entries()) {
        if (!record.value) continue
        const value = topic.value.decode(record.value) as Fields
        // of the submissions one that decides something
        if (name === 'submissions' && !('tick' in value) && !counted.has(`${partition}/${record.offset}`)) continue
        for (const field of Object.keys(value)) {
          const altered = alter(value[field])
          if (altered === undefined) continue
          const place = [name, kindOf(value), field].filter((part) => part !== '').join('.')
          // the newest: in a table it is the one that counts
          if (topic.cleanup === 'delete' && found.has(place)) continue
          try {
            const bytes = topic.value.encode({ ...value, [field]: altered })
            found.set(place, { name: place, topic, partition, at, record: { ...record, value: bytes } })
          } catch {
            // no value that the schema takes: an enum, a union
          }
        }
      }
  return [...found.values()]
}

/** Places of the submissions that count. */
function countedIn({ log, topics: { verdicts } }: Pick<Scenario, 'log' | 'topics'>): ReadonlySet<string> {
  const places = new Set<string>()
  for (let from = 0; from < verdicts.partitions; from++)
    for (const { value } of log.records(verdicts, from)) {
      const { reason, position } = verdicts.value.decode(value!)
      if (reason === 'COUNTED') places.add(`${position.partition}/${position.offset}`)
    }
  return places
}

function alter(value: unknown): unknown {
  if (typeof value === 'number') return value + 1
  if (typeof value === 'boolean') return !value
  if (typeof value === 'string') return value === '' ? 'x' : value.slice(0, -1) + (value.endsWith('0') ? '1' : '0')
  if (value instanceof Uint8Array && value.length > 0)
    return Buffer.from(value.map((byte, at) => (at === 0 ? byte ^ 1 : byte)))
  if (Array.isArray(value) && value.length > 0) return value.slice(1)
  return undefined
}

test('behavior: an altered field is told, or the table says why it decides nothing', { timeout: 900_000 }, async () => {
  const { topics } = scenario
  const silent: string[] = []
  for (const { name, topic, partition, at, record } of alterations) {
    if (name.split('.')[0]! in NOT_READ) continue
    const log = scenario.log.copy()
    log.records(topic, partition)[at] = record
    const report = await auditLog(log, { topics, rules: RULES })
    if (isClean(report)) silent.push(name)
  }
  expect(silent.filter((name) => !NOT_TOLD.some(([fields]) => fields.test(name)))).toEqual([])
  expect(alterations.length).toBeGreaterThan(100)
})
