/** Every attack by messages: a name, what it is, and what is to be sent next. */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { slotWallet } from '../../ops/world/snapshotters/wallets.ts'
import { MARKET_DEFAULTS } from '../../topology/rules.ts'
import { cidOf, type Fields, fieldsOf, type HonestLine, one, type Shot, sign, signed, write } from './messages.ts'
import type { World } from './world.ts'

/** The n-th shot, from 0; undefined: nothing now. */
export type Shooter = (n: number) => Shot | undefined

export interface Attack {
  readonly help: string
  readonly aim: (world: World) => Shooter
}

/** Far longer than any rule, in UTF-16 units, each of three bytes in UTF-8. */
const LONGEST = { projectId: 4_096, snapshotCid: 512, nodeVersion: 256 } as const
const THREE_BYTES = 'ࠀ'
const CONTROL = '\u0001'
const ESCAPES = [
  '\u001b]0;owned\u0007',
  '\u001b[2J\u001b[H',
  '\u001b]52;c;b3duZWQ=\u0007',
  '\u001b[32mNothing is lost\u001b[0m',
  '‮\r\n',
]

export const ATTACKS = {
  unsigned: {
    help: 'no signature, honest slots in turn',
    aim: (world) => (n) => one(write(fieldsOf(world, victim(world, n)), '')),
  },
  'bad-signature-one': {
    help: 'signatures of nobody, all for slot 1',
    aim: (world) => () => one(write(fieldsOf(world, { slotId: 1 }), ofNobody())),
  },
  'bad-signature-spread': {
    help: 'signatures of nobody, honest slots in turn',
    aim: (world) => (n) => one(write(fieldsOf(world, victim(world, n)), ofNobody())),
  },
  'foreign-slot': {
    help: 'honest slots in turn, signed by the owner of another slot',
    aim: (world) => (n) => {
      const fields = fieldsOf(world, victim(world, n), { projectId: `siege:${n}` })
      return one(write(fields, sign(world, fields, own(world, n))))
    },
  },
  'over-quota': {
    help: 'one slot, every message another project, well signed',
    aim: (world) => (n) => signed(world, own(world, 0), { projectId: `siege:${n}` }),
  },
  duplicates: {
    help: 'one message of one slot, byte for byte',
    aim: (world) => perEpoch(world, () => signed(world, own(world, 0))),
  },
  copies: {
    help: 'one signed message with other headers and ids, neither of which is signed',
    aim: (world) => {
      const body = perEpoch(world, () => {
        const fields = fieldsOf(world, own(world, 0))
        return { fields, signature: sign(world, fields, own(world, 0)) }
      })
      return (n) => {
        const { fields, signature } = body()
        return one(write({ ...fields, header: `0x${hash(`header ${n}`)}` }, signature))
      }
    },
  },
  'copies-longest': {
    help: 'the same with the longest texts',
    aim: (world) => {
      const body = perEpoch(world, () => {
        const fields = fieldsOf(world, own(world, 0), longest(0))
        return { fields, signature: sign(world, fields, own(world, 0)) }
      })
      return (n) => {
        const { fields, signature } = body()
        return one(write({ ...fields, header: `0x${hash(`header ${n}`)}` }, signature))
      }
    },
  },
  'epoch-zero': {
    help: 'simulation submissions, slots in turn',
    aim: (world) => (n) => signed(world, own(world, n), { epochId: 0, projectId: `siege:${n}` }),
  },
  'far-epochs': {
    help: 'epochs that are far off, slots in turn',
    aim: (world) => (n) =>
      signed(world, own(world, n), { epochId: n % 2 ? Number.MAX_SAFE_INTEGER - n : newest(world) + 1_000 + n }),
  },
  'early-epochs': {
    help: 'the next two epochs, which wait for their release, slots in turn, every message another project',
    aim: (world) => (n) =>
      signed(world, own(world, n), { epochId: newest(world) + 1 + (n % 2), projectId: `siege:${n}` }),
  },
  'strange-hex': {
    help: 'signatures with U+0130 for a 0, or U+0141 for an A, slots in turn, two an epoch each',
    aim: (world) =>
      twiceAnEpoch(world, (n) => {
        const fields = fieldsOf(world, own(world, n), { projectId: `siege:${n % 4}` })
        const signature = sign(world, fields, own(world, n))
        return one(write(fields, strange(signature, n)))
      }),
  },
  longest: {
    help: 'the longest texts, of three bytes a character, another project each, slots in turn, two an epoch each',
    aim: (world) => twiceAnEpoch(world, (n) => signed(world, own(world, n), longest(n))),
  },
  control: {
    help: 'the longest texts of U+0001, one project, each slot in turn twice an epoch',
    aim: (world) =>
      twiceAnEpoch(world, (n) =>
        signed(world, own(world, n), {
          projectId: CONTROL.repeat(LONGEST.projectId),
          snapshotCid: CONTROL.repeat(LONGEST.snapshotCid),
          nodeVersion: CONTROL.repeat(LONGEST.nodeVersion),
        }),
      ),
  },
  'longest-legal': {
    help: 'the longest texts that the rules take, of three bytes a character, another project each, two an epoch of each slot',
    aim: (world) => twiceAnEpoch(world, (n) => signed(world, own(world, n), longestLegal(n))),
  },
  'control-legal': {
    help: 'one U+0001 in texts of a legal length, one project, each slot in turn twice an epoch',
    aim: (world) => twiceAnEpoch(world, (n) => signed(world, own(world, n), { projectId: `siege:${CONTROL}` })),
  },
  'too-long': {
    help: 'messages of 60 KiB, and a CID one byte longer than the rules take',
    aim: (world) => (n) =>
      signed(
        world,
        own(world, n),
        n % 2
          ? { projectId: 'x'.repeat(60 * 1024) }
          : { snapshotCid: 'x'.repeat(MARKET_DEFAULTS.snapshotCidBytesMax + 1) },
      ),
  },
  escapes: {
    help: 'terminal escape sequences and turned text in every field, two an epoch of each slot',
    aim: (world) =>
      twiceAnEpoch(world, (n) => {
        const text = `${ESCAPES[n % ESCAPES.length]}${n}`
        return signed(world, own(world, n), { projectId: text, snapshotCid: text, nodeVersion: text })
      }),
  },
  empty: {
    help: 'an empty projectId or an empty snapshotCid, two an epoch of each slot',
    aim: (world) =>
      twiceAnEpoch(world, (n) => signed(world, own(world, n), n % 2 ? { projectId: '' } : { snapshotCid: '' })),
  },
  'same-id': {
    help: 'one slot: five projects under one id, in one write',
    aim: (world) => (n) => {
      const submissionId = randomUUID()
      const frames = Array.from({ length: 5 }, (_, i) => {
        const fields = fieldsOf(world, own(world, n), { projectId: `siege:p${i}` })
        return write(fields, sign(world, fields, own(world, n)), submissionId)
      })
      return { bytes: Buffer.concat(frames), messages: frames.length }
    },
  },
  'junk-projects': {
    help: 'every slot opens two projects of its own each epoch',
    aim: (world) => twiceAnEpoch(world, (n) => signed(world, own(world, n), { projectId: `siege:junk-${n}` })),
  },
  'one-project': {
    help: 'every slot votes for one project, each for a CID of its own',
    aim: (world) => twiceAnEpoch(world, (n) => signed(world, own(world, n), { snapshotCid: cidOf(`${n}`) })),
  },
  'cross-market': {
    help: 'votes of watched slots in the first market, replayed into the second before their own there; `dev` has no projectIds',
    aim: (world) => crossMarket(world),
  },
  'votes-load': {
    help: 'no attack: every slot votes for one project, once an epoch; all must count',
    aim: (world) => load(world, 1, () => ({ projectId: 'siege:load' })),
  },
  'projects-load': {
    help: 'no attack: as many projects as slots, two votes of each slot, the longest texts that rules allow; all must count',
    aim: (world) =>
      load(world, 2, (slot, round) => ({
        ...longestLegal((slot + round) % world.own.length),
      })),
  },
} as const satisfies Record<string, Attack>

