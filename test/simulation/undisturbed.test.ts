import { describe, expect, test } from 'vitest'
import type { Submission, Verdict, VerdictReason } from '../../schemas/types.ts'
import { epochScope } from '../../topology/topics.ts'
import { MARKET } from './chain-story.ts'
import { submissionWith } from './submissions.ts'
import { disturbance as disturbanceOf, type Outcome, type Played } from './undisturbed.ts'

const SLOT = 1
const CLOSE_BLOCK = `0x${'c1'.repeat(32)}`

const SKEW_MS = 1_000
const disturbance = (run: Played, without: Outcome) => disturbanceOf(run, without, SKEW_MS)

const message = (epochId: number, slotId = SLOT): Submission =>
  submissionWith({
    slotId,
    deadline: 20,
    snapshotCid: 'cid',
    epochId,
    projectId: `project:${epochId}`,
    submissionId: `${epochId}-${slotId}`,
    signature: `signed by ${slotId} for ${epochId}`,
    header: '0x12',
    dataMarket: MARKET,
  })

/** A message for epoch 2, one for epoch 3, and the adversary's copy of the first. @param delivers whose message it delivers */
const played = (verdicts: readonly VerdictReason[], delivers: number = SLOT): Played => {
  const sent = [
    { place: '0/0', submission: message(2), attack: undefined },
    { place: '0/1', submission: message(3), attack: undefined },
    { place: '0/2', submission: message(2, 2), attack: undefined },
    { place: '0/3', submission: message(2, delivers), attack: 'copies' },
  ]
  const closes = new Map([2, 3].map((epochId) => [epochScope(MARKET, epochId), CLOSE_BLOCK]))
  const [releases, firstReleases] = [new Map(), new Map()]
  return { sent, unreadable: 0, closes, releases, firstReleases, outcome: outcomeOf(verdicts) }
}

const outcomeOf = (reasons: readonly VerdictReason[]): Outcome => ({
  verdicts: new Map(reasons.map((reason, i) => [`0/${i}`, { reason, rule: '' } as Verdict])),
  projects: new Map(
    [2, 3].flatMap((epochId) => {
      const has = reasons.some((reason, i) => reason === 'COUNTED' && (i === 1 ? 3 : 2) === epochId)
      return has
        ? [[`${epochScope(MARKET, epochId)}/project:${epochId}`, { snapshotCid: 'cid' } as never] as const]
        : []
    }),
  ),
  batches: new Map(),
  slotDays: new Map(),
})

