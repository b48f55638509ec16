/** What a look into a log cannot read, behind an open transaction or in a damaged batch, is told beside every answer. */
import { Command } from 'commander'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { explain } from '../../../ops/base/cli-error.ts'
import { stderr } from '../../../ops/base/output.ts'
import { proofCommand } from '../../../ops/check/proof/command.ts'
import { replayCommand } from '../../../ops/check/replay/command.ts'
import { marketsCommand } from '../../../ops/deploy/markets/command.ts'
import { peersCommand } from '../../../ops/deploy/peers/command.ts'
import { damageAt } from '../../../ops/ground/damage-at.ts'
import type { OpenLog } from '../../../ops/ground/open-log.ts'
import { watchedLog } from '../../../ops/ground/watched-log.ts'
import { epochCommand, whyCommand } from '../../../ops/look/command.ts'
import { deadLettersCommand } from '../../../ops/look/dead-letters/command.ts'
import { damageAmong, examineTables } from '../../../ops/look/doctor/damage.ts'
import { rewardsCommand } from '../../../ops/look/rewards/command.ts'
import { ITEMS_MAX } from '../../../ops/reading/why.ts'
import { type Log, LogError } from '../../../streams/ports.ts'
import { withDamage } from '../../damaged-log.ts'
import { createFixture, type Fixture, MARKET, RULES, submissionOf, verdictOf } from '../look/fixture.ts'
import { captured } from '../run-here.ts'

// between two looks at what is open
vi.mock('node:timers/promises', async (real) => ({ ...(await real<object>()), setTimeout: async () => {} }))

const EPOCH = { dataMarket: MARKET, epochId: 3 }
let fixture: Fixture

beforeEach(async () => {
  fixture = await createFixture(1)
})

/** Submissions of slot 7 in epoch 3, each with its verdict. */
async function submit(count: number): Promise<void> {
  const { topics, put } = fixture
  for (let at = 0; at < count; at++) {
    const submission = submissionOf({ submissionId: `id-${at}` })
    const position = await put(topics.submissions, { ...EPOCH, projectId: submission.projectId }, submission)
    await put(topics.verdicts, { ...EPOCH, slotId: 7 }, verdictOf(submission, position, 'DUPLICATE'))
  }
}

/** The log with a transaction open in a topic from its beginning on. */
function withOpen(log: Log, topic: string): Log {
  const bounds: Log['bounds'] = async (asked) =>
    (await log.bounds(asked)).map((one, i) => (asked[i]!.topic === topic ? { ...one, stable: 0 } : one))
  const fetch: Log['fetch'] = async (positions, options) =>
    (await log.fetch(positions, options)).map((one, i) =>
      one.topic === topic ? { ...one, records: [], next: positions[i]!.offset, stable: 0 } : one,
    )
  return Object.assign(Object.create(log) as Log, { bounds, fetch })
}

const openIt =
  (log: Log): OpenLog =>
  async () => ({
    ...{ log, topics: fixture.topics, rules: RULES, appId: 'app', close: async () => {} },
    chain: { rpcUrls: [], chainId: 31337, protocolState: RULES.markets[0]!.protocolState },
  })

function run(command: Command, ...args: readonly string[]) {
  return captured(async () => {
    const program = new Command('sequencer').addCommand(command)
    try {
      await program.parseAsync(['node', 'sequencer', command.name(), ...args, '--data-dir', '/none'])
    } catch (error) {
      const { lines, exitCode } = explain(error)
      stderr.print(...lines)
      process.exitCode = exitCode
    }
  })
}