export type AttackName = keyof typeof ATTACKS

const victim = ({ place }: World, n: number) => ({ slotId: 1 + (n % place.honest) })
const own = (world: World, n: number) => world.own[n % world.own.length]!
const newest = (world: World): number => world.at().epochs.get(world.place.markets[0]!)!
const hash = (text: string): string => createHash('sha256').update(text).digest('hex')

const longest = (n: number): Partial<Fields> => ({
  projectId: `${n}`.padEnd(LONGEST.projectId, THREE_BYTES),
  snapshotCid: `${n}`.padEnd(LONGEST.snapshotCid, THREE_BYTES),
  nodeVersion: THREE_BYTES.repeat(LONGEST.nodeVersion),
})

/** As many characters of three bytes as fit, behind the number. */
const filled = (n: number, bytes: number): string =>
  `${n}`.padEnd(`${n}`.length + Math.floor((bytes - `${n}`.length) / 3), THREE_BYTES)

const longestLegal = (n: number): Partial<Fields> => ({
  projectId: filled(n, MARKET_DEFAULTS.projectIdBytesMax),
  snapshotCid: filled(n, MARKET_DEFAULTS.snapshotCidBytesMax),
  nodeVersion: filled(0, MARKET_DEFAULTS.nodeVersionBytesMax),
})

