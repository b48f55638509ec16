/** What an operator sees of dead letters, and puts back. */
import { beforeEach, describe, expect, test } from 'vitest'
import { textOf } from '../../../../ops/base/output.ts'
import { countLetters, type LetterFilter, letterAt, newestLetters } from '../../../../ops/look/dead-letters/letters.ts'
import { letterJson, renderCounts, renderLetter, renderLetters } from '../../../../ops/look/dead-letters/render.ts'
import { retryLetters } from '../../../../ops/look/dead-letters/retry.ts'
import { examineLetters } from '../../../../ops/look/doctor/letters.ts'
import { deadLetterOf } from '../../../../streams/dead-letter.ts'
import type { LogRecord, OutgoingRecord } from '../../../../streams/ports.ts'
import { UnreadableError } from '../../../../streams/read-record.ts'
import { createFixture, type Fixture, submissionOf } from '../fixture.ts'

const T = Date.UTC(2026, 4, 31)
const HOUR_MS = 3_600_000
let fixture: Fixture

const letter = (
  topic: string,
  offset: number,
  at: number,
  error: Error,
  bytes: Partial<LogRecord> = {},
): OutgoingRecord => {
  const record = { offset, timestamp: at, key: Buffer.from('k'), value: Buffer.from('v'), headers: [], ...bytes }
  return deadLetterOf('test-dead-letters', record, { origin: { topic, partition: 1, offset }, error, timestamp: at })
}
const ofIntake = (at: number): OutgoingRecord => ({
  topic: 'test-dead-letters',
  partition: 0,
  timestamp: at,
  key: null,
  value: Buffer.from('{"wire"'),
  headers: Object.entries({ reason: 'MALFORMED', peer: 'P\u001b[2J', message: 'no JSON' }).map(([key, text]) => ({
    key,
    value: Buffer.from(text),
  })),
})

beforeEach(async () => {
  fixture = await createFixture()
  const { log, topics } = fixture
  const appender = await log.appender()
  const submission = submissionOf({ epochId: 1, slotId: 1 })
  const { epochId, projectId, dataMarket } = submission
  const good = {
    key: topics.submissions.key.encode({ dataMarket, epochId, projectId }),
    value: topics.submissions.value.encode(submission),
  }
  const huge = { fault: { reason: 'oversize', message: '40 MB', sizeBytes: 40_000_000 } as const }
  await appender.append([
    letter('test-submissions', 3, T, new UnreadableError('undecodable', 'no frame')),
    letter('test-epoch-ticks', 9, T + HOUR_MS, new UnreadableError('null-key', 'the key is null'), { key: null }),
    letter('test-submissions', 4, T + 2 * HOUR_MS, new Error('schema id 9 is not known'), good),
    letter('test-submissions', 5, T + 3 * HOUR_MS, new UnreadableError('oversize', '40 MB'), huge),
    ofIntake(T + 4 * HOUR_MS),
    { topic: 'test-dead-letters', partition: 0, timestamp: T, key: null, value: null }, // whose else
  ])
  await appender.close()
})

const listed = async (filter: LetterFilter, most = 10) =>
  (await newestLetters(fixture.log, fixture.topics, filter, most)).items.map(({ offset }) => offset)

describe('list and count', () => {
  test('default: the newest first, with their places and reasons', async () => {
    const letters = await newestLetters(fixture.log, fixture.topics, {}, 10)
    expect(
      letters.items.map(({ reason, from, isWhole, sizeBytes }) => [reason, from?.offset, isWhole, sizeBytes]),
    ).toEqual([
      ['unknown', undefined, true, 0],
      ['MALFORMED', undefined, true, 7],
      ['oversize', 5, false, 40_000_000],
      ['undecodable', 4, true, expect.any(Number)],
      ['null-key', 9, true, 1],
      ['undecodable', 3, true, 2],
    ])
    expect(textOf(renderLetters(letters))).toContain(
      '1  2026-05-31T01:00:00.000Z  null-key  test-epoch-ticks/1 offset 9  1 bytes  the key is null\n',
    )
    expect(textOf(renderLetters(letters))).not.toContain('\u001b')
  })

  test.each([
    ['topic', { topic: 'test-submissions' }, [3, 2, 0]],
    ['topic, of intakes', { topic: 'intake' }, [5, 4]],
    ['reason', { reason: 'undecodable' }, [2, 0]],
    ['time', { since: T + HOUR_MS, until: T + 2 * HOUR_MS }, [2, 1]],
  ] as const)('args: by %s', async (_, filter, expected) => {
    expect(await listed(filter)).toEqual(expected)
  })

  test('args: only so many', async () => {
    expect(await listed({}, 2)).toEqual([5, 4])
    const cut = await newestLetters(fixture.log, fixture.topics, {}, 2)
    expect(textOf(renderLetters(cut))).toMatch(/\n… and 4 older ones: --limit, --since or --until\n$/)
  })

  test('default: counts by topic and reason', async () => {
    const counts = await countLetters(fixture.log, fixture.topics, {})
    expect(counts.map(({ topic, reason, letters }) => `${letters} ${topic} ${reason}`).sort()).toEqual([
      '1 intake MALFORMED',
      '1 intake unknown',
      '1 test-epoch-ticks null-key',
      '1 test-submissions oversize',
      '2 test-submissions undecodable',
    ])
    expect(textOf(renderCounts(counts))).toContain('2026-05-31T00:00:00.000Z to 2026-05-31T02:00:00.000Z')
  })
})

test('default: doctor tells what came in the last day', async () => {
  const { log, topics } = fixture
  const finding = await examineLetters(log, topics, T + 26 * HOUR_MS)
  expect(finding).toMatchObject({ ok: true, advice: expect.stringContaining('dead-letters list') })
  expect(finding.detail).toMatch(/^3 in the last 24 hours: 1 /)
  expect((await examineLetters(log, topics, T + 99 * HOUR_MS)).detail).toBe('none in the last 24 hours')
})

test('default: one is shown with its bytes', async () => {
  const record = (await letterAt(fixture.log, fixture.topics, 0))!
  expect(textOf(renderLetter(record))).toContain('  value  1 bytes: 76\n')
  expect(letterJson(record)).toMatchObject({ value: Buffer.from('v').toString('base64'), reason: 'undecodable' })
  expect(await letterAt(fixture.log, fixture.topics, 99)).toBeUndefined()
})

test('default: what is a submission now is put back, nothing else', async () => {
  const { log, topics } = fixture
  const clock = { now: () => T }
  const ends = () =>
    log.ends(
      Array.from({ length: topics.submissions.partitions }, (_, partition) => ({
        topic: 'test-submissions',
        partition,
      })),
    )
  const before = await ends()
  expect(await retryLetters({ log, topics, clock }, {}, true)).toEqual({ retried: 1, left: 2 })
  expect(await ends()).toEqual(before)
  expect(await retryLetters({ log, topics, clock }, {}, false)).toEqual({ retried: 1, left: 2 })
  const sum = (all: readonly number[]) => all.reduce((total, one) => total + one, 0)
  expect(sum(await ends())).toBe(sum(before) + 1)
})
