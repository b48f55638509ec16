import avro from 'avsc'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Codec, CodecError, createCodec, createSerde } from '../../schemas/codec.ts'
import { type AvroSchema, subjectSchema } from '../../schemas/load.ts'
import { memoryRegistry, type SchemaRegistry } from '../../schemas/registry.ts'
import { SUBJECTS, type Subject, type SubjectName } from '../../schemas/subjects.ts'
import type { Submission } from '../../schemas/types.ts'
import { arbitraryOf } from './arbitrary.ts'

let registry: SchemaRegistry
let codec: Codec
beforeAll(async () => {
  registry = memoryRegistry()
  codec = await createCodec(registry, 'test-')
})

const subjects = Object.entries<Subject>(SUBJECTS) as [SubjectName, Subject][]
const submission: Submission = {
  submissionId: '0c0f951b-c892-4dde-8426-e87d922cf8fa',
  slotId: 4036,
  deadline: 6624038,
  snapshotCid: 'bafkreihwyondy4kizuhvw2zzhzbueoeu725mxg57jsgwpaizummptvtjzy',
  epochId: 11267,
  projectId: 'pairContract_trade_volume:0xb4e16d:UNISWAPV2',
  signature: 'ab'.repeat(65),
  header: `0x${'0'.repeat(64)}`,
  dataMarket: '0x0C2E22fe7526fAeF28E7A58c84f8723dEFcE200c',
  nodeVersion: null,
  receivedAt: 1_700_000_000_000,
  position: null,
  digest: Buffer.alloc(0),
  fullNode: false,
}
const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(CodecError)
    return (error as CodecError).code
  }
  return 'none'
}

describe('round trip', () => {
  test.each(subjects)('behavior: %s gives back what was put in', (name, subject) => {
    const serde = codec.serde<unknown>(name)
    fc.assert(
      fc.property(arbitraryOf(subjectSchema(subject)), (value) => {
        expect(serde.decode(serde.encode(value))).toEqual(value)
      }),
      { numRuns: 60 },
    )
  })
})

describe('wire format', () => {
  test.each(subjects)(
    'behavior: %s is byte 0, id int32 big-endian, and what Avro itself writes',
    async (name, subject) => {
      const schema = subjectSchema(subject)
      const id = await registry.register(`test-${name}`, schema)
      const plain = avro.Type.forSchema(schema as avro.Schema)
      const wrapped = (value: unknown): unknown => {
        if (!Array.isArray(schema)) return value
        const branch = schema[subject.branch!(value as object)] as { name: string; namespace: string }
        return { [`${branch.namespace}.${branch.name}`]: value }
      }
      fc.assert(
        fc.property(arbitraryOf(schema), (value) => {
          const bytes = Buffer.from(codec.serde<unknown>(name).encode(value))
          expect(bytes[0]).toBe(0)
          expect(bytes.readInt32BE(1)).toBe(id)
          expect(bytes.subarray(5).equals(plain.toBuffer(wrapped(value)))).toBe(true)
        }),
        { numRuns: 20 },
      )
    },
  )

  test('behavior: a submission key has these bytes', async () => {
    const key = { dataMarket: 'ab', epochId: 64, projectId: '' }
    const id = await registry.register('test-submissions-key', subjectSchema(SUBJECTS['submissions-key']))
    const expected = Buffer.from([0, 0, 0, 0, id, 4, 0x61, 0x62, 0x80, 0x01, 0])
    expect(Buffer.from(codec.serde('submissions-key').encode(key))).toEqual(expected)
  })

  test('behavior: values larger than the scratch buffer, and after them small ones', () => {
    const serde = codec.serde<Submission>('submissions-value')
    const large = { ...submission, projectId: 'x'.repeat(1_000_000) }
    expect(serde.decode(serde.encode(large))).toEqual(large)
    expect(serde.decode(serde.encode(submission))).toEqual(submission)
  })

  test('behavior: an encoded value is not overwritten by the next', () => {
    const serde = codec.serde<Submission>('submissions-value')
    const first = serde.encode(submission)
    serde.encode({ ...submission, slotId: 1 })
    expect(serde.decode(first)).toEqual(submission)
  })

  test('behavior: bytes in a larger array buffer', () => {
    const serde = codec.serde<Submission>('submissions-value')
    const bytes = serde.encode(submission)
    const around = new Uint8Array(bytes.length + 20)
    around.set(bytes, 7)
    expect(serde.decode(around.subarray(7, 7 + bytes.length))).toEqual(submission)
  })

  test('behavior: the largest safe integer goes through, what lies above is refused on writing', () => {
    const serde = codec.serde<Submission>('submissions-value')
    const largest = { ...submission, slotId: Number.MAX_SAFE_INTEGER, receivedAt: Number.MAX_SAFE_INTEGER }
    expect(serde.decode(serde.encode(largest))).toEqual(largest)
    for (const slotId of [2 ** 53, -(2 ** 53), 0.5, Number.NaN])
      expect(() => serde.encode({ ...submission, slotId })).toThrow()
  })

  test('error: a long above 2^53 − 1 is refused on reading', () => {
    const bytes = Buffer.concat([
      Buffer.from(codec.serde('slots-key').encode({ slotId: 0 })).subarray(0, 5),
      Buffer.from('8080808080808020', 'hex'), // 2^53 as zigzag
    ])
    expect(codeOf(() => codec.serde('slots-key').decode(bytes))).toBe('UNREADABLE')
  })
})