/** r and s are random, s in the lower half, v is right: most recover an address, which owns nothing. */
function ofNobody(): string {
  const bytes = randomBytes(64)
  bytes[32]! &= 0x3f
  return `${bytes.toString('hex')}1b`
}

/** Its 0, or its A, as a character whose low byte is the same. */
function strange(signature: string, n: number): string {
  const at = (digit: string) => (n % 2 === 0 ? signature.indexOf(digit) : signature.toUpperCase().indexOf(digit))
  if (n % 2 === 0 && at('0') >= 0) return signature.replace('0', 'İ')
  return signature.toUpperCase().replace('A', 'Ł')
}

/** Made anew when an epoch is released. */
function perEpoch<T>(world: World, make: () => T): () => T {
  let of = -1
  let made: T
  return () => {
    if (of !== newest(world)) made = make()
    of = newest(world)
    return made
  }
}

/** Each own slot twice an epoch, as the default quota allows; then nothing until the next. */
function twiceAnEpoch(world: World, make: (n: number) => Shot): Shooter {
  const done = perEpoch(world, () => ({ count: 0 }))
  return () => {
    const turn = done()
    return turn.count < 2 * world.own.length ? make(turn.count++) : undefined
  }
}

function load(world: World, rounds: number, fields: (slot: number, round: number) => Partial<Fields>): Shooter {
  const first = newest(world)
  const done = perEpoch(world, () => ({ count: 0 }))
  return () => {
    const turn = done()
    // an epoch that is half over when we come would have too little time
    if (newest(world) === first || turn.count >= rounds * world.own.length) return undefined
    const slot = turn.count % world.own.length
    const round = Math.floor(turn.count++ / world.own.length)
    return honest(world, slot, fields(slot, round))
  }
}

function honest(world: World, slot: number, changes: Partial<Fields>): Shot {
  const wallet = world.own[slot]!
  const fields = fieldsOf(world, wallet, changes)
  const submissionId = randomUUID()
  return {
    bytes: write(fields, sign(world, fields, wallet), submissionId),
    messages: 1,
    honest: [lineOf(fields, submissionId)],
  }
}

const lineOf = ({ slotId, epochId, dataMarket }: Fields, submissionId: string): HonestLine => ({
  submissionId,
  slotId,
  epochId,
  dataMarket,
  kind: 'good',
})

/** For each watched slot: its two votes in A, the same two with the name of B on them, then its own two in B. */
function crossMarket(world: World): Shooter {
  const [a, b] = world.place.markets
  if (b === undefined) throw new Error('cross-market needs two markets: --markets 2')
  const done = perEpoch(world, () => ({ count: 0 }))
  return () => {
    const turn = done()
    if (turn.count >= world.own.length) return undefined
    const wallet = slotWallet(world.place.seed, world.place.honest + 1 + turn.count++)
    const vote = (dataMarket: string, project: number, text: string) => {
      const fields = fieldsOf(world, wallet, {
        dataMarket,
        projectId: `siege:${dataMarket}-${project}`,
        snapshotCid: cidOf(`${dataMarket} ${text}`),
      })
      return { fields, signature: sign(world, fields, wallet), submissionId: randomUUID() }
    }
    const [inA, inB] = [a!, b].map((market) => [0, 1].map((project) => vote(market, project, `${newest(world)}`)))
    const replayed = inA!.map(({ fields, signature }) => write({ ...fields, dataMarket: b }, signature))
    const votes = [...inA!, ...inB!]
    const [first, second] = [votes.slice(0, 2), votes.slice(2)].map((some) =>
      some.map(({ fields, signature, submissionId }) => write(fields, signature, submissionId)),
    )
    return {
      bytes: Buffer.concat([...first!, ...replayed, ...second!]),
      messages: 6,
      honest: votes.map(({ fields, submissionId }) => lineOf(fields, submissionId)),
    }
  }
}
