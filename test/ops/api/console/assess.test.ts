/** The sentence at the top of the console, for every state that an operator may meet. */
import { describe, expect, it } from 'vitest'
import { assess } from '../../../../ops/api/console/app/assess.ts'
import type { MarketFacts } from '../../../../ops/api/console/app/rule.ts'
import type { HealthAnswer } from '../../../../ops/api/health-schema.ts'
import type { AnchorItem, EpochSummary, Gap } from '../../../../ops/api/schema.ts'

const NOW = 10_000_000
const MARKET = `0x${'ab'.repeat(20)}`
const ago = (seconds: number) => NOW - seconds * 1_000

/** Released so many seconds ago, one phase after the other as usual, as far as `through`. */
function epoch(epochId: number, released: number, through = 5, more: Partial<EpochSummary> = {}): EpochSummary {
  const at = (step: number, seconds: number) => (through >= step ? ago(released - seconds) : null)
  return {
    dataMarket: MARKET,
    epochId,
    phase: (['OPEN', 'COUNTING', 'STORING', 'MINING', 'CONFIRMING', 'ATTESTED'] as const)[through]!,
    outcome: null,
    releaseBlock: 1,
    closeBlock: null,
    begin: 0,
    end: 9,
    releasedAt: ago(released),
    closedAt: at(1, 3),
    batchedAt: at(2, 4),
    storedAt: at(3, 5),
    minedAt: at(4, 6),
    finalAt: at(5, 8),
    submissions: 10,
    projects: 3,
    projectsWithoutQuorum: 0,
    agreement: 1,
    counted: 10,
    batches: 1,
    batchesFinal: 1,
    reasons: { COUNTED: 10 },
    ...more,
  }
}

const health = (more: Partial<HealthAnswer> = {}): HealthAnswer => ({
  ready: true,
  roles: {
    clock: { ready: true, works: true, detail: '', since: '' },
    api: { ready: true, works: true, detail: '', since: '' },
  },
  stages: { validate: { behind: 12, stillSince: null, waitsAt: null } },
  troubled: [],
  heldBack: [],
  view: { lag: 0, caughtUp: true },
  chain: { blockNumber: 77, at: ago(1) },
  markets: [{ dataMarket: MARKET, headEpoch: 9, stuck: [] }],
  ...more,
})
const usual = [epoch(9, 2, 0), epoch(8, 6, 2), epoch(7, 10), epoch(6, 14), epoch(5, 18)]
const facts = (more: Partial<MarketFacts> = {}): MarketFacts => ({
  health: health(),
  dataMarket: MARKET,
  epochs: usual,
  pending: [],
  now: NOW,
  ...more,
})
const pending = (error: string): AnchorItem => ({
  dataMarket: MARKET,
  epochId: 8,
  batchIndex: 0,
  state: 'PLANNED',
  cid: '',
  nonce: null,
  attempts: 4,
  transactionHash: '',
  blockNumber: 0,
  error,
  attestations: [],
  attested: false,
  diverged: false,
  reorgs: 0,
  changedAt: ago(3),
})

