import { describe, expect, test } from 'vitest'
import { FrameDecoder } from '../../../../connectors/libp2p/framing.ts'
import { decodeSubmission } from '../../../../connectors/libp2p/wire.ts'
import { FRAME_KINDS, KINDS, type Kind } from '../../../../ops/world/snapshotters/kinds.ts'
import { assignKinds, messagesOf, type PlanOptions } from '../../../../ops/world/snapshotters/plan.ts'
import { highSTwin, slotWallet } from '../../../../ops/world/snapshotters/wallets.ts'
import { domainOf, recoverSigner } from '../../../../topology/shared/signature.ts'

const options: PlanOptions = {
  seed: 7,
  wallets: Array.from({ length: 40 }, (_, i) => slotWallet(7, i + 1)),
  projects: 10,
  badShare: 0.4,
  minorityShare: 0.1,
  chainId: 31337,
  protocolState: `0x${'5'.repeat(40)}`,
  lateByEpochs: 6,
  deadlineBlocks: 100,
}
const epoch = { dataMarket: `0x${'a'.repeat(40)}`, epochId: 20, releaseBlock: 400, staleHeader: `0x${'0'.repeat(64)}` }
const head = { number: 402, hash: `0x${'b'.repeat(64)}` }
const domain = domainOf(options)

const sentBy = (kind: Kind, slot = 5) =>
  messagesOf(options, epoch, { wallet: options.wallets[slot - 1]!, kind }, head).map((message) => {
    const { frames, oversize, problem } = new FrameDecoder().push(message.bytes)
    const decoded = frames.map((frame) => decodeSubmission(frame, 0))
    return {
      message,
      submission: decoded[0]?.submission,
      problem: (problem ?? oversize[0])?.reason ?? decoded[0]?.problem,
    }
  })
const signerOf = (kind: Kind, nth = 0) => recoverSigner(sentBy(kind)[nth]!.submission!, domain)
const owner = options.wallets[4]!.address

describe('each kind is what its name says', () => {
  for (const kind of Object.keys(KINDS) as Kind[])
    test(`default: ${kind}`, () => {
      const sent = sentBy(kind)
      expect(sent.length).toBeGreaterThan(0)
      for (const { message, submission, problem } of sent) {
        expect(submission === undefined).toBe(FRAME_KINDS.has(kind))
        expect(problem !== undefined).toBe(FRAME_KINDS.has(kind))
        if (submission) expect(submission.submissionId).toBe(message.submissionId)
      }
    })

  const signed = ['good', 'minority', 'late', 'too-far', 'replayed', 'duplicate', 'over-quota', 'two-cids', 'stale-header',
    'unknown-header', 'deadline-passed', 'unknown-market', 'simulation', 'foreign-slot', 'unknown-slot'] as const // biome-ignore format: a list
  for (const kind of signed)
    test(`behavior: ${kind} is signed by the slot's own key`, () => expect(signerOf(kind).signer).toBe(owner))

  test('behavior: signatures that are none', () => {
    expect(signerOf('bad-signature').problem?.rule).toContain('recovery id')
    expect(signerOf('high-s').problem?.rule).toContain('lower half')
  })
  test('behavior: the other signature of a pair has the other half of the order', () => {
    const { signature } = sentBy('good')[0]!.submission!
    expect(highSTwin(highSTwin(signature))).toBe(signature)
  })
  test('behavior: what is wrong is wrong by the field its name says', () => {
    const [good] = sentBy('good')
    const of = (kind: Kind, nth = 0) => sentBy(kind)[nth]!.submission!
    expect(good!.submission).toMatchObject({ slotId: 5, epochId: 20, deadline: 502, header: head.hash })
    expect(of('foreign-slot').slotId).toBe(4)
    expect(of('late').epochId).toBeLessThan(20)
    expect(of('stale-header').header).toBe(epoch.staleHeader)
    expect(of('deadline-passed').deadline).toBeLessThan(epoch.releaseBlock)
    expect(of('simulation').epochId).toBe(0)
    expect(of('unknown-market').dataMarket).not.toBe(epoch.dataMarket)
    expect(of('two-cids', 1).deadline).toBeGreaterThan(of('two-cids').deadline)
    expect(of('two-cids', 1).snapshotCid).not.toBe(of('two-cids').snapshotCid)
    const [first, again] = sentBy('replayed')
    expect(again!.submission).toEqual({ ...first!.submission, submissionId: again!.message.submissionId })
    expect(again!.message.submissionId).not.toBe(first!.message.submissionId)
    const [one, same] = sentBy('duplicate')
    expect(same!.message.bytes).toEqual(one!.message.bytes)
    expect(sentBy('oversize')[0]!.problem).toBe('OVERSIZE')
    expect(new Set(sentBy('over-quota').map(({ submission }) => submission!.projectId)).size).toBe(3)
  })
})

describe('who sends what', () => {
  test('behavior: honest slots agree on the CID of a project', () => {
    const cids = new Map<string, Set<string>>()
    for (const wallet of options.wallets)
      for (const { submission } of sentBy('good', wallet.slotId)) {
        const { projectId, snapshotCid } = submission!
        cids.set(projectId, (cids.get(projectId) ?? new Set()).add(snapshotCid))
      }
    expect([...cids.values()].every((of) => of.size === 1)).toBe(true)
  })
  test('behavior: the seed decides; every kind has its turn within some epochs', () => {
    expect(assignKinds(options, epoch)).toEqual(assignKinds(options, epoch))
    expect(assignKinds({ ...options, seed: 8 }, epoch)).not.toEqual(assignKinds(options, epoch))
    const epochs = Array.from({ length: 8 }, (_, i) => assignKinds(options, { ...epoch, epochId: 20 + i }))
    expect(new Set(epochs.flat().map(({ kind }) => kind))).toEqual(new Set(Object.keys(KINDS)))
  })
  test('behavior: nobody is late before an epoch has closed, and somebody is after', () => {
    const kindsIn = (epochId: number) =>
      assignKinds({ ...options, badShare: 1 }, { ...epoch, epochId }).map(({ kind }) => kind)
    for (let epochId = 1; epochId <= options.lateByEpochs; epochId++) expect(kindsIn(epochId)).not.toContain('late')
    expect(kindsIn(options.lateByEpochs + 1)).toContain('late')
  })
  test('args: no wrong ones, and only wrong ones', () => {
    const kinds = (badShare: number) =>
      assignKinds({ ...options, badShare, minorityShare: 0 }, epoch).map(({ kind }) => kind)
    expect(new Set(kinds(0))).toEqual(new Set(['good']))
    expect(kinds(1)).not.toContain('good')
  })
})
