/** Every attack of the adversary, by name: what it puts into `submissions` for (or around) an epoch. */
import type { SeededRandom } from '../../connectors/log/simulated/seeded-random.ts'
import { highSTwin } from '../../ops/world/snapshotters/wallets.ts'
import type { Submission } from '../../schemas/types.ts'
import {
  BEGIN_MS,
  BLOCK_MS,
  hash,
  headersOf,
  MARKET,
  OTHER_MARKET,
  releaseBlock,
  WINDOW_BLOCKS,
} from './chain-story.ts'
import { idOf } from './chain-words.ts'
import { type Hostile, type HostileSlot, type Plot, SEALED_TOPICS } from './plot.ts'
import { signed, submissionWith, uuidOf } from './submissions.ts'

/** Without the name of the attack. */
type Play = Hostile extends infer One ? (One extends Hostile ? Omit<One, 'attack'> : never) : never
type Attack = (plot: Plot, epochId: number) => Play[]

const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))
const inTime = (epochId: number, random: SeededRandom): number =>
  Math.floor((releaseBlock(epochId) + random.next() * WINDOW_BLOCKS) * BLOCK_MS)
const early = (epochId: number, random: SeededRandom): number =>
  Math.max(0, releaseBlock(epochId) * BLOCK_MS - 100 - random.below(5 * BLOCK_MS))
const last = (epochId: number, random: SeededRandom): number =>
  Math.floor((releaseBlock(epochId) + WINDOW_BLOCKS + 0.7 + random.next() / 5) * BLOCK_MS)

interface Vote {
  readonly epochId: number
  readonly projectId: string
  readonly snapshotCid?: string
  readonly deadline?: number
}

/** A submission of one of the adversary's slots. @param more what it says beside what it signs */
function own(plot: Plot, slot: HostileSlot, atMs: number, vote: Vote, more: Partial<Submission> = {}): Play {
  const { random, story, ids } = plot
  const fields = {
    slotId: slot.slotId,
    deadline: vote.deadline ?? 1_000 + random.below(1_000),
    snapshotCid: vote.snapshotCid ?? 'cid-bad',
    epochId: idOf(ids, vote.epochId),
    projectId: vote.projectId,
  }
  const sent = submissionWith({
    ...fields,
    submissionId: uuidOf(random),
    signature: signed(fields, random.pick(slot.keys)!),
    header: random.pick(headersOf(story, vote.epochId)) ?? hash('no block'),
    dataMarket: MARKET,
  })
  return { atMs, submission: { ...sent, receivedAt: BEGIN_MS + atMs, ...more } }
}

const anyProject = (random: SeededRandom): string =>
  random.chance(0.4) ? `project:${random.below(4)}` : `junk:${random.below(5)}`

/** More than one owner's messages are told apart: in one go, the first last or not, early or in time, some of them twice. */
const flood: Attack = (plot, epochId) => {
  const { random, slots } = plot
  const slot = random.pick(slots)!
  const isReversed = random.chance(0.5)
  const from = random.chance(0.4) ? early(epochId, random) : inTime(epochId, random)
  const only = random.chance(0.3) ? 'junk:0' : undefined
  const count = 6 + random.below(5)
  const plays = times(count, (i) =>
    own(
      plot,
      slot,
      from + 10 * i,
      { epochId, projectId: only ?? anyProject(random) },
      { receivedAt: BEGIN_MS + from + 10 * (isReversed ? count - i : i) },
    ),
  )
  return random.chance(0.5) ? [...plays, ...plays.slice(0, 3)] : plays
}

/** More than counts, and not more than is told apart. */
const overQuota: Attack = (plot, epochId) => {
  const { random, slots } = plot
  const from = random.chance(0.4) ? early(epochId, random) : inTime(epochId, random)
  return slots.flatMap((slot) => {
    const isReversed = random.chance(0.5)
    return times(3 + random.below(3), (i) =>
      own(
        plot,
        slot,
        from + 20 * i,
        { epochId, projectId: anyProject(random) },
        { receivedAt: BEGIN_MS + from + 10 * (isReversed ? 9 - i : i) },
      ),
    )
  })
}