interface Look {
  readonly command: (open: OpenLog) => Command
  readonly args: readonly string[]
  readonly topic: keyof Fixture['topics']
}
const COMMANDS: readonly Look[] = [
  { command: whyCommand, args: ['--slot', '7'], topic: 'verdicts' },
  { command: whyCommand, args: ['--slot', '7'], topic: 'submissions' },
  { command: epochCommand, args: ['3'], topic: 'finalizations' },
  { command: epochCommand, args: ['3'], topic: 'epochTicks' },
  { command: epochCommand, args: ['3'], topic: 'markets' },
  { command: deadLettersCommand, args: ['list'], topic: 'deadLetters' },
  { command: deadLettersCommand, args: ['count'], topic: 'deadLetters' },
  { command: deadLettersCommand, args: ['retry', '--dry-run'], topic: 'deadLetters' },
  { command: marketsCommand, args: ['list'], topic: 'markets' },
  { command: marketsCommand, args: ['list'], topic: 'marketRequests' },
  { command: peersCommand, args: ['list'], topic: 'peerBans' },
  { command: peersCommand, args: ['list'], topic: 'intakeReports' },
  { command: (open) => rewardsCommand(open, open), args: [], topic: 'days' },
]
const REFUSING: readonly Look[] = [
  { command: deadLettersCommand, args: ['show', '0'], topic: 'deadLetters' },
  { command: proofCommand, args: ['get', '--slot', '7', '--epoch', '3', '--data-market', MARKET], topic: 'anchors' },
  { command: replayCommand, args: ['--epoch', '3', '--data-market', MARKET], topic: 'submissions' },
]

describe.each([
  [
    'a damaged batch',
    (log: Log, topic: string) => withDamage(log, topic, 0),
    /damaged and passed over: .*offset 0: the batch is damaged/,
  ],
  ['an open transaction', withOpen, /a transaction that is open hides .* from 0 on from every reader/],
] as const)('%s', (_, broken, told) => {
  const partitionOf = async (topic: string, text = 'x') => {
    const appender = await fixture.log.appender()
    await appender.append([{ topic, partition: 0, timestamp: 1, key: Buffer.from(text), value: Buffer.from(text) }])
    await appender.close()
  }

  test.each(COMMANDS)(
    'behavior: $command.name $args says so of $topic, in text, in JSON and by its exit code',
    async ({ command, args, topic }) => {
      const { name } = fixture.topics[topic]
      await partitionOf(name)
      const open = openIt(broken(fixture.log, name))
      const text = await run(command(open), ...args)
      expect(text.stderr).toMatch(told)
      expect(text.exitCode).toBe(3)
      const json = await run(command(open), ...args, '--json')
      expect(JSON.parse(json.stdout).unread, json.stdout).toMatch(told)
      expect(json.exitCode).toBe(3)
    },
  )

  test.each(REFUSING)(
    'error: $command.name $args says nothing that may come of $topic',
    async ({ command, args, topic }) => {
      const { name } = fixture.topics[topic]
      await partitionOf(name)
      const said = await run(command(openIt(broken(fixture.log, name))), ...args)
      expect(said.stderr).toMatch(told)
      expect(said.exitCode).toBe(3)
    },
  )
})

test('default: of a log that can be read there is nothing to tell', async () => {
  await submit(2)
  const said = await run(whyCommand(openIt(fixture.log)), '--slot', '7', '--json')
  expect(said).toMatchObject({ stderr: '', exitCode: undefined })
  expect(JSON.parse(said.stdout)).toMatchObject({ items: [{}, {}], truncated: false, unread: null })
})

test('behavior: what lies around the damage is shown, and what is missing there is not called missing', async () => {
  await submit(3)
  const { name } = fixture.topics.verdicts
  const bounds = await fixture.log.bounds([0, 1].map((partition) => ({ topic: name, partition })))
  const partition = bounds.findIndex(({ stable }) => stable > 0)
  const open = openIt(withDamage(fixture.log, name, 1, partition))
  const said = await run(whyCommand(open), '--slot', '7', '--json')
  const { items } = JSON.parse(said.stdout) as { items: { status: string }[] }
  expect(items.map(({ status }) => status)).toEqual(['DECIDED', 'PENDING', 'DECIDED'])
  expect(said.exitCode).toBe(3)
  const none = await run(whyCommand(openIt(withDamage(fixture.log, fixture.topics.submissions.name, 0))), '--slot', '8')
  expect(none.stdout).toBe('Nothing matches among what can be read.\n')
})

