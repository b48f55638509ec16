import { describe, expect, test } from 'vitest'
import { FrameDecoder } from '../../connectors/libp2p/framing.ts'
import { decodeSubmission } from '../../connectors/libp2p/wire.ts'
import { slotWallet } from '../../ops/world/snapshotters/wallets.ts'
import { MARKET_DEFAULTS } from '../../topology/rules.ts'
import { domainOf, recoverSigner } from '../../topology/shared/signature.ts'
import { ATTACKS, type AttackName, type Shooter } from './attacks.ts'
import type { Shot } from './messages.ts'
import type { Moment, World } from './world.ts'

const MARKETS = [`0x${'a'.repeat(40)}`, `0x${'b'.repeat(40)}`]
const [SEED, HONEST, SPARE] = [7, 3, 4]

function worldAt(moment: { epochId: number }): World {
  const chain = { chainId: 31_337, protocolState: `0x${'c'.repeat(40)}` }
  const place = { ...chain, intakes: [], ops: '', rpc: '', markets: MARKETS, seed: SEED, honest: HONEST, spare: SPARE }
  return {
    place,
    domain: domainOf(chain),
    own: Array.from({ length: SPARE }, (_, i) => slotWallet(SEED, HONEST + i + 1)),
    at: (): Moment => ({
      head: { number: 90, hash: `0x${'1'.repeat(64)}` },
      epochs: new Map(MARKETS.map((market) => [market, moment.epochId])),
    }),
  }
}

const shotsOf = (kind: AttackName, count: number, moment = { epochId: 5 }): Shot[] => {
  const shoot: Shooter = ATTACKS[kind].aim(worldAt(moment))
  return Array.from({ length: count }, (_, n) => shoot(n)).filter((shot) => shot !== undefined)
}

const messagesOf = (shots: readonly Shot[]) =>
  shots.flatMap(({ bytes }) => {
    const { frames, problem } = new FrameDecoder().push(Buffer.from(bytes))
    if (problem) throw new Error(problem.message)
    return frames.map((frame) => decodeSubmission(frame, 0).submission)
  })

const HONEST_LOADS: readonly AttackName[] = ['votes-load', 'projects-load']
const REFUSED_AT_THE_WIRE: readonly AttackName[] = ['too-long', 'longest', 'copies-longest', 'control']
/** Signed by nobody, or not in hex. */
const UNSIGNED: readonly AttackName[] = ['unsigned', 'bad-signature-one', 'bad-signature-spread', 'foreign-slot']
const SIGNED = (Object.keys(ATTACKS) as AttackName[]).filter(
  (kind) => ![...HONEST_LOADS, ...REFUSED_AT_THE_WIRE, ...UNSIGNED, 'strange-hex'].includes(kind),
)

const ownerOf = (slotId: number): string => slotWallet(SEED, slotId).address

describe('messages', () => {
  test.each((Object.keys(ATTACKS) as AttackName[]).filter((kind) => !HONEST_LOADS.includes(kind)))(
    'default: %s sends whole messages, as many as it says',
    (kind) => {
      const shots = shotsOf(kind, 4)
      expect(shots.length).toBe(4)
      expect(messagesOf(shots).length).toBe(shots.reduce((sum, { messages }) => sum + messages, 0))
    },
  )

  test.each(SIGNED)('default: every message of %s is signed by the owner of its slot', (kind) => {
    for (const submission of messagesOf(shotsOf(kind, 4)))
      expect(recoverSigner(submission!, worldAt({ epochId: 5 }).domain).signer).toBe(ownerOf(submission!.slotId))
  })

  test.each(UNSIGNED)('default: no message of %s is signed by the owner of its slot, which is honest', (kind) => {
    for (const submission of messagesOf(shotsOf(kind, 4))) {
      expect(submission!.slotId).toBeLessThanOrEqual(HONEST)
      expect(recoverSigner(submission!, worldAt({ epochId: 5 }).domain).signer).not.toBe(ownerOf(submission!.slotId))
    }
  })

  test('default: strange-hex has a character beyond ASCII in every signature', () => {
    for (const submission of messagesOf(shotsOf('strange-hex', 4))) expect(submission!.signature).toMatch(/[İŁ]/)
  })

  test('default: longest-legal is as long as the rules take, to the byte or less than a character below', () => {
    for (const submission of messagesOf(shotsOf('longest-legal', 8)))
      for (const field of ['projectId', 'snapshotCid', 'nodeVersion'] as const) {
        const spare = MARKET_DEFAULTS[`${field}BytesMax`] - Buffer.byteLength(submission![field]!)
        expect([0, 1, 2]).toContain(spare)
      }
  })

  test('default: copies differ in header and id alone', () => {
    const [first, second] = messagesOf(shotsOf('copies', 2))
    const { submissionId, header } = second!
    expect({ ...first, submissionId, header }).toEqual(second)
    expect([first!.submissionId, first!.header]).not.toEqual([submissionId, header])
  })

  test('default: same-id has one id for five projects in each write', () => {
    const submissions = messagesOf(shotsOf('same-id', 1))
    expect(new Set(submissions.map((one) => one!.submissionId)).size).toBe(1)
    expect(new Set(submissions.map((one) => one!.projectId)).size).toBe(5)
  })

  test('default: cross-market has the same signature under both markets, and says what must count', () => {
    const [shot] = shotsOf('cross-market', 1)
    const submissions = messagesOf([shot!])
    expect(submissions.slice(2, 4).map((one) => one!.signature)).toEqual(
      submissions.slice(0, 2).map((one) => one!.signature),
    )
    expect(submissions.map((one) => one!.dataMarket)).toEqual([0, 0, 1, 1, 1, 1].map((market) => MARKETS[market]))
    expect(shot!.honest!.map(({ dataMarket }) => dataMarket)).toEqual([0, 0, 1, 1].map((market) => MARKETS[market]))
  })
})

describe('turns', () => {
  test.each(['longest', 'control', 'junk-projects'] as const)('behavior: %s is twice an epoch of each slot', (kind) => {
    const moment = { epochId: 5 }
    const shoot: Shooter = ATTACKS[kind].aim(worldAt(moment))
    const shots = (from: number) => Array.from({ length: 20 }, (_, n) => shoot(from + n)).filter(Boolean).length
    expect(shots(0)).toBe(2 * SPARE)
    expect(shots(20)).toBe(0)
    moment.epochId++
    expect(shots(40)).toBe(2 * SPARE)
  })

  test.each([
    ['votes-load', SPARE],
    ['projects-load', 2 * SPARE],
  ] as const)('behavior: %s begins with the next epoch, and all of it must count', (kind, votes) => {
    const moment = { epochId: 5 }
    const shoot: Shooter = ATTACKS[kind].aim(worldAt(moment))
    expect(shoot(0)).toBeUndefined()
    moment.epochId++
    const shots = Array.from({ length: 20 }, (_, n) => shoot(n)).filter((shot) => shot !== undefined)
    expect(shots.flatMap(({ honest }) => honest ?? []).length).toBe(votes)
    expect(new Set(messagesOf(shots).map((one) => `${one!.slotId} ${one!.projectId}`)).size).toBe(votes)
  })
})
