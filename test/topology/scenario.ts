/** A play for the whole topology: three epochs with a reorganisation, and submissions right and wrong that arrive between the ticks. */
import fc from 'fast-check'
import type { EpochTick, Submission } from '../../schemas/types.ts'
import {
  closeTick,
  hashOf,
  headTick,
  OTHER_MARKET,
  openTick,
  orphanTick,
  type SubmissionFields,
  submissionOf,
  uuid,
} from './world.ts'

/** Long after everything else an epoch opens: what waits for others then waited in vain. */
const LONG_AFTER = { ...headTick(17, 'b'), blockTimestamp: 1_000 }
/** Ticks, and between them the places where submissions arrive. Block 14 is replaced by 14b; epoch 3 by then is not open. */
export const TICKS: readonly (readonly EpochTick[])[] = [
  [],
  [headTick(10), openTick(1, 10), headTick(11)],
  [headTick(12), openTick(2, 12)],
  [headTick(13), closeTick(1, 10, 13)],
  [headTick(14), openTick(3, 14)],
  [orphanTick(14), headTick(14, 'b', '')],
  [
    headTick(15, 'b'),
    { ...closeTick(2, 12, 15, 'b'), acceptedHeaders: [hashOf(12), hashOf(13), hashOf(14, 'b'), hashOf(15, 'b')] },
  ],
  [openTick(3, 15, 'b'), headTick(16, 'b'), closeTick(3, 15, 16, 'b')],
  [LONG_AFTER, { ...openTick(4, 17, 'b'), blockTimestamp: LONG_AFTER.blockTimestamp }],
]
export const PLACES = TICKS.length - 1
const HEADERS = [
  ...[9, 10, 11, 12, 13, 14, 15, 99].map((block) => hashOf(block)),
  hashOf(14, 'b'),
  hashOf(15, 'b'),
  '',
  'bad',
]

const GOOD_HEADERS = [11, 12, 13, 14].map((block) => hashOf(block))

export interface Arrival {
  readonly submission: Submission
  readonly place: number
}

const fields: fc.Arbitrary<SubmissionFields> = fc.record(
  {
    slotId: fc.integer({ min: 1, max: 5 }),
    projectId: fc.constantFrom('pa', 'pa', 'p<&>', 'pé\u{1f600}'),
    snapshotCid: fc.constantFrom('A', 'B'),
    deadline: fc.constantFrom(9, 13, 99, 99, 100),
    header: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...GOOD_HEADERS) }, fc.constantFrom(...HEADERS)),
    epochId: fc.constantFrom(0, 1, 1, 1, 1, 1, 2, 2, 3, 9),
    receivedAt: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constantFrom(7, 8)),
    nodeVersion: fc.constantFrom(null, '', 'v1.2'),
  },
  { requiredKeys: ['slotId', 'projectId', 'snapshotCid', 'receivedAt', 'epochId', 'header'] },
)
const flaws = fc.constantFrom<SubmissionFields>(
  ...Array<SubmissionFields>(8).fill({}),
  { signature: 'ab' },
  { signedBy: 7 },
  { dataMarket: OTHER_MARKET },
)

/** Some are sent again later, under another UUID and header and at another time. */
export const arrivals: fc.Arbitrary<Arrival[]> = fc
  .array(
    fc.tuple(
      fields,
      flaws,
      fc.oneof(fc.integer({ min: 1, max: 3 }), fc.nat(PLACES - 1)),
      fc.option(fc.tuple(fc.nat(PLACES - 1), fc.constantFrom(...HEADERS)), { freq: 4 }),
      // The sender chooses the id: two may have the same, at the same time.
      fc.option(fc.nat(2), { freq: 3 }),
    ),
    {
      minLength: 10,
      maxLength: 60,
    },
  )
  .map((all) => {
    const sent: Arrival[] = []
    all.forEach(([given, flaw, place, again, twin], n) => {
      const submission = submissionOf({ ...given, ...flaw, submissionId: uuid(twin === null ? n : 20_000 + twin) })
      sent.push({ submission, place })
      if (again)
        sent.push({
          submission: { ...submission, submissionId: uuid(10_000 + n), header: again[1] },
          place: Math.max(place, again[0]),
        })
    })
    return sent
  })

/** Any order of arrival that keeps the order of each slot's submissions for one project. */
export function interleave(all: readonly Arrival[], choices: readonly number[]): Arrival[] {
  const queues = new Map<string, Arrival[]>()
  for (const arrival of all) {
    const { slotId, projectId, epochId } = arrival.submission
    const key = `${slotId}/${projectId}/${epochId}`
    queues.set(key, [...(queues.get(key) ?? []), arrival])
  }
  const waiting = [...queues.values()]
  const order: Arrival[] = []
  for (let turn = 0; waiting.length > 0; turn++) {
    const at = choices[turn % choices.length]! % waiting.length
    order.push(waiting[at]!.shift()!)
    if (waiting[at]!.length === 0) waiting.splice(at, 1)
  }
  return order
}