test('behavior: an answer that is cut off by its bound says so by its exit code, too', async () => {
  await submit(ITEMS_MAX + 1)
  const said = await run(whyCommand(openIt(fixture.log)), '--slot', '7')
  expect(said.stdout).toContain('… and more; narrow the search')
  expect(said.exitCode).toBe(4)
})

test('behavior: only partitions that were read count, and those that are named', async () => {
  await submit(1)
  const { submissions, verdicts } = fixture.topics
  const watched = watchedLog(withOpen(fixture.log, submissions.name))
  await watched.log.bounds([{ topic: verdicts.name, partition: 0 }])
  expect(await watched.unread()).toBeUndefined()
  expect(await watched.unread([submissions])).toContain(`${submissions.name}/0 from 0 on`)
})

test('behavior: many damaged places are counted, and a few are named', async () => {
  const topic = fixture.topics.deadLetters.name
  const failure = new LogError('CORRUPT', 'gone', { retriable: true })
  const nothing = { topic, partition: 0, records: [], start: 0, stable: 9, outOfRange: false, failure }
  const fetch: Log['fetch'] = async ([at]) => [{ ...nothing, next: at!.offset, damaged: { next: at!.offset + 1 } }]
  const { log, damage } = watchedLog(Object.assign(Object.create(fixture.log) as Log, { fetch }))
  for (let offset = 0; offset < 7; offset++)
    await log.fetch([{ topic, partition: 0, offset }], { maxWaitMs: 0, maxBytesPerPartition: 1 })
  expect(damage()).toBe('gone; gone; gone; gone; gone; and 2 more')
})

describe('who may miss nothing', () => {
  test('behavior: is told to stand at a batch that comes before any record', async () => {
    await submit(3)
    const topic = fixture.topics.submissions.name
    const log = withDamage(fixture.log, topic, 1)
    const at = { topic, partition: 0 }
    expect(await damageAt(log, { ...at, offset: 1 })).toBe(`${topic}/0, offset 1: the batch is damaged`)
    expect(await damageAt(log, { ...at, offset: 0 })).toBeUndefined()
    expect(await damageAt(log, { ...at, offset: 2 })).toBeUndefined()
    expect(await damageAt(withDamage(fixture.log, topic, 2), { ...at, offset: 2 })).toContain('offset 2')
    expect(
      await damageAmong(
        log,
        [0, 2, 1].map((offset) => ({ ...at, offset })),
      ),
    ).toContain('offset 1')
    const away = Object.assign(Object.create(fixture.log) as Log, {
      bounds: () => Promise.reject(new LogError('NO_LEADER', 'moving', { retriable: true })),
    })
    expect(await damageAt(away, { ...at, offset: 1 })).toBeUndefined()
  })

  test.each(['slots', 'markets', 'peerBans', 'epochTicks', 'tickRequests', 'marketRequests'] as const)(
    'behavior: doctor names what is damaged in %s',
    async (name) => {
      const topic = fixture.topics[name]
      const appender = await fixture.log.appender()
      await appender.append([{ topic: topic.name, partition: 0, timestamp: 1, key: null, value: Buffer.from('x') }])
      const look = (log: Log) => examineTables(watchedLog(log), fixture.topics, 'app')
      expect(await look(fixture.log)).toMatchObject({ check: 'tables', ok: true })
      expect(await look(withDamage(fixture.log, topic.name, 0))).toMatchObject({
        ok: false,
        detail: `${topic.name}/0, offset 0: the batch is damaged`,
        advice: expect.stringContaining('A damaged batch'),
      })
    },
  )
})
