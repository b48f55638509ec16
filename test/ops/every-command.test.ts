/** Texts that would take over a terminal, in everything that a log can hold, through every command that could show them. */
import { PassThrough } from 'node:stream'
import { Command } from 'commander'
import { beforeAll, describe, expect, test } from 'vitest'
import { CliError, explain } from '../../ops/base/cli-error.ts'
import { jsonOf, outputTo, stderr, textOf } from '../../ops/base/output.ts'
import { createProgram } from '../../ops/bin/cli.ts'
import { auditCommand } from '../../ops/check/audit/command.ts'
import { proofCommand } from '../../ops/check/proof/command.ts'
import { renderReplay, replayCommand } from '../../ops/check/replay/command.ts'
import { batchesCommand } from '../../ops/deploy/batches/command.ts'
import { marketsCommand } from '../../ops/deploy/markets/command.ts'
import { peersCommand } from '../../ops/deploy/peers/command.ts'
import type { OpenLog } from '../../ops/ground/open-log.ts'
import { epochCommand, whyCommand } from '../../ops/look/command.ts'
import { deadLettersCommand } from '../../ops/look/dead-letters/command.ts'
import { rewardsCommand } from '../../ops/look/rewards/command.ts'
import { epochsCommand, statusCommand } from '../../ops/look/status/command.ts'
import { withRecord } from '../../ops/reading/epoch-progress.ts'
import { followedEpoch } from '../../ops/reading/progress.ts'
import { createRunLines } from '../../ops/run/lines.ts'
import { createScreen } from '../../ops/world/dev/screen.ts'
import { createDays, votes } from './api/days-story.ts'
import { HOSTILE, OBEYED } from './hostile.ts'
import {
  anchorOf,
  batchOf,
  createFixture,
  type Fixture,
  MARKET,
  markerOf,
  OTHER_MARKET,
  RULES,
  submissionOf,
  tickOf,
  verdictOf,
} from './look/fixture.ts'
import { captured, runHere } from './run-here.ts'

const EPOCH = { dataMarket: MARKET, epochId: 3 }
let fixture: Fixture

/** Every text of every record is the hostile one, but for markets, hashes and what must be a number. */
beforeAll(async () => {
  fixture = await createFixture(1)
  const { topics, put } = fixture
  const submission = submissionOf({
    projectId: HOSTILE,
    snapshotCid: HOSTILE,
    signature: HOSTILE,
    header: HOSTILE,
    nodeVersion: HOSTILE,
    submissionId: HOSTILE.toLowerCase(),
  })
  const open = tickOf({ kind: 'OPEN' })
  const close = tickOf({ kind: 'CLOSE', blockNumber: 20 })
  const key = { ...EPOCH, projectId: HOSTILE }
  for (const tick of [tickOf({}), open, close]) await put(topics.epochTicks, { dataMarket: MARKET }, tick)
  await put(topics.submissions, key, markerOf(open))
  const position = await put(topics.submissions, key, submission)
  await put(topics.submissions, key, markerOf(close))
  const verdict = { ...verdictOf(submission, position, 'COUNTED'), rule: HOSTILE, expected: HOSTILE, actual: HOSTILE }
  await put(topics.verdicts, { ...EPOCH, slotId: 7 }, verdict)
  await put(topics.finalizations, EPOCH, {
    projectId: HOSTILE,
    snapshotCid: HOSTILE,
    votes: 1,
    voters: 1,
    closeBlock: 20,
    ballots: [],
    texts: Buffer.alloc(0),
    frames: [],
    frameNumbers: [],
    signatures: Buffer.alloc(0),
    dropped: [],
    equivocations: [],
  } as never)
  const names = {
    submissionIDs: [HOSTILE],
    submissions: [HOSTILE],
    roothash: HOSTILE,
    pids: [HOSTILE],
    cids: [HOSTILE],
  }
  const batch = batchOf({ json: Buffer.from(JSON.stringify(names)), projectIds: [HOSTILE], snapshotCids: [HOSTILE] })
  const { offset } = await put(topics.batches, { dataMarket: MARKET }, batch)
  const anchor = anchorOf({
    state: 'FAILED',
    batchOffset: offset,
    cid: HOSTILE,
    transactionHash: HOSTILE,
    error: HOSTILE,
  })
  await put(topics.anchors, { ...EPOCH, batchIndex: 0 }, anchor)
  const days = createDays(fixture)
  await days.epoch(1, 1, { 7: votes(9) })
  await days.open(2, 2)
  await days.close(2, 2, { 7: votes(1) }, 1)
  await days.pay(1, 2, 0, { paymentState: 'UNPAID', error: HOSTILE, transactionHash: HOSTILE, blockHash: HOSTILE })
  const appender = await fixture.log.appender()
  const headers = ['reason', 'peer', 'message', '__streams.errors.topic', '__streams.errors.reason', HOSTILE].map(
    (key) => ({
      key,
      value: Buffer.from(HOSTILE),
    }),
  )
  const hostile = { key: Buffer.from(HOSTILE), value: Buffer.from(HOSTILE), headers }
  await appender.append([{ topic: topics.deadLetters.name, partition: 0, timestamp: 1, ...hostile }])
  const words = { version: HOSTILE, host: HOSTILE, ops: HOSTILE, probes: HOSTILE, intake: [HOSTILE] }
  const roles = ['clock', HOSTILE].map((role) => ({ role, ready: false, works: true, detail: HOSTILE, since: 0 }))
  const times = { at: Date.now(), startedAt: 0, pid: 1 }
  await put(topics.processes, { instanceId: HOSTILE }, { ...words, ...times, roles, acknowledged: null, signer: null })
  await put(topics.markets, { dataMarket: OTHER_MARKET }, {
    serving: 'REMOVED',
    sinceBlock: 1,
    lastEpoch: 0,
    requestId: HOSTILE,
    refused: HOSTILE,
  } as never)
})

