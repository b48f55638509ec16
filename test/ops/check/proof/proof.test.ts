import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createProofVerifier } from '../../../../ops/check/proof/verify.ts'
import { type Proof, ProofFault, proofText, seal } from '../../../../ops/reading/proof/format.ts'
import { createProofs } from '../../../../ops/reading/proof/source.ts'
import { MARKET } from '../../look/fixture.ts'
import { CHAIN, EPOCH, type EpochShape, signedEpoch } from './epoch.ts'

const verifyProof = await createProofVerifier()
const bytesOf = (proof: Proof): Buffer => Buffer.from(proofText(proof))
const query = (slotId: number) => ({ dataMarket: MARKET, epochId: EPOCH, slotId })

const SHAPES: readonly (readonly [string, EpochShape])[] = [
  ['one submission', { slots: 1, projects: 1 }],
  ['a batch in one block', { slots: 60, projects: 7 }],
  ['batches that continue a tree', { slots: 60, projects: 7, rules: { batchProjectsMax: 2 } }],
  ['batches with a tree each', { slots: 60, projects: 7, rules: { batchProjectsMax: 2, tree: 'fresh' } }],
  ['CIDs of version 0', { slots: 60, projects: 7, cidVersion: 0 }],
  ['batches of several blocks', { slots: 1_500, projects: 4, rules: { batchProjectsMax: 2 } }],
  ['several blocks, CIDs of version 0', { slots: 1_100, projects: 3, cidVersion: 0 }],
  [
    'project names that JSON escapes',
    { slots: 40, projects: 5, projectName: (n) => `<"${n}\\&>\u2028é𝒳\n],"roothash":"` },
  ],
]

describe('a proof', () => {
  test.each(SHAPES)('default: holds for every submission (%s)', async (_name, shape) => {
    const { submissions, proofs } = await signedEpoch(shape)
    for (const { slotId, submissionId, projectId } of some(submissions, shape.slots > 100 ? 29 : 1)) {
      const proof = await proofs.get(query(slotId))
      expect(proof).toMatchObject({ slotId, projectId, dataMarket: MARKET, submission: { id: submissionId } })
      verifyProof(bytesOf(proof))
    }
  })

  test('behavior: every submission of an epoch of 10,000 has one', { timeout: 1_800_000 }, async () => {
    const { submissions, batches, proofs } = await signedEpoch({ slots: 10_000, projects: 60 })
    expect(batches.map(({ batchIndex }) => batchIndex)).toEqual([0, 1])
    const sizes: number[] = []
    for (const { slotId, submissionId } of some(submissions, EVERY)) {
      const bytes = bytesOf(await proofs.get(query(slotId)))
      expect(verifyProof(bytes).proof.submission.id).toBe(submissionId)
      sizes.push(bytes.length)
    }
    expect(Math.max(...sizes)).toBeLessThan(1_500_000)
    if (EVERY === 1) console.info(`bytes: median ${sizes.sort((a, b) => a - b)[5_000]}, largest ${sizes.at(-1)}`)
  })

  test('behavior: says that a submission was outvoted, and what it cannot show', async () => {
    const small = await signedEpoch({ slots: 60, projects: 1 })
    const won = verifyProof(bytesOf(await small.proofs.get(query(1))))
    const lost = verifyProof(bytesOf(await small.proofs.get(query(10))))
    expect(won.shown.join('\n')).toContain('what this submission reported')
    expect(lost.shown.join('\n')).toContain('was outvoted')
    expect(won.notShown.map(({ text }) => text).join('\n')).toMatch(/owned slot 1 [\s\S]*anchored, by transaction 0x/)
    const large = await signedEpoch({ slots: 1_000, projects: 1 })
    const part = verifyProof(bytesOf(await large.proofs.get(query(1))))
    expect(part.notShown.map(({ text }) => text).join('\n')).toContain('that the id belongs to this submission')
  })

  test('error: none for what is in no anchored batch, in words', async () => {
    const { proofs, anchors, ports } = await signedEpoch({ slots: 6, projects: 3, rules: { batchProjectsMax: 1 } })
    await expect(proofs.get(query(99))).rejects.toMatchObject({ code: 'NOT_IN_A_BATCH' })
    await expect(proofs.get({ ...query(1), projectId: 'other' })).rejects.toMatchObject({ code: 'NOT_IN_A_BATCH' })
    for (const [index, anchor] of anchors) anchors.set(index, { ...anchor, state: 'SENT' })
    await expect(proofs.get(query(1))).rejects.toMatchObject({
      code: 'NOT_ANCHORED',
      message: expect.stringContaining('SENT'),
    })
    anchors.clear()
    await expect(createProofs(CHAIN, ports).get(query(1))).rejects.toMatchObject({ code: 'NOT_ANCHORED' })
  })
})

