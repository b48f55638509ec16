import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { createKeccak256, toHex } from '../../../../ops/check/verify/keccak.ts'
import { rootDigest } from '../../../../ops/check/verify/merkle.ts'
import { type VerifyOptions, verifyBatch } from '../../../../ops/check/verify/verify.ts'

const read = (name: string) => readFileSync(new URL(`../../../vectors/${name}`, import.meta.url))
const published = read('published-batch.json')
const compact = Buffer.from(JSON.stringify(JSON.parse(published.toString())))
const vector = JSON.parse(read('batch.json').toString())
const known: VerifyOptions = {
  domain: { chainId: vector.eip712Domain.chainId, protocolState: vector.eip712Domain.verifyingContract },
  slots: new Map(Object.entries<string>(vector.slotSigners).map(([slot, owner]) => [Number(slot), owner])),
}

interface Batch {
  submissionIDs: string[]
  submissions: string[]
  roothash: string
  pids: string[]
  cids: string[]
}
const keccak = await createKeccak256()
/** The published batch after a change; the stated root follows the ids unless the change is to the root. */
function changed(change: (batch: Batch) => unknown, { fixRoot = true } = {}): Buffer {
  const batch = JSON.parse(compact.toString()) as Batch
  change(batch)
  if (fixRoot) batch.roothash = rootDigest(keccak, batch.submissionIDs)
  return Buffer.from(JSON.stringify(batch))
}
const edit = (batch: Batch, index: number, change: (submission: Record<string, never>) => void): void => {
  const submission = JSON.parse(batch.submissions[index]!)
  change(submission)
  batch.submissions[index] = JSON.stringify(submission, null, 2)
}
const addProject = (batch: Batch, pid: string, cid: string): void => {
  batch.pids.push(pid)
  batch.cids.push(cid)
}
const repeatFirst = (batch: Batch, id: string): void => {
  batch.submissions.push(batch.submissions[0]!)
  batch.submissionIDs.push(id)
}
const codes = async (bytes: Buffer, options: VerifyOptions = known): Promise<string[]> =>
  [...new Set((await verifyBatch(bytes, options)).problems.map(({ code }) => code))].sort()

const problem = (where: string, message: string) => ({ code: 'BAD_SIGNATURE', where, message })

describe('the published batch', () => {
  test.each([
    ['pretty', published],
    ['compact', compact],
  ])('default: %s, every figure and all 51 signatures', async (_name, bytes) => {
    expect(await verifyBatch(bytes, known)).toEqual({
      ok: true,
      dataMarket: null,
      unchecked: [expect.objectContaining({ code: 'CID' }), expect.objectContaining({ code: 'CHAIN' })],
      cid: vector.cidV0_unixfs_dagpb_singleBlock,
      cidV1: vector.cidV1_rawLeaf,
      roothash: { stated: vector.roothash, computed: vector.roothash, ok: true },
      finalizedCidsRootHash: vector.finalizedCidsRootHash,
      epochId: 11267,
      submissions: 51,
      projects: 50,
      signatures: { valid: 51, invalid: 0, unchecked: 0 },
      problems: [],
      notes: [],
    })
    expect(compact).toHaveLength(vector.byteLength)
  })

  test('behavior: without a domain, or an owner, signatures are unchecked', async () => {
    expect((await verifyBatch(compact)).signatures).toEqual({ valid: 0, invalid: 0, unchecked: 51 })
    const some = { ...known, slots: new Map([[3164, known.slots!.get(3164)!]]) }
    expect((await verifyBatch(compact, some)).signatures).toEqual({ valid: 1, invalid: 0, unchecked: 50 })
  })

  test('error: signatures that only a lenient reader takes for hex, with and without a domain', async () => {
    const lenient = read('batch-of-lenient-hex.json')
    for (const options of [{}, known]) {
      const report = await verifyBatch(lenient, options)
      expect(report.signatures).toEqual({ valid: 0, invalid: 2, unchecked: 0 })
      expect(report.problems).toEqual([
        problem('submissions[0]', 'the signature is not 130 hex digits: it has U+0130 at 3'),
        problem('submissions[1]', 'the signature is not 130 hex digits: it has U+0141 at 0'),
      ])
    }
  })
  test('error: the owner of another slot, another chain', async () => {
    const foreign = { ...known, slots: new Map([[4036, known.slots!.get(3164)!]]) }
    const report = await verifyBatch(compact, foreign)
    expect(report.signatures).toEqual({ valid: 0, invalid: 50, unchecked: 1 })
    expect(report.problems[0]).toMatchObject({ code: 'SLOT_MISMATCH', where: 'submissions[0]' })
    const elsewhere = { ...known, domain: { ...known.domain!, chainId: 1 } }
    expect((await verifyBatch(compact, elsewhere)).signatures.invalid).toBe(51)
  })
})