const openIt: OpenLog = async () => ({
  log: fixture.log,
  topics: fixture.topics,
  rules: RULES,
  appId: 'app',
  chain: { rpcUrls: [], chainId: 31337, protocolState: RULES.markets[0]!.protocolState },
  close: async () => {},
})

const READERS: Readonly<Record<string, { readonly command: (open: OpenLog) => Command; readonly runs: string[][] }>> = {
  why: {
    command: whyCommand,
    runs: [
      ['--slot', '7'],
      ['--submission-id', HOSTILE],
    ],
  },
  epoch: { command: epochCommand, runs: [['3']] },
  status: { command: statusCommand, runs: [[]] },
  epochs: { command: epochsCommand, runs: [[], ['--limit', '1', '--data-market', MARKET]] },
  rewards: { command: (open) => rewardsCommand(open, open), runs: [[], ['--slot', '7'], ['--reconcile']] },
  audit: { command: auditCommand, runs: [[]] },
  replay: { command: replayCommand, runs: [['--epoch', '3', '--data-market', MARKET]] },
  markets: { command: marketsCommand, runs: [['list']] },
  peers: { command: peersCommand, runs: [['list']] },
  batches: {
    command: batchesCommand,
    runs: [
      ['heal', '--dry-run', '--kubo', 'http://127.0.0.1:2'],
      ['prune', '--older-than-days', '1', '--dry-run', '--kubo', 'http://127.0.0.1:2'],
    ],
  },
  'dead-letters': { command: deadLettersCommand, runs: [['list'], ['count'], ['show', '0'], ['retry', '--dry-run']] },
  proof: {
    command: proofCommand,
    runs: [
      ['get', '--slot', '7', '--epoch', '3', '--data-market', MARKET],
      ['verify', HOSTILE.replace('\0', '')],
    ],
  },
}
/** They read no log, or what they say goes through screens and lines that stand below. */
const OTHERS = ['dev', 'run', 'devchain', 'snapshotters', 'doctor', 'topology', 'verify']
const OWN_WORDS_ONLY = ['alerts', 'deploy', 'schemas', 'config', 'keys', 'reset', 'log']