describe('a changed proof', () => {
  const shapes = [SHAPES[1]!, SHAPES[2]!, SHAPES[5]!]
  test.each(shapes)(
    'error: any changed byte (%s)',
    async (_name, shape) => {
      const { proofs } = await signedEpoch(shape)
      const bytes = bytesOf(await proofs.get(query(shape.slots)))
      fc.assert(
        fc.property(mutation(bytes.length), (mutate) => {
          const changed = mutate(bytes)
          fc.pre(!changed.equals(bytes))
          expect(() => verifyProof(changed)).toThrow(ProofFault)
        }),
        { numRuns: RUNS },
      )
    },
    1_800_000,
  )

  test.each(shapes)(
    'error: any changed field with a checksum made to fit, but where it was anchored (%s)',
    async (_name, shape) => {
      const { proofs } = await signedEpoch(shape)
      const proof = await proofs.get(query(shape.slots))
      const passed: string[] = []
      for (const path of leavesOf(proof)) {
        const { checksum: _, ...forged } = structuredClone(proof)
        change(forged, path)
        const reason = reasonOf(bytesOf(seal(forged)))
        if (reason === undefined) passed.push(path.join('.'))
      }
      expect(passed).toEqual(['anchor.transactionHash', 'anchor.blockNumber', 'anchor.blockHash'])
    },
  )

  test('error: the parts of two proofs do not go together', async () => {
    const { proofs } = await signedEpoch({ slots: 60, projects: 7, rules: { batchProjectsMax: 2 } })
    const [one, other] = [await proofs.get(query(1)), await proofs.get(query(3))]
    for (const part of ['submission', 'submissionIds', 'finalizedCids', 'batch', 'signer'] as const) {
      const { checksum: _, ...forged } = { ...one, [part]: other[part] }
      expect(() => verifyProof(bytesOf(seal(forged))), part).toThrow(ProofFault)
    }
  })
})

/** Why a proof does not hold; undefined when it does. */
function reasonOf(bytes: Buffer): string | undefined {
  try {
    verifyProof(bytes)
    return undefined
  } catch (error) {
    if (error instanceof ProofFault) return error.message
    throw error
  }
}

/** `npm run proofs` proves every submission and tries 10,000 changes of each file; `npm test` a part of both. */
const EVERY = Number(process.env.PROOF_EVERY ?? 40)
const RUNS = Number(process.env.PROOF_MUTATIONS ?? 200)

/** Every nth, and the last. */
const some = <T>(all: readonly T[], n: number): readonly T[] =>
  all.filter((_, i) => i % n === 0 || i === all.length - 1)

type Mutate = (bytes: Buffer) => Buffer

/** Flips, sets, deletes, inserts, swaps or repeats bytes. The head has most fields and the fewest bytes, so it comes more often. */
function mutation(length: number): fc.Arbitrary<Mutate> {
  const at = fc.oneof(
    fc.nat(length - 1),
    fc.nat(Math.min(3_000, length - 1)),
    fc.nat(999).map((n) => length - 1 - n),
  )
  const byte = fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from(' \n\t"0aA,:{}[]\\/+=-e.')))
  return fc.oneof(
    fc.tuple(at, byte).map(([i, b]) => splice(i, 1, [b])),
    fc.tuple(at, fc.nat(7)).map(
      ([i, bit]): Mutate =>
        (bytes) =>
          splice(i, 1, [bytes[i]! ^ (1 << bit)])(bytes),
    ),
    fc.tuple(at, byte).map(([i, b]) => splice(i, 0, [b])),
    fc.tuple(at, fc.integer({ min: 1, max: 70 })).map(([i, n]) => splice(i, n, [])),
    fc.tuple(at, fc.integer({ min: 1, max: 70 })).map(
      ([i, n]): Mutate =>
        (bytes) =>
          splice(i, 0, [...bytes.subarray(i, i + n)])(bytes),
    ),
    fc.tuple(at, at).map(
      ([i, j]): Mutate =>
        (bytes) =>
          splice(j, 1, [bytes[i]!])(splice(i, 1, [bytes[j]!])(bytes)),
    ),
  )
}

const splice =
  (at: number, remove: number, insert: readonly number[]): Mutate =>
  (bytes) =>
    Buffer.concat([bytes.subarray(0, at), Buffer.from(insert), bytes.subarray(at + remove)])

function leavesOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (path[0] === 'checksum') return []
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([name, inner]) => leavesOf(inner, [...path, name]))
}

/** Another value of the same kind. */
function change(proof: object, path: readonly string[]): void {
  const holder = path
    .slice(0, -1)
    .reduce((inner, name) => inner[name] as Record<string, unknown>, proof as Record<string, unknown>)
  const name = path.at(-1)!
  const value = holder[name]
  if (typeof value === 'number') holder[name] = value + 1
  else if (typeof value !== 'string') holder[name] = 'x'
  else if (path[1] === 'blocks') holder[name] = changedBlock(value)
  else holder[name] = value.slice(0, -1) + (value.endsWith('1') ? '2' : '1')
}

function changedBlock(base64: string): string {
  const block = Buffer.from(base64, 'base64')
  block[block.length >> 1]! ^= 1
  return block.toString('base64')
}
