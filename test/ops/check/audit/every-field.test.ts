/** Every field of every topic, altered once in a copy: the audit tells of it, or the table says why the field decides nothing. */
import { expect, test } from 'vitest'
import { auditLog } from '../../../../ops/check/audit/audit.ts'
import { isClean } from '../../../../ops/check/audit/render.ts'
import { isPayout } from '../../../../schemas/anchor-keys.ts'
import type { AnchorKey, PayoutAnswer } from '../../../../schemas/types.ts'
import type { RecordTopic } from '../../../../streams/kafka-topic.ts'
import type { LogRecord } from '../../../../streams/ports.ts'
import type { ProtocolRules } from '../../../../topology/rules.ts'
import { PAID_RULES, RULES, runScenario, type Scenario } from './scenario.ts'
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

/** What a record is, in a topic of several: the kind of a tick, the outcome of a result, the purpose of a payout. */
function kindOf(value: Fields, key: Fields): string {
  const tick = value.tick as Fields | undefined
  const kind = String(
    tick?.kind ?? value.kind ?? value.outcome ?? value.purpose ?? ('summaryOf' in value ? 'Summary' : ''),
  )
  if (!('batchIndex' in key) || !isPayout(key as unknown as AnchorKey)) return kind
  const answer = value.payout as PayoutAnswer | null
  return `${kind}${answer && answer.eligibleNodes > 0 ? 'Paying' : ''}Payout`
}

/** Each field with another value; those of a record within are fields as well. */
function alteredFields(value: Fields, prefix = ''): [name: string, altered: Fields][] {
  return Object.entries(value).flatMap(([field, of]): [string, Fields][] => {
    if (isRecord(of))
      return alteredFields(of, `${prefix}${field}.`).map(([name, inner]) => [name, { ...value, [field]: inner }])
    const altered = alter(of)
    return altered === undefined ? [] : [[`${prefix}${field}`, { ...value, [field]: altered }]]
  })
}

const isRecord = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

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
        const key = topic.key.decode(record.key!) as Fields
        for (const [field, altered] of alteredFields(value)) {
          const place = [name, kindOf(value, key), field].filter((part) => part !== '').join('.')
          // the newest: in a table it is the one that counts
          if (topic.cleanup === 'delete' && found.has(place)) continue
          try {
            const bytes = topic.value.encode(altered)
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

/** Names of the fields whose alteration the audit did not tell, and the table does not know. */
async function silentIn({ log, topics }: Scenario, alterations: readonly Alteration[], rules: ProtocolRules) {
  const silent: string[] = []
  for (const { name, topic, partition, at, record } of alterations) {
    if (name.split('.')[0]! in NOT_READ) continue
    const altered = log.copy()
    altered.records(topic, partition)[at] = record
    const report = await auditLog(altered, { topics, rules })
    if (isClean(report)) silent.push(name)
  }
  return silent.filter((name) => !NOT_TOLD.some(([fields]) => fields.test(name)))
}

/** Topics that are about days alone, and what others say of days. */
const OF_DAYS = /^(tallies|slotDays|days|payouts|payments)\.|^anchorResults\.\w+Payout\.|\.(day|dailyQuota|daysEnded)$/

test('behavior: an altered field is told, or the table says why it decides nothing', { timeout: 900_000 }, async () => {
  const scenario = await runScenario({ seed: 21, epochs: 1, partitions: 1 })
  const alterations = alterationsOf(scenario).filter(({ name }) => !OF_DAYS.test(name))
  expect(await silentIn(scenario, alterations, RULES)).toEqual([])
  expect(alterations.length).toBeGreaterThan(100)
})

test('behavior: so is one of days, payouts and payments', { timeout: 900_000 }, async () => {
  // a day that is closed, and one that has begun
  const scenario = await runScenario({ seed: 21, epochs: 3, partitions: 1, days: true })
  const alterations = alterationsOf(scenario).filter(({ name }) => OF_DAYS.test(name))
  expect(await silentIn(scenario, alterations, PAID_RULES)).toEqual([])
  expect(alterations.length).toBeGreaterThan(100)
})