const expectTame = (text: string): void => {
  expect(text).not.toMatch(OBEYED)
  expect(text).not.toMatch(/^FORGED/m)
}

describe('every command', () => {
  test('behavior: is looked at here; a new one has to be', async () => {
    const { commands } = await createProgram()
    const known = [...Object.keys(READERS), ...OTHERS, ...OWN_WORDS_ONLY]
    expect(commands.map((command) => command.name()).sort()).toEqual(known.sort())
  })

  test.each(
    Object.entries(READERS).flatMap(([name, { command, runs }]) => runs.map((args) => ({ name, command, args }))),
  )('error: $name $args', async ({ name, command, args }) => {
    for (const json of [[], ['--json']]) {
      const { stdout, stderr: said } = await captured(async () => {
        try {
          const program = new Command('sequencer').addCommand(command(openIt))
          await program.parseAsync(['node', 'sequencer', name, ...args, '--data-dir', '/none', ...json])
        } catch (error) {
          stderr.print(...explain(error).lines)
        }
      })
      expectTame(stdout + said)
      expect(`${stdout}${said}`).not.toBe('')
    }
  })

  test('error: words that are given are shown, too, whatever they are', async () => {
    const given = HOSTILE.replace('\0', '')
    for (const words of [[given], ['verify', given], ['verify', `--${given}`], ['epoch', given], ['topology', given]]) {
      const { stdout, stderr: said, exitCode } = await runHere(words)
      expectTame(stdout + said)
      expect(exitCode).toBe(2)
    }
  })
})

describe('what is said while it runs', () => {
  const write = (isTTY: boolean) => {
    const stream = Object.assign(new PassThrough(), { isTTY, rows: 30, columns: 100 })
    return { out: outputTo(stream), text: () => String(stream.read() ?? '') }
  }
  const epoch = followedEpoch(MARKET, 3)
  const anchor = anchorOf({ state: 'FAILED', cid: HOSTILE, error: HOSTILE })
  const now = { at: 0, past: false }

  test.each([
    [false, false],
    [false, true],
    [true, false],
  ])('error: dev, on a terminal: %s, as JSON: %s', (isTTY, json) => {
    const { out, text } = write(isTTY)
    const screen = createScreen({ out, json, now: () => 0 })
    const at = { intake: HOSTILE, ops: HOSTILE, probes: HOSTILE, rpc: HOSTILE, protocolState: HOSTILE }
    screen.running({ ...at, markets: [HOSTILE], spareMarkets: [HOSTILE] })
    screen.say(`warning: ${HOSTILE}`)
    screen.released?.(epoch, now)
    screen.anchorChanged?.(epoch, 0, anchor, undefined, now)
    screen.missed?.({ ...epoch, progress: withRecord(epoch.progress, { batchIndex: 0, anchor, at: 0 }) }, now)
    screen.close()
    // the table moves the cursor up and clears what is below: nothing else
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the one sequence of ours
    expectTame(text().replace(/\r\u001b\[\d+A\u001b\[0J/g, ''))
  })

  test('error: run', () => {
    for (const json of [true, false]) {
      const { out, text } = write(true)
      const lines = createRunLines(out, json)
      lines.role('clock', { ready: false, detail: HOSTILE, since: '' } as never)
      lines.warn(HOSTILE)
      expectTame(text())
    }
  })

  test('error: replay, whatever differs', () => {
    const difference = { where: HOSTILE, what: HOSTILE, recomputed: HOSTILE, recorded: HOSTILE }
    const counts = { submissions: 1, verdicts: 1, projects: 1, batches: 1, pending: 0, cutAt: null, contribution: null }
    const report = { ...EPOCH, identical: false, chain: false, ...counts, differences: [difference] }
    expectTame(textOf(renderReplay(report)))
    expectTame(jsonOf(report))
  })

  test('error: a failure, and what it quotes begins no line as one of ours', () => {
    for (const error of [new CliError(HOSTILE, HOSTILE), new Error(HOSTILE), HOSTILE])
      expectTame(textOf(explain(error).lines))
  })
})