/** One id and one arrival for several projects, or for several CIDs of one: only what is signed differs. */
const sameId: Attack = (plot, epochId) => {
  const { random, slots, story } = plot
  const [firstBlock] = headersOf(story, epochId)
  return slots.flatMap((slot) => {
    const [submissionId, at] = [uuidOf(random), inTime(epochId, random)]
    const [isOne, isReversed, count] = [random.chance(0.5), random.chance(0.5), 2 + random.below(3)]
    return times(count, (i) => {
      const snapshotCid = `cid-${isReversed ? count - i : i}` // the order of the log is not that of the texts
      const vote = { epochId, projectId: isOne ? 'junk:0' : `junk:${i}`, snapshotCid, deadline: 1_000 }
      const more = { submissionId, receivedAt: BEGIN_MS + at }
      // with one good header they all stand, and the content alone decides
      return own(plot, slot, at, vote, isOne && firstBlock ? { ...more, header: firstBlock } : more)
    })
  })
}

/** What others signed, under another name, with another header, from another moment, before they send it or after. */
const copies: Attack = ({ random, steady, story }) =>
  times(steady.length === 0 ? 0 : 8, () => {
    const { submission, atMs: then } = random.pick(steady)!
    const atMs = Math.max(0, then + (random.chance(0.6) ? -1 : 1) * random.below(3 * BLOCK_MS))
    const header = random.pick([
      submission.header,
      hash(`no block ${random.next()}`),
      '0x12',
      random.pick(story.flat())!.blockHash,
    ])!
    return {
      atMs,
      submission: {
        ...submission,
        header,
        submissionId: random.chance(0.5) ? uuidOf(random) : submission.submissionId,
        signature: random.chance(0.2) ? submission.signature.toUpperCase() : submission.signature,
        dataMarket: random.chance(0.2)
          ? submission.dataMarket.toUpperCase().replace('0X', '0x')
          : submission.dataMarket,
        nodeVersion: random.chance(0.2) ? 'v9' : null,
        receivedAt: BEGIN_MS + (random.chance(0.5) ? random.below(then + 1) : atMs),
      },
    }
  })

/** What others signed, where nobody looks for it: one copy in each partition, before they send it or after. */
const misplaced: Attack = ({ random, steady }) =>
  times(steady.length === 0 ? 0 : 4, () => random.pick(steady)!).flatMap(({ submission, atMs: then }) =>
    [1, 2].map((partitions) => {
      const atMs = Math.max(0, then + (random.chance(0.7) ? -1 : 1) * random.below(2 * BLOCK_MS))
      const copy = { ...submission, submissionId: uuidOf(random), receivedAt: BEGIN_MS + atMs }
      return { atMs, submission: copy, misplaced: partitions }
    }),
  )

/** One message again and again, with other headers and names, before its epoch opens. */
const repeated: Attack = ({ random, steady }) => {
  const first = random.pick(steady)
  return times(first ? 12 : 0, (i) => ({
    atMs: first!.atMs + 10 * i,
    submission: { ...first!.submission, submissionId: uuidOf(random), header: hash(`no block ${i}`) },
  }))
}

/** The content of others, signed by itself: the digest is theirs. */
const foreignSigned: Attack = ({ random, honest, slots }) =>
  times(8, () => {
    const { submission, atMs: then } = random.pick(honest)!
    const atMs = Math.max(0, then - random.below(2 * BLOCK_MS))
    const signature = signed(submission, random.pick(slots)!.keys[0]!)
    return { atMs, submission: { ...submission, signature, submissionId: uuidOf(random), receivedAt: BEGIN_MS + atMs } }
  })

/** Slots that are not its own. */
const claims: Attack = (plot, epochId) => {
  const { random, slots } = plot
  return times(6, () => {
    const slot = { slotId: random.pick([1, 2, 3, 4, 5, 6, 0, 99_999])!, keys: random.pick(slots)!.keys }
    return own(plot, slot, inTime(epochId, random), { epochId, projectId: anyProject(random) })
  })
}

