/** The content of `dead-letters`: records that stages put aside, and messages that intakes refused. */

import { ERROR_HEADERS } from '../../../streams/dead-letter.ts'
import type { Log, LogRecord } from '../../../streams/ports.ts'
import { isTimestamp } from '../../../streams/read-record.ts'
import type { Topics } from '../../../topology/topics.ts'
import { exists } from '../../reading/market-rows.ts'
import { silently } from '../../reading/read.ts'
import { readAt, scan } from '../../reading/scan.ts'

/** Letters told at once, at most. */
export const LETTERS_MAX = 10_000

export interface Letter {
  /** In `dead-letters`. */
  readonly offset: number
  /** When it was put aside, ISO 8601: the time of the record, or of the record before it where that is none. */
  readonly at: string
  /** The reason in one word. */
  readonly reason: string
  /** The reason in a sentence. */
  readonly message: string
  /** Where the record lies; null for a message that an intake refused. */
  readonly from: { readonly topic: string; readonly partition: number; readonly offset: number } | null
  /** The sender; null for a record that a stage put aside. */
  readonly peer: string | null
  /** Size of the record as it was; the letter may hold its beginning only. */
  readonly sizeBytes: number
  /** The letter is the whole record. */
  readonly isWhole: boolean
}

export interface LetterFilter {
  readonly topic?: string | undefined
  readonly reason?: string | undefined
  /** Ms; both inclusive. */
  readonly since?: number | undefined
  readonly until?: number | undefined
  /** Only so many of the newest are looked at; all by default. */
  readonly newest?: number | undefined
}

/** The dead letters that match, oldest first. A log without the topic has none. */
export async function* lettersOf(
  log: Log,
  { deadLetters: { name: topic } }: Topics,
  filter: LetterFilter,
): AsyncGenerator<{ readonly letter: Letter; readonly record: LogRecord }> {
  if (!(await exists(log, topic))) return
  const [bounds] = await log.bounds([{ topic, partition: 0 }])
  const from = Math.max(bounds!.start, bounds!.stable - (filter.newest ?? Number.POSITIVE_INFINITY))
  for await (const records of scan(log, { topic, partition: 0 }, { from, tell: silently }))
    for (const record of records) {
      const letter = letterOf(record)
      if (matches(letter, record.timestamp, filter)) yield { letter, record }
    }
}

/** Undefined when there is none at the offset, or not any more. */
export const letterAt = async (
  log: Log,
  { deadLetters: { name: topic } }: Topics,
  offset: number,
): Promise<LogRecord | undefined> =>
  (await exists(log, topic)) ? readAt(log, { topic, partition: 0 }, offset) : undefined

export function letterOf({ offset, timestamp, key, value, headers }: LogRecord): Letter {
  const said = new Map(headers.map((header) => [header.key, Buffer.from(header.value).toString()]))
  const error = (name: string): string | undefined => said.get(ERROR_HEADERS + name)
  const topic = error('topic')
  const size = Number(error('size') ?? Number.NaN)
  const bytes = (key?.length ?? 0) + (value?.length ?? 0)
  return {
    offset,
    at: isTimestamp(timestamp) ? new Date(timestamp).toISOString() : String(timestamp),
    reason:
      (topic === undefined ? said.get('reason') : (error('reason') ?? reasonBefore(error('exception')))) ?? 'unknown',
    message: (topic === undefined ? said.get('message') : error('message')) ?? '',
    from:
      topic === undefined ? null : { topic, partition: Number(error('partition')), offset: Number(error('offset')) },
    peer: topic === undefined ? (said.get('peer') ?? null) : null,
    sizeBytes: Number.isSafeInteger(size) ? size : bytes,
    isWhole: !Number.isSafeInteger(size),
  }
}

/** Older releases did not say the reason. */
const reasonBefore = (exception: string | undefined): string =>
  exception === 'ForgedMarkerError' ? 'forged-marker' : 'undecodable'

function matches(letter: Letter, timestamp: number, { topic, reason, since, until }: LetterFilter): boolean {
  if (topic !== undefined && (letter.from?.topic ?? INTAKE) !== topic) return false
  if (reason !== undefined && letter.reason !== reason) return false
  return (since === undefined || timestamp >= since) && (until === undefined || timestamp <= until)
}

/** Where a letter comes from that lies in no topic. */
export const INTAKE = 'intake'

export interface LetterCount {
  readonly topic: string
  readonly reason: string
  readonly letters: number
  readonly oldest: string
  readonly newest: string
}

/** By topic and reason, the most first. Reasons that others wrote are counted, at most KINDS_MAX of them by name. */
export async function countLetters(log: Log, topics: Topics, filter: LetterFilter): Promise<readonly LetterCount[]> {
  const counts = new Map<string, LetterCount>()
  for await (const { letter } of lettersOf(log, topics, filter)) {
    const topic = letter.from?.topic ?? INTAKE
    const known = counts.has(`${topic} ${letter.reason}`) || counts.size < KINDS_MAX
    const [name, reason] = known ? [topic, letter.reason] : ['others', 'others']
    const before = counts.get(`${name} ${reason}`)
    counts.set(`${name} ${reason}`, {
      topic: name,
      reason,
      letters: (before?.letters ?? 0) + 1,
      oldest: before?.oldest ?? letter.at,
      newest: letter.at,
    })
  }
  return [...counts.values()].sort((a, b) => b.letters - a.letters || (a.topic < b.topic ? -1 : 1))
}

const KINDS_MAX = 1_000

export interface Newest {
  /** Newest first. */
  readonly items: readonly Letter[]
  /** How many older ones match, too. */
  readonly older: number
}

export async function newestLetters(log: Log, topics: Topics, filter: LetterFilter, most: number): Promise<Newest> {
  const newest: Letter[] = []
  let all = 0
  for await (const { letter } of lettersOf(log, topics, filter)) {
    newest.push(letter)
    all++
    if (newest.length >= 2 * most) newest.splice(0, newest.length - most)
  }
  const items = newest.slice(-most).reverse()
  return { items, older: all - items.length }
}