const CASES: { code: string; name: string; change: (batch: Batch) => unknown; fixRoot?: boolean }[] = [
  { code: 'ROOT_MISMATCH', name: 'two ids changed places', fixRoot: false, change: (b) => b.submissionIDs.reverse() },
  {
    code: 'ROOT_MISMATCH',
    name: 'another stated root',
    fixRoot: false,
    change: (b) => (b.roothash = b.roothash.replace('6', '7')),
  },
  { code: 'LENGTHS_DIFFER', name: 'an id too many', change: (b) => b.submissionIDs.push('x') },
  { code: 'LENGTHS_DIFFER', name: 'a CID too many', change: (b) => b.cids.push('x') },
  {
    code: 'DUPLICATE_PROJECT',
    name: 'a project twice',
    change: (b) => addProject(b, b.pids[0]!, b.cids[0]!),
  },
  { code: 'PROJECT_WITHOUT_SUBMISSION', name: 'a project more', change: (b) => addProject(b, 'p', 'c') },
  { code: 'UNKNOWN_PROJECT', name: 'a project missing', change: (b) => [b.pids.pop(), b.cids.pop()] },
  {
    code: 'UNREADABLE_SUBMISSION',
    name: 'a submission that is no JSON',
    change: (b) => b.submissions.splice(3, 1, '{'),
  },
  {
    code: 'UNREADABLE_SUBMISSION',
    name: 'an unknown field',
    change: (b) => edit(b, 3, (s) => Object.assign(s, { more: 1 })),
  },
  {
    code: 'UNREADABLE_SUBMISSION',
    name: 'a negative slot',
    change: (b) => edit(b, 3, (s) => Object.assign(s.request!, { slotId: '-1' })),
  },
  {
    code: 'UNREADABLE_SUBMISSION',
    name: 'an epoch that no number of JSON holds exactly',
    change: (b) => edit(b, 3, (s) => Object.assign(s.request!, { epochId: '18446744073709551615' })),
  },
  {
    code: 'BAD_SIGNATURE',
    name: 'a signature cut short',
    change: (b) => edit(b, 3, (s) => Object.assign(s, { signature: 'ab' })),
  },
  {
    code: 'SLOT_MISMATCH',
    name: 'a signed field changed',
    change: (b) => edit(b, 3, (s) => Object.assign(s.request!, { deadline: '1' })),
  },
  {
    code: 'EPOCHS_DIFFER',
    name: 'another epoch',
    change: (b) => edit(b, 3, (s) => Object.assign(s.request!, { epochId: '1' })),
  },
  {
    code: 'MARKETS_DIFFER',
    name: 'another market',
    change: (b) => edit(b, 3, (s) => Object.assign(s, { dataMarket: '0x1' })),
  },
  { code: 'WRONG_WINNER', name: 'another winner', change: (b) => b.cids.splice(0, 1, b.cids[1]!) },
  {
    code: 'DUPLICATE_SUBMISSION',
    name: 'a submission twice',
    change: (b) => repeatFirst(b, b.submissionIDs[0]!),
  },
  {
    code: 'SLOT_VOTES_TWICE',
    name: 'a slot twice for a project',
    change: (b) => repeatFirst(b, 'other'),
  },
  {
    code: 'EMPTY_BATCH',
    name: 'nothing',
    change: (b) => Object.assign(b, { submissions: [], submissionIDs: [], pids: [], cids: [] }),
  },
]

