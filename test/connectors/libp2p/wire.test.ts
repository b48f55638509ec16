import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  EVIDENCE_BYTES_MAX,
  FRAME_BYTES_MAX,
  type Frame,
  FrameDecoder,
  type FramingProblem,
} from '../../../connectors/libp2p/framing.ts'
import { decodeSubmission, LENGTH_MAX } from '../../../connectors/libp2p/wire.ts'

interface Vectors {
  readonly messages: readonly { name: string; uuid: string; goJson: string; wireHex: string }[]
  readonly streams: readonly { name: string; bytesUtf8: string; messages: readonly string[] }[]
  readonly malformed: readonly { name: string; bytesUtf8: string }[]
}
const vectors = JSON.parse(readFileSync(new URL('../../vectors/wire.json', import.meta.url), 'utf8')) as Vectors

const UUID = '0a0b0c0d-1111-4222-8333-00000000000f'
const RECEIVED_AT = 1_700_000_000_000

/** The frames of a stream that comes in chunks of `size` bytes, copied since they are views. */
function read(bytes: Buffer, size = bytes.length, decoder = new FrameDecoder()) {
  const frames: Frame[] = []
  const oversize: FramingProblem[] = []
  let skipped = 0
  for (let at = 0; at < bytes.length; at += size) {
    const { frames: some, oversize: long, skippedBytes, problem } = decoder.push(bytes.subarray(at, at + size))
    frames.push(...some.map((frame) => ({ ...frame, bytes: Buffer.from(frame.bytes), json: Buffer.from(frame.json) })))
    oversize.push(...long)
    skipped += skippedBytes
    if (problem) return { frames, oversize, skipped, problem, decoder }
  }
  return { frames, oversize, skipped, problem: undefined, decoder }
}

const decode = (json: string) => {
  const { frames, problem } = read(Buffer.from(UUID + json))
  if (problem || frames.length !== 1) throw new Error(`no single frame: ${problem?.message}`)
  return decodeSubmission(frames[0]!, RECEIVED_AT)
}
const withRequest = (fields: string) => decode(`{"request":{${fields}},"signature":"00"}`)

describe('messages of real collectors', () => {
  const refused = ['max uint64', 'nil request']
  for (const { name, uuid, goJson, wireHex } of vectors.messages)
    test(`default: ${name}`, () => {
      const { frames, problem } = read(Buffer.from(wireHex, 'hex'))
      expect(problem).toBeUndefined()
      expect(frames.map(({ submissionId }) => submissionId)).toEqual([uuid])
      const decoded = decodeSubmission(frames[0]!, RECEIVED_AT)
      if (refused.includes(name)) return expect(decoded).toMatchObject({ unframed: false })
      const { request, ...rest } = JSON.parse(goJson)
      expect(decoded.submission).toEqual({
        submissionId: uuid,
        slotId: 0,
        deadline: 0,
        epochId: 0,
        snapshotCid: '',
        projectId: '',
        signature: '',
        header: '',
        dataMarket: '',
        nodeVersion: null,
        ...request,
        ...rest,
        receivedAt: RECEIVED_AT,
        position: null,
        digest: Buffer.alloc(0),
        fullNode: false,
        signer: '',
        headerBlock: -1,
        contested: false,
      })
    })

  for (const { name, bytesUtf8, messages } of vectors.streams)
    for (const size of [1, 7, 36, 37, 500, 1_000_000])
      test(`behavior: ${name}, in chunks of ${size}`, () => {
        const { frames, problem } = read(Buffer.from(bytesUtf8), size)
        expect(problem).toBeUndefined()
        expect(frames.map(({ submissionId }) => submissionId)).toEqual(messages)
        for (const frame of frames) expect(decodeSubmission(frame, 0).submission).toBeDefined()
      })
})

describe('malformed vectors', () => {
  const bytesOf = (name: string) =>
    Buffer.from(vectors.malformed.find((vector) => vector.name.startsWith(name))!.bytesUtf8)

  test('behavior: a message cut off by the end of the stream is kept, not delivered', () => {
    const { frames, problem, decoder } = read(bytesOf('truncated'))
    expect({ frames, problem, unfinished: decoder.unfinishedBytes }).toEqual({
      frames: [],
      problem: undefined,
      unfinished: 300,
    })
    expect(read(bytesOf('<36')).decoder.unfinishedBytes).toBe(4)
  })
  test('error: an id that is no UUID', () => {
    expect(read(bytesOf('uuid')).problem).toMatchObject({ reason: 'MALFORMED' })
  })
  test('behavior: numbers as decimal strings are taken', () => {
    const { frames } = read(bytesOf('slotId as string'))
    expect(decodeSubmission(frames[0]!, 0).submission?.slotId).toBe(4036)
  })
  test('behavior: longer than one read of the deployed listener', () => {
    const { frames } = read(bytesOf('message > 1024'), 1024)
    expect(decodeSubmission(frames[0]!, 0).submission?.projectId.length).toBeGreaterThan(700)
  })
})

