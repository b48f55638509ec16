import { readFileSync } from 'node:fs'
import { ethers } from 'ethers'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromHex as plainFromHex } from '../../../ops/check/verify/keccak.ts'
import { createSignatureReader } from '../../../ops/check/verify/signature.ts'
import { writeTexts } from '../../../schemas/framed-texts.ts'
import { TextBuffer } from '../../../schemas/text-buffer.ts'
import { frameTexts } from '../../../topology/shared/frames.ts'
import { fromHex, keccak256, toHex } from '../../../topology/shared/keccak.ts'
import { nativeRecovery, type Recovery, recovery, wasmRecovery } from '../../../topology/shared/recovery.ts'
import { digestOf, domainOf, prepareSubmissions, recoverSigner } from '../../../topology/shared/signature.ts'
import { voteOf } from '../../../topology/shared/vote.ts'
import { addressOf, MARKET, marketRules, rulesOf, submissionOf } from '../world.ts'

interface Signed {
  why?: string
  source?: string
  domain: { chainId: number; verifyingContract: string }
  message: { slotId: string; deadline: string; snapshotCid: string; epochId: string; projectId: string }
  signature: string
  digest: string
  structHash?: string
  domainSeparator?: string
  address: string
}
const read = (name: string) => JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), 'utf8'))
const vectors = read('eip712') as { signed: Signed[]; real: Signed[]; negative: Signed[]; malleable: Signed }

const domainFor = ({ domain }: Signed) =>
  domainOf({ chainId: domain.chainId, protocolState: domain.verifyingContract.toLowerCase() })
const fieldsOf = ({ message, signature }: Signed) => ({
  slotId: Number(message.slotId),
  deadline: Number(message.deadline),
  snapshotCid: message.snapshotCid,
  epochId: Number(message.epochId),
  projectId: message.projectId,
  signature,
})
const recover = (signed: Signed, by?: Recovery) => recoverSigner(fieldsOf(signed), domainFor(signed), by)

const backends: Recovery[] = [await wasmRecovery()]
const native = nativeRecovery()
if (native) backends.push(native)

describe.each(backends)('$backend', (backend) => {
  const known = [...vectors.signed, ...vectors.real].map((signed, i) => ({ ...signed, i }))
  test.each(known)('behavior: vector $i recovers its signer', (signed) => {
    const { digest, signer } = recover(signed, backend)
    expect(toHex(digest)).toBe(signed.digest)
    expect(signer).toBe(signed.address.toLowerCase())
  })

  test('error: r = 0 has no signer', () => {
    const zero = vectors.negative.find(({ why }) => why?.startsWith('r=0'))!
    expect(recover(zero, backend).problem).toMatchObject({ rule: 'the signature recovers a public key' })
  })
})

test('default: the native backend runs where it can', () => {
  expect(recovery.backend).toBe(native ? 'native' : 'wasm')
})

test('behavior: domain separators are as deployed', () => {
  for (const signed of vectors.signed) expect(toHex(domainFor(signed))).toBe(signed.domainSeparator)
})

describe('refusals say what was expected and what came', () => {
  const expected = {
    '0x prefix': { expected: '130 hex digits without 0x', actual: '132 characters that begin with 0x' },
    'v 0/1 instead': { expected: '1b or 1c', actual: '00' },
    '64 bytes': { expected: '130 hex digits without 0x', actual: '128 hex digits' },
    'odd-length hex': { expected: '130 hex digits without 0x', actual: '129 hex digits' },
    'r=0 ->': { rule: 'the signature recovers a public key' },
  }
  test.each(Object.entries(expected))('error: %s', (why, evidence) => {
    const negative = vectors.negative.find((vector) => vector.why?.startsWith(why))!
    const { signer, problem, digest } = recover(negative)
    expect(signer).toBeUndefined()
    expect(problem).toMatchObject(evidence)
    expect(digest).toHaveLength(32)
  })

  test('error: the other s of a valid signature, which recovers the same address', () => {
    const { problem } = recover(vectors.malleable)
    expect(problem?.rule).toBe('s lies in the lower half of the order')
    expect(problem?.actual).toBe(vectors.malleable.signature.slice(64, 128))
  })

  test('error: a character that is no hex digit, at any place', () => {
    const { signature } = submissionOf()
    fc.assert(
      fc.property(fc.nat(129), (at) => {
        const broken = `${signature.slice(0, at)}g${signature.slice(at + 1)}`
        const { problem } = recoverSigner({ ...submissionOf(), signature: broken }, domainOf(marketRules()))
        expect(problem?.actual).toBe(`130 characters, no hex digit at ${at} (U+0067)`)
      }),
      { numRuns: 50 },
    )
  })

  test('error: an empty signature', () => {
    const { problem } = recoverSigner(submissionOf({ signature: '' }), domainOf(marketRules()))
    expect(problem?.actual).toBe('0 hex digits')
  })
})

test('behavior: upper-case hex is the same signature', () => {
  const submission = submissionOf({ slotId: 3 })
  const upper = { ...submission, signature: submission.signature.toUpperCase() }
  expect(recoverSigner(upper, domainOf(marketRules())).signer).toBe(addressOf(3))
})