describe('disturbance', () => {
  const without = outcomeOf(['COUNTED', 'EPOCH_TOO_FAR', 'COUNTED'])
  const more: VerdictReason[] = ['COUNTED', 'COUNTED', 'COUNTED', 'DUPLICATE']

  test('default: the same with the adversary and without it', () => {
    expect(disturbance(played(['COUNTED', 'EPOCH_TOO_FAR', 'COUNTED', 'DUPLICATE']), without)).toBe(undefined)
  })

  test('behavior: whose message the adversary delivered may have room for one more', () => {
    expect(disturbance(played(more), without)).toBe(undefined)
  })

  test('error: nobody else may', () => {
    expect(disturbance(played(more, 2), without)).toBe(
      'submissions 0/1 is COUNTED, without the adversary EPOCH_TOO_FAR',
    )
  })

  test('error: nor may that owner have less', () => {
    const before = outcomeOf(['COUNTED', 'COUNTED', 'COUNTED'])
    expect(disturbance(played(['COUNTED', 'EPOCH_TOO_FAR', 'COUNTED', 'DUPLICATE']), before)).toBe(
      'submissions 0/1 is EPOCH_TOO_FAR, without the adversary COUNTED',
    )
  })

  describe('of a vote that came early, whose owner has a nearer one delivered', () => {
    const RELEASE_MS = 10_000
    /** The copy of the message for epoch 2, the vote for epoch 3, the owner's own message for epoch 2, another slot's. */
    const crowded = (receivedAt: number, { copyOf = SLOT, copyAt = '0/0' } = {}): Played => {
      const sent = [
        { place: copyAt, submission: message(2, copyOf), attack: 'copies' },
        { place: '0/1', submission: { ...message(3), receivedAt }, attack: undefined },
        { place: '0/2', submission: message(2), attack: undefined },
        { place: '0/3', submission: message(2, 2), attack: undefined },
      ]
      const firstReleases = new Map([[epochScope(MARKET, 3), RELEASE_MS]])
      const run = played([])
      const outcome = outcomeOf(['COUNTED', 'EPOCH_TOO_FAR', 'DUPLICATE', 'COUNTED'])
      return { ...run, sent, firstReleases, outcome }
    }
    const alone = outcomeOf(['DUPLICATE', 'COUNTED', 'COUNTED', 'COUNTED'])
    const told = 'submissions 0/1 is EPOCH_TOO_FAR, without the adversary COUNTED'

    test('behavior: it may find no place', () => {
      expect(disturbance(crowded(RELEASE_MS - SKEW_MS - 1), alone)).toBe(undefined)
    })

    test('error: not from the release on, less what clocks may differ by', () => {
      expect(disturbance(crowded(RELEASE_MS - SKEW_MS), alone)).toBe(told)
    })

    test.each([
      ['of somebody else', { copyOf: 2 }],
      ['behind the owner’s own', { copyAt: '0/9' }],
      ['that lies in another partition', { copyAt: '1/0' }],
    ])('error: not for a copy %s', (_, more) => {
      expect(disturbance(crowded(0, more), alone)).toBe(told)
    })

    test('error: nor may its slot lack more of the day than that vote, or another slot anything', () => {
      const withDay = (outcome: Outcome, slotId: number, accepted: number): Outcome => {
        const slotDays = new Map([[`${MARKET}/${slotId}/1`, { accepted, counted: 0 }]])
        return { ...outcome, slotDays }
      }
      const lacks = (slotId: number, accepted: number) => {
        const run = crowded(0)
        return disturbance({ ...run, outcome: withDay(run.outcome, slotId, accepted) }, withDay(alone, slotId, 2))
      }
      expect(lacks(SLOT, 1)).toBe(undefined)
      expect(lacks(SLOT, 0)).toContain('has 0 accepted')
      expect(lacks(2, 1)).toContain('has 1 accepted')
    })
  })

  test.each(['RATE_LIMITED', 'DUPLICATE'] as const)('error: another refusal than that is told, %s', (reason) => {
    expect(disturbance(played(['COUNTED', reason, 'COUNTED', 'DUPLICATE']), without)).toContain(`0/1 is ${reason}`)
  })

  test('error: nor may any honest slot have less of a day, or more', () => {
    const day = (counted: number): Outcome => {
      const slotDays = new Map([[`${MARKET}/3/1`, { accepted: 2, counted }]])
      return { ...outcomeOf(['COUNTED', 'COUNTED', 'COUNTED', 'DUPLICATE']), slotDays }
    }
    const as = (counted: number): Played => {
      const run = played(['COUNTED', 'COUNTED', 'COUNTED', 'DUPLICATE'])
      const third = { place: '0/4', submission: message(2, 3), attack: undefined }
      return { ...run, sent: [...run.sent, third], outcome: day(counted) }
    }
    expect(disturbance(as(2), day(2))).toBe(undefined)
    for (const counted of [1, 3])
      expect(disturbance(as(counted), day(2))).toBe(
        `${MARKET}/3/1 (market, slot, day) has 2 accepted and ${counted} counted, without the adversary 2 accepted and 2 counted`,
      )
  })

  test('error: nor is what was refused for another reason counted', () => {
    expect(disturbance(played(more), outcomeOf(['COUNTED', 'SLOT_MISMATCH', 'COUNTED']))).toContain('SLOT_MISMATCH')
  })
})