describe('framing', () => {
  const garbage = {
    'no dash where one belongs': `${UUID.replaceAll('-', '0')}{}`,
    'a dash where a digit belongs': `-${UUID.slice(1)}{}`,
    'something else than an object': `${UUID}[]`,
    'white space before the object': `${UUID} {}`,
    'a newline after the object': `${UUID}{}\n${UUID}{}`,
    'a brace too many': `${UUID}{}}`,
  }
  for (const [name, text] of Object.entries(garbage))
    test(`error: ${name}`, () => {
      const { problem, decoder } = read(Buffer.from(text), 1)
      expect(problem?.reason).toBe('MALFORMED')
      expect(decoder.push(Buffer.from(`${UUID}{}`)).frames).toEqual([])
      expect(decoder.partialBytes).toBe(0)
    })

  test('error: the first wrong byte is enough', () => {
    expect(new FrameDecoder().push(Buffer.from('GET / HTTP/1.1')).problem?.message).toContain('0x47 at 0')
  })

  const frameOf = (length: number, fill = 'x') =>
    Buffer.from(`${UUID}{"a":"${fill.repeat(length).slice(44 - length)}"}`)

  for (const size of [1, 37, 100, 4_096, 1_000_000])
    test(`error: one that is too long is passed over up to its end, in chunks of ${size}`, () => {
      const good = Buffer.from(`${UUID}{"b":"}"}`)
      const long = [frameOf(FRAME_BYTES_MAX + 1), frameOf(200_000, '}{\\"')]
      const { frames, oversize, skipped, problem, decoder } = read(
        Buffer.concat([good, long[0]!, good, long[1]!, long[0]!, good]),
        size,
      )
      expect(problem).toBeUndefined()
      expect(frames.map(({ json }) => json.toString())).toEqual(Array(3).fill('{"b":"}"}'))
      expect(oversize).toEqual(
        [long[0]!, long[1]!, long[0]!].map((bytes) => ({
          reason: 'OVERSIZE',
          message: `${bytes.length} bytes, and ${FRAME_BYTES_MAX} are taken`,
          evidence: bytes.subarray(0, EVIDENCE_BYTES_MAX),
        })),
      )
      expect(skipped).toBe(2 * long[0]!.length + long[1]!.length)
      expect([decoder.partialBytes, decoder.unfinishedBytes]).toEqual([0, 0])
    })
  test('error: what is longer than is passed over ends the stream, and holds little memory until then', () => {
    const decoder = new FrameDecoder(1_000, 5_000)
    const { problem, oversize } = read(frameOf(5_000), 4_999, decoder)
    expect([problem, oversize.length]).toEqual([undefined, 1])
    const long = frameOf(5_001)
    expect(read(long.subarray(0, 4_999), 100, decoder)).toMatchObject({ problem: undefined, oversize: [] })
    expect([decoder.partialBytes, decoder.unfinishedBytes]).toEqual([EVIDENCE_BYTES_MAX, 4_999])
    const ended = read(long.subarray(4_999), 1, decoder)
    expect(ended.problem).toEqual({
      reason: 'OVERSIZE',
      message: 'more than 5000 bytes without an end',
      evidence: long.subarray(0, EVIDENCE_BYTES_MAX),
    })
    expect(decoder.push(Buffer.from(`${UUID}{}`)).frames).toEqual([])
  })
  test('args: exactly the bound passes, one more byte does not', () => {
    for (const size of [33, 1_000_000]) {
      expect(read(frameOf(FRAME_BYTES_MAX), size).frames).toHaveLength(1)
      expect(read(frameOf(FRAME_BYTES_MAX + 1), size)).toMatchObject({ frames: [], oversize: [{ reason: 'OVERSIZE' }] })
    }
  })
  test('behavior: messages before a problem are delivered', () => {
    const { frames, problem } = read(Buffer.from(`${UUID}{}${UUID}{"b":{}}garbage`))
    expect(frames.map(({ json }) => json.toString())).toEqual(['{}', '{"b":{}}'])
    expect(problem?.evidence.toString()).toBe('garbage')
  })
  test('behavior: escapes at every cut', () => {
    const text = `${UUID}{"a":"\\\\","b":"\\"}{","c\\\\\\"}":"\\u007d"}`
    for (let cut = 1; cut < text.length; cut++) {
      const decoder = new FrameDecoder()
      const frames = [text.slice(0, cut), text.slice(cut)].flatMap((part) =>
        decoder.push(Buffer.from(part)).frames.map(({ json }) => json.toString()),
      )
      expect(frames).toEqual([text.slice(36)])
    }
  })
  test('behavior: a dribble of single bytes costs no more per byte at the end than at the start', () => {
    const bytes = Buffer.from(`${UUID}{"a":"${'\\\\'.repeat(30_000)}`)
    const decoder = new FrameDecoder()
    let copied = 0
    let held = 0
    for (const byte of bytes) {
      decoder.push(Buffer.of(byte))
      if (decoder.partialBytes !== held) copied += held
      held = decoder.partialBytes
    }
    expect(copied).toBeLessThan(2 * bytes.length)
    expect(held).toBeLessThanOrEqual(FRAME_BYTES_MAX)
  })
  test('behavior: an upper-case id is read as its lower-case form', () => {
    expect(read(Buffer.from(`${UUID.toUpperCase()}{}`)).frames[0]?.submissionId).toBe(UUID)
  })
})