describe('the state of a market in a sentence', () => {
  it('default: healthy, and nothing to do', () => {
    expect(assess(facts())).toEqual({
      tone: 'good',
      title: 'Healthy',
      detail: 'Epoch 7 reached the chain 2.0 s ago; 2 are under way.',
      advice: undefined,
    })
  })

  it('behavior: a role that does not run comes before everything', () => {
    const found = assess(
      facts({
        health: health({
          roles: { clock: { ready: false, works: false, detail: 'no answer of the node', since: '' } },
        }),
      }),
    )
    expect(found).toMatchObject({
      tone: 'bad',
      title: 'The role clock does not run',
      detail: 'Clock: no answer of the node.',
    })
  })

  it('behavior: a role that waits for something outside is not one that is down', () => {
    const detail = 'eth_blockNumber at RPC endpoint 1 of 1: no answer within 10 s; next try in 200 ms'
    const found = assess(
      facts({ health: health({ roles: { clock: { ready: false, works: true, detail, since: '' } } }) }),
    )
    expect(found).toMatchObject({ tone: 'bad', title: 'The role clock waits', detail: `Clock: ${detail}.` })
    expect(found.advice).toContain('Bring back what it waits for')
  })

  const silent = (role: 'clock' | 'intake' | 'admit', instanceId: string, since: number) => ({
    role,
    standing: 'NOBODY' as const,
    processes: [{ instanceId, standing: 'SILENT' as const, detail: '', since }],
  })

  it('behavior: a dead process is named before what comes of it: no new block, nobody submitting', () => {
    const dead = health({
      chain: { blockNumber: 77, at: ago(90) },
      troubled: [silent('clock', 'chain', ago(90)), silent('intake', 'front', ago(50))],
    })
    expect(assess(facts({ health: dead }))).toMatchObject({
      tone: 'bad',
      title: 'No process does the roles clock and intake',
      detail: 'Silent: chain for 1 min 30 s and front for 50 s.',
    })
    const never = health({ troubled: [{ role: 'intake', standing: 'NOBODY', processes: [] }] })
    expect(assess(facts({ health: never }))).toMatchObject({
      title: 'No process does the role intake',
      detail: 'No process that reports has it.',
    })
  })

  it('behavior: when the log is away, and every other process silent for that, the log is named', () => {
    const away = health({ stages: {}, troubled: [silent('clock', 'chain', ago(90))] })
    expect(assess(facts({ health: away })).title).toBe('The log does not answer')
  })

  it('behavior: a role of another process that waits is told with its words', () => {
    const holder = { instanceId: 'chain', standing: 'WAITS' as const, detail: 'no node answers', since: ago(9) }
    const found = assess(
      facts({
        health: health({ roles: {}, troubled: [{ role: 'clock', standing: 'WAITS', processes: [holder] }] }),
      }),
    )
    expect(found).toMatchObject({ title: 'The role clock waits', detail: 'Clock: chain says: no node answers.' })
  })

  it('behavior: too few stores are bad, one that fails beside enough others is a warning', () => {
    const of = (ready: boolean, detail: string) =>
      assess(facts({ health: health({ roles: { storage: { ready, works: true, detail, since: '' } } }) }))
    const words = 'kubo k:5001 fails since 2026-01-01T00:00:00.000Z: answers 403'
    expect(of(false, words)).toMatchObject({
      tone: 'bad',
      title: 'Too few stores take batches',
      detail: `Kubo${words.slice(4)}.`,
    })
    expect(of(true, words)).toMatchObject({ tone: 'warn', title: 'A store of batches fails' })
    expect(of(true, '').tone).toBe('good')
  })

  const withGap = (gap: Partial<Gap>, more: Partial<MarketFacts> = {}) => {
    const whole: Gap = {
      dataMarket: MARKET,
      epochId: 8,
      lastEpochId: 8,
      phase: 'STORING',
      outcome: null,
      detail: '',
      ...gap,
    }
    const { dataMarket } = whole
    return assess(facts({ health: health({ markets: [{ dataMarket, headEpoch: 9, stuck: [whole] }] }), ...more }))
  }
  const overtaken = (seconds: number) => [epoch(9, 2, 0), epoch(8, seconds, 2), ...usual.slice(2)]

  it('behavior: a stuck epoch is named with the phase it is in, why, and what to do', () => {
    const found = withGap({ detail: 'no IPFS' }, { epochs: overtaken(20) })
    expect(found).toMatchObject({
      tone: 'bad',
      title: 'Epoch 8 is stuck: its batches are not stored on IPFS yet',
      detail: 'No IPFS.',
      epochId: 8,
    })
    expect(found.advice).toContain('IPFS')
  })
  it('behavior: an epoch that was overtaken a moment ago is not stuck', () => {
    expect(withGap({}, { epochs: overtaken(12) }).tone).toBe('good')
  })
  it('behavior: another market’s trouble is not this one’s', () => {
    expect(withGap({ dataMarket: '0x' }, { epochs: usual }).tone).toBe('good')
  })
  it('behavior: a batch that failed is told at once, and later when nothing is worse', () => {
    expect(withGap({ outcome: 'FAILED', detail: 'E39' })).toMatchObject({ tone: 'bad', title: 'Epoch 8 failed' })
    expect(withGap({ outcome: 'LATE', epochId: 1 })).toMatchObject({
      tone: 'warn',
      title: 'Epoch 1 came too late for the contract',
      detail: 'Later epochs are well.',
    })
  })

  it('behavior: a phase far beyond what is usual is told before the API calls it stuck', () => {
    const found = assess(facts({ epochs: [epoch(9, 2, 0), epoch(8, 40, 2), ...usual.slice(2)] }))
    expect(found).toMatchObject({ tone: 'warn', epochId: 8 })
    expect(found.title).toContain('held up: its batches are not stored on IPFS yet')
  })

  it('behavior: no block for long, and no release for long', () => {
    const still = health({ chain: { blockNumber: 77, at: ago(60) } })
    expect(assess(facts({ health: still }))).toMatchObject({ tone: 'warn', title: 'No new block for 1 min' })
    const silent = assess(facts({ epochs: [50, 54, 58, 62].map((seconds, i) => epoch(9 - i, seconds)) }))
    expect(silent.title).toBe('No epoch was released for 50 s')
  })

  it('behavior: a stage of another process whose records nobody takes is told, unless it is only a moment', () => {
    const standing = (seconds: number) =>
      health({
        stages: {
          validate: { behind: 390, stillSince: ago(seconds), waitsAt: null },
          admit: { behind: 0, stillSince: null, waitsAt: null },
        },
      })
    expect(assess(facts({ health: standing(40) }))).toMatchObject({
      tone: 'bad',
      title: 'Standing still: validate',
      detail: expect.stringContaining('390 records wait for validate'),
    })
    expect(assess(facts({ health: standing(10) })).title).toBe('Healthy')
  })

  it('behavior: a transaction that stays open is told before what it holds back', () => {
    const heldBack = [{ topic: 'submissions', partition: 1, records: 40, since: ago(60) }]
    const stages = { validate: { behind: 390, stillSince: ago(60), waitsAt: null } }
    expect(assess(facts({ health: health({ heldBack, stages }) }))).toMatchObject({
      tone: 'bad',
      title: 'A transaction is left open in submissions/1',
      detail: 'Nobody reads on there for 1 min; 40 records wait behind it.',
    })
  })

  it('behavior: a stage that waits at a damaged batch is told with its place, however little waits', () => {
    const waitsAt = 'validated/5, offset 174: the batch is damaged'
    const stages = { admit: { behind: 2, stillSince: null, waitsAt } }
    expect(assess(facts({ health: health({ stages }) }))).toMatchObject({
      tone: 'bad',
      title: 'Waiting at a damaged batch: admit',
      detail: `${waitsAt}.`,
      advice: expect.stringContaining('another replica'),
    })
  })

  it('behavior: a log of which the stages could not be asked is away, whatever block is the newest', () => {
    const away = health({ stages: {}, chain: { blockNumber: 77, at: ago(60) } })
    expect(assess(facts({ health: away })).title).toBe('The log does not answer')
  })

  it('behavior: epochs that nobody submitted to are told; one may be empty', () => {
    const empty = usual.map((each, at) => (at > 0 && at < 3 ? { ...each, submissions: 0, reasons: {} } : each))
    const [newest, last, ...before] = empty
    const none = { ...newest!, submissions: 0, reasons: {} }
    expect(assess(facts({ epochs: [none, last!, ...before] })).title).toMatch(/^Nobody submitted for the last/)
    expect(
      assess(facts({ epochs: usual.map((each, at) => (at === 1 ? { ...each, submissions: 0 } : each)) })).title,
    ).toBe('Healthy')
  })

  it('behavior: what is tried again, what is mostly refused, and the log being read are told', () => {
    expect(assess(facts({ pending: [pending('connect ECONNREFUSED')] }))).toMatchObject({
      tone: 'warn',
      title: 'Batch 0 of epoch 8 is tried again',
      detail: 'Attempt 4: connect ECONNREFUSED.',
    })
    const refused = usual.map((one) => ({ ...one, reasons: { COUNTED: 2, BAD_SIGNATURE: 7, DUPLICATE: 1 } }))
    expect(assess(facts({ epochs: refused }))).toMatchObject({
      tone: 'warn',
      title: '80 % of the submissions of the last closed epochs were refused',
    })
    const reading = health({ view: { lag: 1_200, caughtUp: false } })
    expect(assess(facts({ health: reading })).detail).toContain('1,200 records to go')
  })

  it('default: without an epoch it says what it waits for', () => {
    expect(assess(facts({ epochs: [] }))).toMatchObject({ tone: 'muted', title: 'No epoch yet' })
    expect(assess(facts({ epochs: [] })).detail).toContain('block 77')
  })
})