describe('bytes that do not fit', () => {
  test('error: NOT_FRAMED without the magic byte or with less than a frame', () => {
    const serde = codec.serde('submissions-value')
    for (const bytes of [[], [0], [0, 0, 0, 0], [1, 0, 0, 0, 1, 0, 0]])
      expect(codeOf(() => serde.decode(Uint8Array.from(bytes)))).toBe('NOT_FRAMED')
  })

  test('error: UNKNOWN_SCHEMA for an id of another subject', () => {
    const bytes = codec.serde('slots-key').encode({ slotId: 1 })
    expect(codeOf(() => codec.serde('slots-value').decode(bytes))).toBe('UNKNOWN_SCHEMA')
  })

  test('error: UNREADABLE for trailing bytes, missing bytes, and a branch that does not exist', () => {
    const serde = codec.serde('submissions-value')
    const bytes = Buffer.from(serde.encode(submission))
    expect(codeOf(() => serde.decode(Buffer.concat([bytes, Buffer.from([0])])))).toBe('UNREADABLE')
    for (let length = 5; length < bytes.length; length++)
      expect(codeOf(() => serde.decode(bytes.subarray(0, length)))).toBe('UNREADABLE')
    for (const branch of [1, 3, 4, 255]) {
      const other = Buffer.from(bytes)
      other[5] = branch
      expect(codeOf(() => serde.decode(other))).toBe('UNREADABLE')
    }
  })

  test('error: UNREADABLE for an array count that the bytes cannot hold', () => {
    const serde = codec.serde('slots-value')
    const bytes = Buffer.from(serde.encode({ slotId: 1, history: [] }))
    const huge = Buffer.concat([bytes.subarray(0, bytes.length - 1), Buffer.from('feffffffffffff0f', 'hex')])
    expect(codeOf(() => serde.decode(huge))).toBe('UNREADABLE')
  })

  test('behavior: damaged bytes end in a value or a CodecError, soon', () => {
    for (const [name, subject] of subjects) {
      const serde = codec.serde<unknown>(name)
      const damage = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 6 })
      fc.assert(
        fc.property(arbitraryOf(subjectSchema(subject)), damage, (value, changes) => {
          const bytes = Buffer.from(serde.encode(value))
          for (const [at, byte] of changes) bytes[5 + (at % Math.max(1, bytes.length - 5))] = byte
          codeOf(() => serde.decode(bytes))
        }),
        { numRuns: 100 },
      )
    }
  })
})

describe('other versions', () => {
  const record = (fields: object[]): AvroSchema => ({ type: 'record', name: 'R', fields }) as AvroSchema
  const color = (symbols: string[]) => ({ type: 'enum', name: 'Color', symbols, default: 'UNKNOWN' })

  test('behavior: a record of an older version is read with the defaults of the newest', () => {
    const v1 = record([{ name: 'a', type: 'long' }])
    const v2 = record([
      { name: 'b', type: 'string', default: 'none' },
      { name: 'a', type: 'long' },
    ])
    const versions = [
      { id: 3, schema: v1 },
      { id: 9, schema: v2 },
    ]
    const older = createSerde('r', versions[0]!, versions)
    const newer = createSerde('r', versions[1]!, versions)
    expect(newer.decode(older.encode({ a: 7 }))).toEqual({ a: 7, b: 'none' })
    expect(older.decode(newer.encode({ a: 7, b: 'x' }))).toEqual({ a: 7 })
  })

  test('behavior: a symbol that the reader does not know becomes the default', () => {
    const versions = [
      { id: 1, schema: record([{ name: 'c', type: color(['UNKNOWN', 'RED']) }]) },
      { id: 2, schema: record([{ name: 'c', type: color(['UNKNOWN', 'RED', 'BLUE']) }]) },
    ]
    const older = createSerde('r', versions[0]!, versions)
    const newer = createSerde('r', versions[1]!, versions)
    expect(older.decode(newer.encode({ c: 'BLUE' }))).toEqual({ c: 'UNKNOWN' })
  })

  test('behavior: branches of a union are matched by name, whatever their order', () => {
    const named = (name: string, field: string): AvroSchema =>
      ({ type: 'record', name, fields: [{ name: field, type: 'long' }] }) as AvroSchema
    const versions = [
      { id: 1, schema: [named('A', 'a'), named('B', 'b')] },
      { id: 2, schema: [named('B', 'b'), named('C', 'c'), named('A', 'a')] },
    ]
    const older = createSerde('u', versions[0]!, versions, (value) => ('a' in value ? 0 : 1))
    const newer = createSerde('u', versions[1]!, versions, (value) => ('b' in value ? 0 : 'c' in value ? 1 : 2))
    expect(newer.decode(older.encode({ a: 1 }))).toEqual({ a: 1 })
    expect(newer.decode(older.encode({ b: 2 }))).toEqual({ b: 2 })
    expect(codeOf(() => older.decode(newer.encode({ c: 3 })))).toBe('UNREADABLE')
  })

  test('behavior: createCodec reads what an earlier version of a subject wrote', async () => {
    const content = memoryRegistry()
    const now = subjectSchema(SUBJECTS['slots-key']) as unknown as { fields: object[] }
    const before = {
      ...now,
      fields: [...now.fields, { name: 'gone', type: 'string', default: '' }],
    } as unknown as AvroSchema
    const id = await content.register('slots-key', before)
    const written = createSerde('slots-key', { id, schema: before }, []).encode({ slotId: 5, gone: 'x' })
    expect((await createCodec(content)).serde('slots-key').decode(written)).toEqual({ slotId: 5 })
  })
})
