import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { createHealth } from '../../../../ops/base/health.ts'
import { withRecord } from '../../../../ops/reading/epoch-progress.ts'
import { followedEpoch } from '../../../../ops/reading/progress.ts'
import type { FollowedEpoch } from '../../../../ops/reading/progress-listener.ts'
import { logMarkets } from '../../../../ops/watch/logging/clock.ts'
import {
  LOG_EVENTS,
  type LogEvent,
  logAnchor,
  logEpochs,
  logRoles,
  logRuntime,
  say,
} from '../../../../ops/watch/logging/events.ts'
import { createLog, scrub } from '../../../../ops/watch/logging/log.ts'
import { nonceKey } from '../../../../schemas/anchor-keys.ts'
import { PositionLostError } from '../../../../streams/ports.ts'
import { HOSTILE, OBEYED } from '../../hostile.ts'
import { anchorOf, MARKET } from '../../look/fixture.ts'

const NOW = { at: 0, past: false }

function captured(options: Parameters<typeof createLog>[0] = { level: 'debug' }) {
  const lines: Record<string, unknown>[] = []
  const log = createLog({ ...options, to: { write: (text: string) => void lines.push(JSON.parse(text)) } })
  return { log, lines, events: () => lines.map(({ event }) => event as LogEvent) }
}

const epoch = (): FollowedEpoch => {
  const followed = followedEpoch(MARKET, 3)
  const totals = { batches: 2, counted: 36, projects: 5, projectsWithoutQuorum: 1 }
  const progress = { ...followed.progress, releaseBlock: 10, closeBlock: 14, ...totals }
  return { ...followed, progress, releasedAt: 1_000, endedAt: 9_500, reasons: new Map([['COUNTED', 30]]) }
}
const lost = (): FollowedEpoch => {
  const followed = epoch()
  const late = { batchIndex: 1, anchor: anchorOf({ state: 'LATE' }), at: 0 }
  return { ...followed, progress: withRecord(followed.progress, late) }
}

describe('a line', () => {
  test('default: is JSON with its event, level, time and the fields of the process', () => {
    const { log, lines } = captured({ fields: { instance: 'a' }, level: 'info' })
    say(log, 'role-down', { role: 'clock', detail: 'no answer' })
    expect(lines).toEqual([
      {
        level: 'warn',
        time: expect.stringMatching(/^20\d\d-.*Z$/),
        instance: 'a',
        event: 'role-down',
        role: 'clock',
        detail: 'no answer',
      },
    ])
  })

  test('behavior: foreign text in it rules no terminal, and is the same text for every reader of the JSON', () => {
    const text: string[] = []
    const log = createLog({ level: 'info', to: { write: (line: string) => void text.push(line) } })
    say(log, 'batch-failed', { reason: HOSTILE })
    log.info(HOSTILE)
    for (const line of text) expect(line).not.toMatch(OBEYED)
    expect(JSON.parse(text[0]!)).toMatchObject({ reason: HOSTILE })
    expect(text.join('').split('\n')).toHaveLength(3)
  })

  test('args: the level leaves out what is less important', () => {
    const { log, events } = captured({ level: 'error' })
    say(log, 'epoch-released')
    say(log, 'batch-late')
    expect(events()).toEqual(['batch-late'])
  })

  test('behavior: has no secret in it, however it got there', () => {
    const key = `0x${'ab'.repeat(32)}`
    const secrets = [key, 'p"ss w\\rd', 'key/with?signs', 'abc']
    const text: string[] = []
    const log = createLog({ level: 'info', secrets, to: { write: (line: string) => void text.push(line) } })
    say(log, 'note', {
      text: `${key} and ${key.slice(2)} and ${secrets[1]} and ${encodeURIComponent(secrets[2]!)} and abc`,
    })
    expect(text.join('')).toContain('[secret] and [secret] and [secret] and [secret] and abc')
    expect(scrub([])('as it is')).toBe('as it is')
  })
})