test('behavior: all 51 signatures of the published batch recover the owners of their slots', () => {
  const { eip712Domain, slotSigners } = read('batch')
  const domain = domainOf({
    chainId: eip712Domain.chainId,
    protocolState: eip712Domain.verifyingContract.toLowerCase(),
  })
  const submissions = (read('published-batch').submissions as string[]).map((text) => JSON.parse(text))
  expect(submissions).toHaveLength(51)
  for (const { request, signature } of submissions) {
    const { signer } = recover({ domain: eip712Domain, message: request, signature } as Signed)
    expect(signer).toBe((slotSigners[request.slotId] as string).toLowerCase())
  }
  expect(domain).toHaveLength(32)
})

test('behavior: digests are those of ethers, for any fields', () => {
  const types = {
    EIPRequest: [
      { name: 'slotId', type: 'uint256' },
      { name: 'deadline', type: 'uint256' },
      { name: 'snapshotCid', type: 'string' },
      { name: 'epochId', type: 'uint256' },
      { name: 'projectId', type: 'string' },
    ],
  }
  const market = marketRules()
  const domain = {
    name: 'PowerloomProtocolContract',
    version: '0.1',
    chainId: market.chainId,
    verifyingContract: market.protocolState,
  }
  const number = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1))
  const text = fc.string({ unit: 'grapheme', maxLength: 300 })
  fc.assert(
    fc.property(number, number, text, number, text, (slotId, deadline, snapshotCid, epochId, projectId) => {
      const fields = { slotId, deadline, snapshotCid, epochId, projectId }
      expect(toHex(digestOf(fields, domainOf(market)))).toBe(ethers.TypedDataEncoder.hash(domain, types, fields))
    }),
    { numRuns: 200 },
  )
})

describe('prepareSubmissions', () => {
  test('behavior: each market has its own domain, in any letter case', () => {
    const other = marketRules({ dataMarket: '0x21cb57c1f2352ad215a463dd867b838749cd3b8f', chainId: 7869 })
    const prepare = prepareSubmissions({ ...rulesOf(), markets: [marketRules(), other] })
    const mine = submissionOf({ slotId: 2 })
    const theirs = submissionOf({ slotId: 2, dataMarket: other.dataMarket.toUpperCase().replace('0X', '0x') }, other)
    const [first, second, crossed] = prepare([mine, theirs, { ...mine, dataMarket: other.dataMarket }])
    expect(first?.signer).toBe(addressOf(2))
    expect(second?.signer).toBe(addressOf(2))
    expect(crossed?.signer).not.toBe(addressOf(2))
    expect(first?.digest).not.toEqual(crossed?.digest)
  })

  test('behavior: a market that is not configured has the domain of those that are added', () => {
    const [signed] = prepareSubmissions(rulesOf())([submissionOf({ slotId: 2, dataMarket: '0xnowhere' })])
    expect(signed?.signer).toBe(addressOf(2))
  })

  test('behavior: results stand when the next ones are made', () => {
    const prepare = prepareSubmissions(rulesOf())
    const submissions = [1, 2, 3, 4].map((slotId) => submissionOf({ slotId, dataMarket: MARKET }))
    const together = prepare(submissions)
    expect(together.map(({ signer }) => signer)).toEqual([1, 2, 3, 4].map(addressOf))
    expect(together.map(({ digest }) => toHex(digest))).toEqual(submissions.map((s) => toHex(prepare([s])[0]!.digest)))
  })
})

test('behavior: keccak256 of the empty input', () => {
  expect(toHex(keccak256(''))).toBe('0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470')
  expect(fromHex('0x0aff')).toEqual(Buffer.from([10, 255]))
})

describe('what only a lenient reader takes for hex', () => {
  const good = submissionOf()
  const domain = domainOf(marketRules())
  /** Each digit in turn as a character whose low byte is that of the digit: U+0130 for 0, U+0141 for A. */
  const spoiled = [good.signature, good.signature.toUpperCase()].flatMap((text) =>
    [...text].map(
      (digit, at) => text.slice(0, at) + String.fromCharCode(digit.charCodeAt(0) + 0x100) + text.slice(at + 1),
    ),
  )
  test('error: a signature, wherever the character stands, here and in the audit', async () => {
    const reader = await createSignatureReader()
    expect(spoiled).toHaveLength(260)
    for (const signature of spoiled) {
      expect(Buffer.from(signature, 'hex')).toHaveLength(65)
      expect(recoverSigner({ ...good, signature }, domain).problem?.rule).toBe('a signature is r, s, v in hex')
      expect(reader.signer(digestOf(good, domain), signature)).toHaveProperty('fault')
    }
  })
  test('behavior: its text in a batch is what was sent', () => {
    const submissions = [good.signature, ...spoiled.slice(0, 3)].map((signature) => ({ ...good, signature }))
    const { frames, frameNumbers, signatures } = frameTexts(submissions.map((submission) => voteOf(submission)))
    const out = new TextBuffer(0)
    writeTexts(out, { frames, frameNumbers, signatures, slotIds: submissions.map(({ slotId }) => slotId) })
    const texts = JSON.parse(`[${Buffer.from(out.take()).toString()}]`) as string[]
    expect(texts.map((text) => JSON.parse(text).signature)).toEqual(submissions.map(({ signature }) => signature))
  })
  test.each(['', '0', 'ab', '0x0', '0xzz', '0x\u0130\u0130', '0xab '])(
    'error: %j is no 0x hex, here and in verify',
    (text) => {
      expect(() => fromHex(text)).toThrow(RangeError)
      expect(() => plainFromHex(text)).toThrow(RangeError)
    },
  )
})
