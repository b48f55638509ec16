/** The plain implementations that verify and audit share, against vectors from outside. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { TypedDataEncoder, Wallet } from 'ethers'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { batchBytes, parseBatch, parseSubmission, submissionText } from '../../../../ops/check/verify/batch-json.ts'
import { cidsOf } from '../../../../ops/check/verify/cid.ts'
import { createKeccak256, type Keccak, toHex } from '../../../../ops/check/verify/keccak.ts'
import { rootDigest } from '../../../../ops/check/verify/merkle.ts'
import {
  createSignatureReader,
  type SignatureReader,
  type SigningDomain,
} from '../../../../ops/check/verify/signature.ts'

const vector = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../vectors/${name}.json`, import.meta.url), 'utf8'))

let keccak: Keccak
let reader: SignatureReader
beforeAll(async () => {
  keccak = await createKeccak256()
  reader = await createSignatureReader()
})

describe('merkle', () => {
  const vectors = (vector('imt').vectors as { name: string; leaves?: string[]; keccakRoot: string }[]).filter(
    ({ leaves }) => leaves && leaves.length > 0,
  )
  test.each(vectors)('behavior: $name', ({ leaves, keccakRoot }) => {
    expect(rootDigest(keccak, leaves!)).toBe(keccakRoot)
  })
})

describe('large trees', () => {
  test('behavior: more than 1,024 leaves, as level by level', () => {
    const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest()
    const texts = Array.from({ length: 3_001 }, (_, i) => `leaf ${i}`)
    let level: Uint8Array[] = texts.map((text) => sha256(Buffer.from(text)))
    let zero: Uint8Array = Buffer.alloc(32)
    for (let depth = 0; depth < 32; depth++) {
      if (level.length % 2 === 1) level.push(zero)
      level = Array.from({ length: level.length / 2 }, (_, i) => sha256(level[2 * i]!, level[2 * i + 1]!))
      zero = sha256(zero, zero)
    }
    expect(rootDigest(keccak, texts)).toBe(toHex(keccak(level[0]!)))
  })
})

interface Signed {
  domain: { chainId: number; verifyingContract: string }
  message: { slotId: string; deadline: string; snapshotCid: string; epochId: string; projectId: string }
  signature: string
  digest: string
  address: string
  why?: string
}
const domainOf = ({ domain }: Signed): SigningDomain => ({
  chainId: domain.chainId,
  protocolState: domain.verifyingContract,
})
const requestOf = ({ message }: Signed) => ({
  ...message,
  slotId: BigInt(message.slotId),
  deadline: BigInt(message.deadline),
  epochId: BigInt(message.epochId),
})
const digestOf = (signed: Signed) => reader.digest(reader.domainSeparator(domainOf(signed)), requestOf(signed))

describe('signature', () => {
  const { signed, real, negative, malleable, types } = vector('eip712')

  test.each([...signed, ...real] as Signed[])('behavior: slot $message.slotId signed by $address', (item) => {
    expect(toHex(digestOf(item))).toBe(item.digest)
    expect(reader.signer(digestOf(item), item.signature)).toEqual({ address: item.address.toLowerCase() })
  })

  test.each(negative as Signed[])('error: $why', (item) => {
    const signer = reader.signer(digestOf(item), item.signature)
    expect('fault' in signer || signer.address !== signed[0].address.toLowerCase()).toBe(true)
  })

  test('error: the high-s form of a good signature', () => {
    expect(reader.signer(digestOf(malleable), malleable.signature)).toHaveProperty('fault')
  })

  test('behavior: digest and signer are those of ethers', async () => {
    const wallet = new Wallet(`0x${'42'.repeat(32)}`)
    const address = `0x${'0123456789'.repeat(4)}`
    const domain = { name: 'PowerloomProtocolContract', version: '0.1', chainId: 77, verifyingContract: address }
    const uint = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n })
    const message = fc.record({
      slotId: uint,
      deadline: uint,
      snapshotCid: fc.string({ unit: 'grapheme' }),
      epochId: uint,
      projectId: fc.string({ unit: 'grapheme' }),
    })
    await fc.assert(
      fc.asyncProperty(message, async (request) => {
        const digest = reader.digest(reader.domainSeparator({ chainId: 77, protocolState: address }), request)
        expect(toHex(digest)).toBe(TypedDataEncoder.hash(domain, types, request))
        const signature = (await wallet.signTypedData(domain, types, request)).slice(2)
        expect(reader.signer(digest, signature)).toEqual({ address: wallet.address.toLowerCase() })
      }),
      { numRuns: 30 },
    )
  })
})

describe('batch JSON', () => {
  const vectors = vector('protojson').vectors as { name: string; goJsonInput: string; protojson: string }[]
  test.each(vectors.filter(({ name }) => name !== 'nil request'))(
    'behavior: protojson of $name',
    ({ goJsonInput, protojson }) => {
      // JSON.parse would round the largest integers; a batch has them as strings
      const quoted = goJsonInput.replace(/"(slotId|deadline|epochId)":(\d+)/g, '"$1":"$2"')
      expect(submissionText(parseSubmission(quoted))).toBe(protojson)
      expect(submissionText(parseSubmission(protojson))).toBe(protojson)
    },
  )

  test('error: a submission without a request', () => {
    const { goJsonInput } = vectors.find(({ name }) => name === 'nil request')!
    expect(() => parseSubmission(goJsonInput)).toThrow('request')
  })

  test('behavior: an extra space after each colon, as some builds write it, is taken out', () => {
    const { protojson } = vector('protojson').vectors[0] as { protojson: string }
    expect(submissionText(parseSubmission(protojson.replaceAll('": ', '":  ')))).toBe(protojson)
  })

  test("behavior: Go's escapes inside strings", () => {
    const batch = { submissionIDs: [], submissions: [], roothash: '', pids: ['a<b>&\u2028\u2029é/'], cids: [] }
    expect(batchBytes(batch).toString()).toContain('"a\\u003cb\\u003e\\u0026\\u2028\\u2029é/"')
    expect(parseBatch(batchBytes(batch))).toEqual(batch)
  })

  test.each([
    ['NOT_JSON', 'x'],
    ['NOT_JSON', '{"a":'],
    ['NOT_A_BATCH', '[]'],
    ['NOT_A_BATCH', '{"submissionIDs":[1]}'],
  ])('error: %s for %s', (code, text) => {
    expect(() => parseBatch(Buffer.from(text))).toThrow(expect.objectContaining({ code }))
  })

  test('error: bytes that are no UTF-8', () => {
    expect(() => parseBatch(Uint8Array.from([0x22, 0xff, 0x22]))).toThrow(expect.objectContaining({ code: 'NOT_JSON' }))
  })
})

describe('CID', () => {
  test('behavior: the well-known file', async () => {
    expect(await cidsOf(Buffer.from('hello world\n'))).toEqual({
      v0: 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o',
      v1: 'bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4',
    })
  })
  test('behavior: more than one chunk is dag-pb', async () => {
    expect((await cidsOf(Buffer.alloc(300_000))).v1).toMatch(/^bafybei/)
  })
})