describe('mutations', () => {
  test.each(CASES)('error: $code for $name', async ({ code, change, fixRoot = true }) => {
    const found = await codes(changed(change, { fixRoot }))
    expect(found).toContain(code)
    // nothing else is blamed, but for what follows of itself
    const alsoTrue = new Set([code, 'SLOT_VOTES_TWICE', 'SLOT_MISMATCH', 'PROJECT_WITHOUT_SUBMISSION', 'ROOT_MISMATCH'])
    expect(found.filter((other) => !alsoTrue.has(other))).toEqual([])
  })

  test('behavior: another id under the same id is a note, since ids are not signed', async () => {
    const report = await verifyBatch(
      changed((b) => (b.submissionIDs[1] = b.submissionIDs[0]!)),
      known,
    )
    expect(report).toMatchObject({ ok: true, notes: [{ code: 'ID_REUSED', where: 'submissions[1]' }] })
  })

  test('behavior: a layout that is not canonical is a note', async () => {
    const spaced = changed((b) => b.submissions.splice(0, 1, b.submissions[0]!.replaceAll('": ', '":  ')))
    const report = await verifyBatch(spaced, known)
    expect(report).toMatchObject({
      ok: true,
      dataMarket: null,
      unchecked: [expect.objectContaining({ code: 'CID' }), expect.objectContaining({ code: 'CHAIN' })],
      cid: vector.cidV0_unixfs_dagpb_singleBlock,
      notes: [{ code: 'NOT_CANONICAL' }],
    })
  })

  test('error: bytes that are not what the CID names', async () => {
    expect(await codes(compact, { expectedCid: vector.cidV1_rawLeaf })).toEqual([])
    expect(await codes(compact, { expectedCid: vector.cidV0_unixfs_dagpb_singleBlock })).toEqual([])
    expect(await codes(Buffer.concat([compact, Buffer.from('\n')]), { expectedCid: vector.cidV1_rawLeaf })).toEqual([
      'CID_MISMATCH',
    ])
  })
})

describe('ties', () => {
  // slots 4036 and 3164 both vote on one project of the published batch; let one of them vote otherwise
  const project = JSON.parse(JSON.parse(compact.toString()).submissions[43]).request.projectId as string
  const tied = (winner?: string) =>
    changed((b) => {
      edit(b, 43, (s) => Object.assign(s.request!, { snapshotCid: 'bafother' }))
      if (winner) b.cids[b.pids.indexOf(project)] = winner
    })
  const closeBlockHash = `0x${'11'.repeat(32)}`
  const batch = JSON.parse(compact.toString()) as Batch
  const rivals = ['bafother', batch.cids[batch.pids.indexOf(project)]!]
  const rank = (cid: string) =>
    toHex(keccak(Buffer.from(closeBlockHash.slice(2) + Buffer.from(cid).toString('hex'), 'hex')))
  const [first, second] = rivals.sort((a, b) => (rank(a) < rank(b) ? -1 : 1))

  test('behavior: a tie is a note without the closing block, no matter which of the tied the batch names', async () => {
    for (const winner of rivals)
      expect(await verifyBatch(tied(winner))).toMatchObject({ ok: true, notes: [{ code: 'TIE_UNDECIDED' }] })
    expect(await codes(tied('bafthird'), {})).toEqual(['WRONG_WINNER'])
  })

  test('behavior: the closing block decides', async () => {
    expect(await codes(tied(first), { closeBlockHash })).toEqual([])
    expect(await codes(tied(second), { closeBlockHash })).toEqual(['WRONG_WINNER'])
  })
})

describe('chained trees', () => {
  const half = (from: number, to: number, earlier: string[]) =>
    changed(
      (b) => {
        Object.assign(b, { submissionIDs: b.submissionIDs.slice(from, to), submissions: b.submissions.slice(from, to) })
        const projects = new Set(b.submissions.map((text) => JSON.parse(text).request.projectId))
        b.cids = b.cids.filter((_, i) => projects.has(b.pids[i]))
        b.pids = b.pids.filter((pid) => projects.has(pid))
        b.roothash = rootDigest(keccak, [...earlier, ...b.submissionIDs])
      },
      { fixRoot: false },
    )
  const ids = (JSON.parse(compact.toString()) as Batch).submissionIDs
  const first = half(0, 30, [])
  const second = half(30, 51, ids.slice(0, 30))

  test('behavior: a later batch needs the ones before it', async () => {
    expect(await codes(first)).toEqual([])
    const alone = await verifyBatch(second, known)
    expect(alone.problems).toMatchObject([{ code: 'ROOT_MISMATCH', message: expect.stringContaining('--previous') }])
    const chained = await verifyBatch(second, { ...known, previous: [first] })
    expect(chained).toMatchObject({
      ok: true,
      roothash: { computed: vector.roothash },
      notes: [{ code: 'LATER_BATCH' }],
    })
  })

  test('behavior: a fresh tree is also right when earlier batches are given', async () => {
    expect(await codes(half(30, 51, []), { ...known, previous: [first] })).toEqual([])
    expect(await codes(half(30, 51, ['x']), { ...known, previous: [first] })).toEqual(['ROOT_MISMATCH'])
  })
})