describe('fields', () => {
  const notIntegers = ['-1', '-0', '1.5', '1.0', '1e3', '4036.0000000000000001', '9007199254740992', '9007199254740993',
    '18446744073709551615', '1E400', '"-1"', '"1.0"', '"007"', '"9007199254740993"', '"99999999999999999999"', '""', '"0x1"',
    'true', '[1]', '{}'] // biome-ignore format: a table
  for (const value of notIntegers)
    test(`error: slotId ${value}`, () => {
      expect(withRequest(`"slotId":${value}`)).toEqual({ problem: expect.stringContaining('slotId'), unframed: false })
    })
  for (const [value, expected] of [
    ['9007199254740991', 2 ** 53 - 1],
    ['"9007199254740991"', 2 ** 53 - 1],
    ['0', 0],
    ['null', 0],
    ['"0"', 0],
  ])
    test(`args: slotId ${value}`, () => expect(withRequest(`"slotId":${value}`).submission?.slotId).toBe(expected))

  test('behavior: a number that is not plain elsewhere changes nothing', () => {
    const decoded = decode('{"request":{"slotId":7,"projectId":"a-1.5e3\\"-0\\\\"},"extra":[-1.5e-3,true,"-0.1"]}')
    expect(decoded.submission).toMatchObject({ slotId: 7, projectId: 'a-1.5e3"-0\\' })
  })
  test('behavior: unknown fields are passed over, also such that name a prototype', () => {
    const decoded = decode(
      '{"__proto__":{"signature":"f"},"x":{"request":1},"request":{"__proto__":{"slotId":5},"slotId":1}}',
    )
    expect(decoded.submission).toMatchObject({ slotId: 1, signature: '' })
  })
  for (const json of ['{}', '{"request":null}', '{"request":[]}', '{"request":"x"}', '{"Request":1}'])
    test(`error: no request in ${json}`, () => {
      expect(decode(json)).toEqual({ problem: 'request is missing or no object', unframed: false })
    })
  for (const json of ['{bad}', '{"request":{},}', "{'a':1}", '{"a":01}', '{"a":"\n"}'])
    test(`error: no JSON: ${JSON.stringify(json)}`, () => expect(decode(json)).toMatchObject({ unframed: true }))

  test('error: bytes that are no UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from(`${UUID}{"request":{"projectId":"`), Buffer.of(0xff), Buffer.from('"}}')])
    expect(decodeSubmission(read(bytes).frames[0]!, 0)).toMatchObject({ unframed: true })
  })
  test('error: half of a surrogate pair', () => {
    expect(withRequest('"projectId":"\\ud83d"')).toMatchObject({ problem: 'projectId holds half of a surrogate pair' })
    expect(withRequest('"projectId":"\\ud83d\\ude00"').submission?.projectId).toBe('😀')
  })
  test('error: longer in bytes than in characters', () => {
    const field = (count: number) => `"projectId":"${'é'.repeat(count)}"`
    expect(withRequest(field(LENGTH_MAX.projectId / 2)).submission).toBeDefined()
    expect(withRequest(field(LENGTH_MAX.projectId / 2 + 1)).problem).toMatch('projectId is longer')
  })
  for (const [name, max] of Object.entries(LENGTH_MAX))
    test(`args: ${name} up to ${max}`, () => {
      const inRequest = name === 'projectId' || name === 'snapshotCid'
      const json = (length: number) => {
        const field = `"${name}":"${'a'.repeat(length)}"`
        return inRequest ? `{"request":{${field}}}` : `{"request":{},${field}}`
      }
      expect(decode(json(max)).submission).toBeDefined()
      expect(decode(json(max + 1))).toMatchObject({ problem: `${name} is longer than ${max} bytes` })
      expect(decode(json(1).replace('"a"', '5'))).toMatchObject({ problem: `${name} is no string` })
    })
})