/** Long before, long after, none, and those that may come next. */
const epochs: Attack = (plot) => {
  const { random, slots } = plot
  return times(12, () => {
    const epochId = random.pick([0, 1, 2, 3, 4, 5, 6, 1_000_000, 2 ** 40])!
    const deadline = random.pick([1, 1_000])!
    return own(plot, random.pick(slots)!, random.below(14 * BLOCK_MS), {
      epochId,
      projectId: anyProject(random),
      deadline,
    })
  })
}

/** Before the first release of a market: nobody knows yet which epochs will come. */
const unheardOf: Attack = (plot) => {
  const { random, slots } = plot
  const slot = random.pick(slots)!
  const from = BLOCK_MS + 200 + random.below(600)
  return times(14, (i) => own(plot, slot, from + 10 * i, { epochId: 3 + i, projectId: 'junk:0' }))
}

/** Before the first block: nobody's slot can be looked up yet. */
const firstRoom: Attack = (plot) => {
  const { random, slots } = plot
  return times(20, () =>
    own(plot, random.pick(slots)!, random.below(800), { epochId: 1 + random.below(3), projectId: anyProject(random) }),
  )
}

/** Blocks that are not, that were, and that are no longer. */
const headers: Attack = (plot, epochId) => {
  const { random, slots, story } = plot
  const stale = headersOf(story, epochId - 1)
  return slots.flatMap((slot) =>
    times(2, () => {
      const known = random.pick(story.flat())!.blockHash
      const header = random.pick([
        hash('no block'),
        '0x',
        known,
        known.toUpperCase(),
        random.pick(stale) ?? '',
        'x'.repeat(300),
      ])!
      return own(plot, slot, inTime(epochId, random), { epochId, projectId: anyProject(random) }, { header })
    }),
  )
}

const LEGAL_IDS = [
  `junk:${'x'.repeat(67)}`,
  `junk:${'\u0800'.repeat(22)}x`,
  'junk:"quoted\\"',
  'junk:<&>',
  'junk:\u{1f600}',
  'junk:*',
  'project:',
]
const ILLEGAL: readonly Partial<Submission>[] = [
  { projectId: '' },
  { projectId: `junk:${'x'.repeat(68)}` },
  { projectId: `junk:${'\u0800'.repeat(23)}` },
  { projectId: 'junk:\u0000' },
  { projectId: 'junk:\u001b[2J' },
  { projectId: 'junk:\u202e' },
  { projectId: 'nobody:1' },
  { snapshotCid: '' },
  { snapshotCid: 'c'.repeat(41) },
  { snapshotCid: 'cid\u0001' },
  { nodeVersion: 'v'.repeat(17) },
  { nodeVersion: '\u007f' },
  { submissionId: '' },
  { submissionId: 'F'.repeat(36) },
  { submissionId: 'x'.repeat(500) },
]

/** The longest and strangest texts that are legal, and those that are not. */
const texts: Attack = (plot, epochId) => {
  const { random, slots } = plot
  const legal = slots.flatMap((slot) =>
    times(2, () =>
      own(
        plot,
        slot,
        inTime(epochId, random),
        { epochId, projectId: random.pick(LEGAL_IDS)!, snapshotCid: random.pick(['c'.repeat(40), '"\\<', 'cid'])! },
        { nodeVersion: random.pick(['v'.repeat(16), '', null])! },
      ),
    ),
  )
  const illegal = times(8, () => {
    const { projectId = 'junk:0', snapshotCid = 'cid', ...more } = random.pick(ILLEGAL)!
    return own(plot, random.pick(slots)!, inTime(epochId, random), { epochId, projectId, snapshotCid }, more)
  })
  return [...legal, ...illegal]
}

const CHANGES: readonly ((signature: string) => string)[] = [
  (signature) => signature.replace('0', '\u0130'),
  (signature) => signature.replace('a', '\u0141'),
  (signature) => `0x${signature}`,
  (signature) => signature.slice(2),
  (signature) => `${signature.slice(0, 128)}00`,
  (signature) => highSTwin(signature),
  () => '',
  () => '0'.repeat(130),
]

