import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create } from 'multiformats/hashes/digest'
import { describe, expect, test } from 'vitest'
import { batchJson, EMPTY_BATCH_BYTES } from '../../schemas/batch-json.ts'
import { type Texts, textsLength, writeTexts } from '../../schemas/framed-texts.ts'
import { quote, quoteAll } from '../../schemas/go-json.ts'
import { TextBuffer } from '../../schemas/text-buffer.ts'
import type { Submission } from '../../schemas/types.ts'
import { frameTexts } from '../../topology/shared/frames.ts'
import { submissionText } from '../../topology/shared/submission-text.ts'
import { voteOf } from '../../topology/shared/vote.ts'
import { submissionOf } from '../topology/world.ts'

const read = (name: string) => JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'))

interface WireForm {
  request?: { slotId?: string; deadline?: string; snapshotCid?: string; epochId?: string; projectId?: string }
  signature?: string
  header?: string
  dataMarket?: string
  nodeVersion?: string
}
/** What the intake makes of a message: what is absent is zero or empty. */
const fromWire = ({
  request = {},
  signature = '',
  header = '',
  dataMarket = '',
  nodeVersion,
}: WireForm): Submission => ({
  ...submissionOf(),
  slotId: Number(request.slotId ?? 0),
  deadline: Number(request.deadline ?? 0),
  snapshotCid: request.snapshotCid ?? '',
  epochId: Number(request.epochId ?? 0),
  projectId: request.projectId ?? '',
  signature,
  header,
  dataMarket,
  nodeVersion: nodeVersion ?? null,
})

const textsOf = (submissions: readonly Submission[]): Texts => {
  const { frames, frameNumbers, signatures } = frameTexts(submissions.map((submission) => voteOf(submission)))
  return { frames, frameNumbers, signatures, slotIds: submissions.map(({ slotId }) => slotId) }
}

describe('protojson', () => {
  const { vectors, published } = read('protojson') as {
    vectors: { name: string; goJsonInput: string; protojson: string }[]
    published: string[]
  }
  // A message without request, and numbers above 2^53 − 1, never pass the intake.
  const possible = vectors.filter(({ name }) => name !== 'nil request' && name !== 'max uint64')

  test.each(possible)('behavior: $name', ({ goJsonInput, protojson }) => {
    expect(submissionText(fromWire(JSON.parse(goJsonInput)))).toBe(protojson)
  })
  test.each(published.map((text, i) => ({ text, i })))('behavior: published $i', ({ text }) => {
    expect(submissionText(fromWire(JSON.parse(text)))).toBe(text)
  })
})

test('behavior: the published batch, byte for byte, from its parts', () => {
  const batch = read('published-batch')
  const { byteLength, cidV1_rawLeaf } = read('batch')
  const parts = {
    texts: [
      {
        submissionIds: quoteAll(batch.submissionIDs),
        ...textsOf(batch.submissions.map((text: string) => fromWire(JSON.parse(text)))),
      },
    ],
    roothash: batch.roothash,
    projectIds: batch.pids,
    snapshotCids: batch.cids,
  }
  const bytes = batchJson(parts, byteLength)
  expect(batchJson(parts, 0).equals(bytes)).toBe(true)
  expect(bytes).toHaveLength(byteLength)
  const digest = createHash('sha256').update(bytes).digest()
  expect(CID.createV1(raw.code, create(0x12, digest)).toString()).toBe(cidV1_rawLeaf)
})

describe('escapes', () => {
  test('behavior: as Go escapes', () => {
    expect(quote('a<b>&"\\\u2028\u2029é\n\u0001/')).toBe('"a\\u003cb\\u003e\\u0026\\"\\\\\\u2028\\u2029é\\n\\u0001/"')
  })

  test('behavior: any text comes back, and no HTML is left', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const quoted = quote(text)
        expect(JSON.parse(quoted)).toBe(text)
        expect(quoted).not.toMatch(/[<>&\u2028\u2029]/)
      }),
    )
  })

  test('behavior: quoting by hand is quoting the text', () => {
    const text = fc.oneof(fc.constantFrom('', 'bafkreia', '0x00ff'), fc.string({ unit: 'grapheme', maxLength: 12 }))
    const number = fc.oneof(fc.nat(3), fc.maxSafeNat())
    const submissions = fc.record({
      slotId: number,
      deadline: number,
      epochId: number,
      snapshotCid: text,
      projectId: text,
      signature: text,
      header: text,
      dataMarket: text,
      nodeVersion: fc.option(text),
    })
    const base = submissionOf()
    // Runs of the same fields with another slot and signature, as the votes for a project are.
    const runs = fc.array(
      fc.tuple(
        submissions,
        fc.array(
          fc.tuple(
            number,
            fc.oneof(
              text,
              fc.constantFrom('0a', '0af', 'aF'.repeat(65), '0a'.repeat(65), 'f1'.repeat(65), `${'0a'.repeat(64)}xy`),
            ),
          ),
          { maxLength: 3 },
        ),
      ),
      { maxLength: 5 },
    )
    fc.assert(
      fc.property(runs, (all) => {
        const votes = all.flatMap(([fields, others]) => [
          { ...base, ...fields },
          ...others.map(([slotId, signature]) => ({ ...base, ...fields, slotId, signature })),
        ])
        const expected = votes.map((vote) => quote(submissionText(vote))).join()
        const texts = textsOf(votes)
        const out = new TextBuffer(textsLength(texts))
        writeTexts(out, texts)
        expect(out.take().toString()).toBe(expected)
        expect(textsLength(texts)).toBe(Buffer.byteLength(expected))
      }),
      { numRuns: 500 },
    )
  })
})

test('behavior: the size of an empty batch', () => {
  const roothash = `0x${'0'.repeat(64)}`
  expect(EMPTY_BATCH_BYTES).toBe(batchJson({ texts: [], roothash, projectIds: [], snapshotCids: [] }, 0).length)
})