describe('events', () => {
  test('behavior: epochs that the market’s owner skipped are told before the release behind them', () => {
    const { log, lines } = captured()
    logEpochs(log).released?.({ ...epoch(), epochId: 9, skippedFrom: 4 }, NOW)
    expect(lines).toMatchObject([
      { level: 'warn', event: 'epochs-skipped', market: MARKET, from: 4, to: 8, block: 10 },
      { event: 'epoch-released', epoch: 9 },
    ])
  })

  test('default: an epoch from release to the end on the chain, a batch from store to depth', () => {
    const { log, lines, events } = captured()
    const listener = logEpochs(log)
    const batch = (state: Parameters<typeof anchorOf>[0]['state'], before?: ReturnType<typeof anchorOf>) => {
      const anchor = anchorOf({ state: state!, cid: 'bafy', transactionHash: '0x1', error: 'why' })
      listener.anchorChanged?.(epoch(), 0, anchor, before, NOW)
      return anchor
    }
    listener.released?.(epoch(), NOW)
    listener.closed?.(epoch(), NOW)
    listener.summarised?.(epoch(), NOW)
    batch('PLANNED')
    const stored = batch('STORED')
    batch('STORED', stored)
    for (const state of ['SENT', 'MINED', 'FINAL', 'LATE', 'FAILED'] as const) batch(state)
    listener.anchorChanged?.(epoch(), -1, anchorOf({}), undefined, NOW)
    listener.anchored?.(epoch(), NOW)
    listener.missed?.(lost(), NOW)
    listener.endedWithoutBatch?.(epoch(), 'EMPTY', NOW)
    listener.orphaned?.(12, NOW)
    expect(events()).toEqual([
      'epoch-released',
      'epoch-closed',
      'epoch-summarised',
      'batch-stored',
      'batch-sent',
      'batch-mined',
      'batch-final',
      'batch-late',
      'batch-failed',
      'epoch-anchored',
      'epoch-missed',
      'epoch-without-batch',
      'chain-reorganised',
    ])
    expect(lines[0]).toMatchObject({ market: MARKET, epoch: 3, block: 10 })
    expect(lines[4]).toMatchObject({ market: MARKET, epoch: 3, batch: 0, cid: 'bafy', transaction: '0x1', nonce: 1 })
    expect(lines[8]).toMatchObject({ level: 'error', reason: 'why' })
    expect(lines[11]).toMatchObject({ level: 'info', outcome: 'EMPTY' })
    expect(lines[9]).toMatchObject({ seconds: 8.5, verdicts: { COUNTED: 30 } })
  })

  test('behavior: roles as they come and go, and the intake that stops reading', async () => {
    const { log, lines, events } = captured()
    const health = createHealth(['intake'], () => 0)
    const looking = logRoles(health, log)
    const becomes = async (ready: boolean, detail: string, count: number) => {
      health.set('intake', ready, detail)
      await expect.poll(() => lines.length, { timeout: 5_000 }).toBe(count)
    }
    await becomes(true, '', 1) // not yet started is nothing to warn of
    await becomes(true, 'back-pressure: nothing is read', 2)
    await becomes(true, '', 3)
    await becomes(false, 'broker away', 4)
    await looking.close()
    expect(events()).toEqual(['role-up', 'back-pressure', 'back-pressure-over', 'role-down'])
    expect(lines[3]).toMatchObject({ role: 'intake', detail: 'broker away' })
  })

  test('error: a role that waits from the beginning is down', async () => {
    const { log, lines } = captured()
    const health = createHealth(['clock'], () => 0)
    const looking = logRoles(health, log)
    health.set('clock', false, 'no node answers')
    await expect.poll(() => lines.length, { timeout: 5_000 }).toBe(1)
    await looking.close()
    expect(lines[0]).toMatchObject({ event: 'role-down', role: 'clock', detail: 'no node answers' })
  })

  test('behavior: the runtime is observed as before, and heard', () => {
    const { log, lines, events } = captured()
    const seen: unknown[] = []
    const observer = logRuntime({ rebalanced: (stage) => seen.push(stage), processed: () => seen.push('p') }, log)
    observer.rebalanced?.('admit', new Set([2, 1]), new Set())
    observer.processed?.('admit', 0, 1, 1)
    observer.restored?.('admit', 1, 20, 3.6)
    const place = { topic: 'submissions', partition: 1, offset: 7 }
    observer.deadLettered?.({ ...place, reason: 'undecodable', why: 'the bytes: secret payload' })
    observer.taskRefused?.(
      'admit',
      1,
      new PositionLostError('TRUNCATED', { topic: 't', partition: 1 }, 'it ends before'),
    )
    observer.taskFailed?.('admit', 1, new Error('why'))
    expect(seen).toEqual(['admit', 'p'])
    expect(events()).toEqual(['rebalanced', 'restored', 'dead-letter', 'task-refused', 'task-failed'])
    expect(lines[0]).toMatchObject({ stage: 'admit', tasks: [1, 2], standbys: [] })
    expect(lines[2]).toMatchObject({ ...place, reason: 'undecodable', level: 'warn' })
    expect(JSON.stringify(lines)).not.toContain('payload')
  })

  test('behavior: what refuses a transaction has a line, once for as long as the reason stays', () => {
    const { log, lines } = captured()
    const seen: string[] = []
    const observer = logAnchor({ transactionRefused: (_, { reason }) => seen.push(reason) }, log)
    const key = { dataMarket: '0xaa', epochId: 3, batchIndex: 1 }
    const refused = { reason: 'fee-cap', words: 'tx fee exceeds the configured cap', nonce: 7, retryInMs: 1 } as const
    observer.transactionRefused?.(key, { ...refused, isNew: true })
    observer.transactionRefused?.(key, { ...refused, isNew: false })
    observer.intentRefused?.(key, { offset: 41, step: 'SIGN', why: 'a fee' })
    observer.reverted?.('E04', key)
    observer.notFinalized?.(key)
    expect(seen).toEqual(['fee-cap', 'fee-cap'])
    expect(lines).toMatchObject([
      { event: 'transaction-refused', level: 'warn', market: '0xaa', epoch: 3, batch: 1, nonce: 7, reason: 'fee-cap' },
      { event: 'intent-refused', level: 'error', epoch: 3, batch: 1, offset: 41, step: 'SIGN', reason: 'a fee' },
      { event: 'call-refused', level: 'warn', epoch: 3, code: 'E04' },
      { event: 'batch-not-finalized', level: 'warn', epoch: 3, batch: 1 },
    ])
  })

  test('behavior: that a market is switched off has a line, and that it is on again', () => {
    const { log, lines } = captured()
    const observer = logMarkets({}, log)
    observer.marketSwitched?.('0xaa', false)
    observer.marketSwitched?.('0xaa', true)
    expect(lines).toMatchObject([
      { event: 'market-off', level: 'warn', market: '0xaa' },
      { event: 'market-on', level: 'info', market: '0xaa' },
    ])
  })

  test('behavior: what the clock goes on without has a line', () => {
    const { log, lines } = captured()
    const gone = { topic: 'slots', from: 0, start: 7, consequence: 'all slots are read again' }
    logMarkets({}, log).recordsGone?.(gone)
    expect(lines).toMatchObject([{ event: 'records-gone', level: 'error', ...gone }])
  })

  test('behavior: a filler belongs to no market: its line has the signer and the nonce', () => {
    const { log, lines } = captured()
    const refused = { reason: 'pool', words: 'txpool is full', nonce: 7, retryInMs: 1, isNew: true } as const
    const observer = logAnchor({}, log)
    observer.transactionRefused?.(nonceKey('0x51', 7), refused)
    observer.reverted?.('E04', nonceKey('0x51', 7))
    expect(lines).toMatchObject([
      { event: 'transaction-refused', signer: '0x51', nonce: 7, reason: 'pool' },
      { event: 'call-refused', signer: '0x51', nonce: 7 },
    ])
    for (const line of lines) expect(Object.keys(line)).not.toEqual(expect.arrayContaining(['market']))
  })

  test.each([
    [true, true, 'a node has it'],
    [false, true, 'a node took it, and none has it'],
    [false, false, 'no node has it'],
  ])('behavior: a transaction in no block: in a pool %s, taken %s: what was seen', (inPool, taken, pool) => {
    const { log, lines } = captured()
    const key = { dataMarket: '0xaa', epochId: 3, batchIndex: 1 }
    const seen = { nonce: 7, ms: 30_400, block: 90, nextNonce: 7, inPool, taken, lostBlock: 82 }
    logAnchor({}, log).transactionUnmined?.(key, seen)
    const place = { event: 'transaction-unmined', level: 'warn', market: '0xaa', epoch: 3, batch: 1 }
    expect(lines).toMatchObject([
      { ...place, nonce: 7, seconds: 30, receipt: 'none', nextNonce: 7, block: 90, pool, lostBlock: 82 },
    ])
  })

  test('behavior: a gap of nonces: where it is, and how wide', () => {
    const { log, lines } = captured()
    const told: unknown[] = []
    logAnchor({ gapFound: (...gap) => void told.push(gap) }, log).gapFound?.(7, '0x51', 9)
    expect(lines).toMatchObject([{ event: 'nonce-gap', level: 'warn', signer: '0x51', nonce: 7, next: 9 }])
    expect(told).toEqual([[7, '0x51', 9]])
  })

  test('default: each has words in the documentation', () => {
    const page = readFileSync(new URL('../../../../docs/logging.md', import.meta.url), 'utf8')
    for (const [event, words] of Object.entries(LOG_EVENTS)) expect(page).toContain(`| \`${event}\` | ${words} |`)
  })
})