/** Of its own and of others, in forms that are none. */
const signatures: Attack = (plot, epochId) => {
  const { random, slots, honest } = plot
  const mine = times(5, () => own(plot, random.pick(slots)!, inTime(epochId, random), { epochId, projectId: 'junk:0' }))
  const theirs = times(5, () => random.pick(honest)!)
  return [...mine, ...theirs].flatMap((one) => {
    if (!('submission' in one)) return []
    const { submission } = one
    const signature = random.pick(CHANGES)!(submission.signature)
    return [
      { atMs: Math.max(0, one.atMs - 50), submission: { ...submission, signature, submissionId: uuidOf(random) } },
    ]
  })
}

/** All slots of the adversary for one project and one CID, in the last moment. */
const coalition: Attack = (plot, epochId) => {
  const { random, slots } = plot
  const vote = { epochId, projectId: `project:${random.below(4)}`, snapshotCid: `cid-theirs-${random.below(2)}` }
  return slots.map((slot) => own(plot, slot, last(epochId, random), vote))
}

/** Projects that nobody asked for, of all lengths: they share batches with those of others. */
const junk: Attack = (plot, epochId) => {
  const { random, slots } = plot
  const length = random.pick([5, 5, 32, 32, 64, 72])!
  const snapshotCid = random.pick(['cid', 'c'.repeat(32)])!
  return slots.flatMap((slot) =>
    times(2, (i) => {
      const projectId = `junk:${slot.slotId}${i}`.padEnd(length, 'j')
      return own(plot, slot, inTime(epochId, random), { epochId, projectId, snapshotCid })
    }),
  )
}

/**
 * What was signed for one market, sent as of another. Not what its sender put beside a market that is not served: the project
 * names the market (decision 0022), so there a replay is the vote of its owner.
 */
const replays: Attack = ({ random, honest }) => {
  const served = honest.filter(({ submission }) => SERVED.includes(submission.dataMarket))
  return times(served.length === 0 ? 0 : 8, () => {
    const { submission, atMs } = random.pick(served)!
    const dataMarket = submission.dataMarket === MARKET ? OTHER_MARKET : MARKET
    return {
      atMs: atMs + random.below(BLOCK_MS),
      submission: { ...submission, dataMarket, submissionId: uuidOf(random) },
    }
  })
}

const SERVED: readonly string[] = [MARKET, OTHER_MARKET]

/** Markers that tick-fanout did not write, and copies of those that it did. */
const markers: Attack = ({ random, story }) =>
  times(8, () => {
    const atMs = random.below(14 * BLOCK_MS)
    const partition = random.below(3)
    if (random.chance(0.5)) return { atMs, copied: random.below(1_000), from: random.below(3), partition }
    const tick = random.pick(story.flat())!
    const forged = {
      ...tick,
      kind: random.pick([tick.kind, 'CLOSE', 'OPEN', 'ORPHAN'] as const)!,
      slotsOffset: random.pick([0, 1_000_000])!,
    }
    return {
      atMs,
      forged,
      signed: random.pick(['not', 'itself', 'borrowed'] as const)!,
      from: random.below(3),
      partition,
    }
  })

/** Records of our roles once more, or with other words; in the topics of which every record is sealed. */
export const orders = ({ random }: Pick<Plot, 'random'>): Play[] =>
  times(12, () => ({
    atMs: random.below(16 * BLOCK_MS),
    order: random.below(1_000),
    topic: random.pick(SEALED_TOPICS)!,
    isChanged: random.chance(0.5),
    isSealed: random.chance(0.5),
  }))

/** Bytes that are no record of ours. */
const bytes: Attack = ({ random }) =>
  times(6, () => {
    const some = Buffer.from(times(random.below(30), () => random.below(256)))
    const framed = Buffer.concat([Buffer.from([0, 0, 0, 0, random.below(60)]), some])
    const [key, value] = [random.pick([some, framed, null])!, random.pick([some, framed, null])!]
    return { atMs: random.below(14 * BLOCK_MS), bytes: { key, value }, partition: random.below(3) }
  })

export const ATTACKS: Readonly<Record<string, Attack>> = {
  flood,
  overQuota,
  sameId,
  copies,
  misplaced,
  repeated,
  foreignSigned,
  claims,
  epochs,
  unheardOf,
  firstRoom,
  headers,
  texts,
  signatures,
  coalition,
  junk,
  replays,
  markers,
  bytes,
}
