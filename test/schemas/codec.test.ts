import avro from 'avsc'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Codec, createCodec, createSerde } from '../../schemas/codec.ts'
import { CodecError } from '../../schemas/codec-error.ts'
import { type AvroSchema, subjectSchema } from '../../schemas/load.ts'
import { memoryRegistry, NotAvroError, type RegisteredSchema, type SchemaRegistry } from '../../schemas/registry.ts'
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
  signer: '',
  headerBlock: -1,
  contested: false,
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

  test('behavior: texts of any length and alphabet are what Avro itself writes', () => {
    const plain = avro.Type.forSchema(subjectSchema(SUBJECTS['finalizations-key']) as avro.Schema)
    const serde = codec.serde<unknown>('finalizations-key')
    for (const text of ['x', 'ü', '\u{1f600}', 'x\u{1f600}'])
      for (let repeats = 0; repeats < 140; repeats++) {
        const key = { dataMarket: text.repeat(repeats), epochId: 1 }
        expect(Buffer.from(serde.encode(key)).subarray(5).equals(plain.toBuffer(key))).toBe(true)
      }
  })

  test('behavior: values larger than the shared buffer, and after them small ones', () => {
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

  test('behavior: nor by any that follow, of whatever size', () => {
    const serde = codec.serde<Submission>('submissions-value')
    const sizes = fc.array(fc.nat({ max: 20_000 }), { minLength: 20, maxLength: 40 })
    fc.assert(
      fc.property(sizes, (lengths) => {
        const values = lengths.map((length) => ({ ...submission, projectId: 'p'.repeat(length) }))
        const encoded = values.map((value) => serde.encode(value))
        expect(encoded.map((bytes) => serde.decode(bytes))).toEqual(values)
      }),
      { numRuns: 20 },
    )
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

  test('error: UNREADABLE for a record of another subject', () => {
    const bytes = codec.serde('slots-key').encode({ slotId: 1 })
    expect(codeOf(() => codec.serde('slots-value').decode(bytes))).toBe('UNREADABLE')
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
  const byId = (versions: readonly RegisteredSchema[]) => new Map(versions.map(({ id, schema }) => [id, schema]))
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
    const older = createSerde('r', versions[0]!, byId(versions))
    const newer = createSerde('r', versions[1]!, byId(versions))
    expect(newer.decode(older.encode({ a: 7 }))).toEqual({ a: 7, b: 'none' })
    expect(older.decode(newer.encode({ a: 7, b: 'x' }))).toEqual({ a: 7 })
  })

  test('behavior: a symbol that the reader does not know becomes the default', () => {
    const versions = [
      { id: 1, schema: record([{ name: 'c', type: color(['UNKNOWN', 'RED']) }]) },
      { id: 2, schema: record([{ name: 'c', type: color(['UNKNOWN', 'RED', 'BLUE']) }]) },
    ]
    const older = createSerde('r', versions[0]!, byId(versions))
    const newer = createSerde('r', versions[1]!, byId(versions))
    expect(older.decode(newer.encode({ c: 'BLUE' }))).toEqual({ c: 'UNKNOWN' })
  })

  test('behavior: branches of a union are matched by name, whatever their order', () => {
    const named = (name: string, field: string): AvroSchema =>
      ({ type: 'record', name, fields: [{ name: field, type: 'long' }] }) as AvroSchema
    const versions = [
      { id: 1, schema: [named('A', 'a'), named('B', 'b')] },
      { id: 2, schema: [named('B', 'b'), named('C', 'c'), named('A', 'a')] },
    ]
    const older = createSerde('u', versions[0]!, byId(versions), (value) => ('a' in value ? 0 : 1))
    const newer = createSerde('u', versions[1]!, byId(versions), (value) => ('b' in value ? 0 : 'c' in value ? 1 : 2))
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
    const written = createSerde('slots-key', { id, schema: before }, new Map()).encode({ slotId: 5, gone: 'x' })
    expect((await createCodec(content)).serde('slots-key').decode(written)).toEqual({ slotId: 5 })
  })

  test('behavior: what was no union is read as a branch of one, and the reverse', () => {
    const [single, union] = [record([{ name: 'a', type: 'long' }]), [record([{ name: 'a', type: 'long' }])]]
    const versions = [
      { id: 1, schema: single },
      { id: 2, schema: union },
    ]
    const plain = createSerde('u', versions[0]!, byId(versions))
    const branched = createSerde('u', versions[1]!, byId(versions), () => 0)
    expect(branched.decode(plain.encode({ a: 7 }))).toEqual({ a: 7 })
    expect(plain.decode(branched.encode({ a: 7 }))).toEqual({ a: 7 })
  })

  test('error: a schema that cannot be read as the newest, or is not Avro, says so', () => {
    const newest = { id: 1, schema: record([{ name: 'a', type: 'long' }]) }
    const writer = { id: 2, schema: record([{ name: 'a', type: 'string' }]) }
    const bytes = createSerde('r', writer, new Map()).encode({ a: 'x' })
    const reading = (schema: AvroSchema | NotAvroError) => createSerde('r', newest, new Map([[2, schema]]))
    expect(() => reading(writer.schema).decode(bytes)).toThrow(
      'r: R of schema id 2 cannot be read as the newest version',
    )
    expect(() => reading(new NotAvroError(2, 'it is of another kind')).decode(bytes)).toThrow(/schema id 2 is no Avro/)
  })
})

describe('schemas that were not known at the start', () => {
  const foreign = { ...(subjectSchema(SUBJECTS['slots-key']) as object), doc: 'of another writer' } as AvroSchema

  test('behavior: a record of one is missing its schema until that is learned, then every serde reads it', async () => {
    const [mine, theirs] = [memoryRegistry(), memoryRegistry()]
    for (let at = 0; at < 100; at++) await theirs.register('filler', { type: 'enum', name: `F${at}`, symbols: [] })
    const late = await createCodec({ ...mine, schemaOf: theirs.schemaOf })
    const id = await theirs.register('slots-key', foreign)
    const bytes = createSerde('slots-key', { id, schema: foreign }, new Map()).encode({ slotId: 5 })
    const { decode } = late.serde<{ slotId: number }>('slots-key')
    expect([late.missing(bytes), codeOf(() => decode(bytes))]).toEqual([id, 'UNKNOWN_SCHEMA'])
    await late.learn(id)
    expect([late.missing(bytes), decode(bytes)]).toEqual([undefined, { slotId: 5 }])
  })

  test('behavior: bytes of a known schema, no frame and a tombstone miss nothing', () => {
    const known = codec.serde('slots-key').encode({ slotId: 1 })
    const misses = [known, Buffer.from('plain text'), Buffer.alloc(4), null].map((bytes) => codec.missing(bytes))
    expect(misses).toEqual([undefined, undefined, undefined, undefined])
  })

  test('behavior: a registry is asked once at a time for an id, again after it failed, and never after it answered', async () => {
    let calls = 0
    const failing = { ...memoryRegistry() }
    const slow = await createCodec({
      ...failing,
      schemaOf: async () => {
        if (++calls === 1) throw new Error('away')
        return foreign
      },
    })
    await Promise.allSettled([slow.learn(900), slow.learn(900)])
    expect(calls).toBe(1)
    await Promise.all([slow.learn(900), slow.learn(900)])
    await slow.learn(900)
    expect(calls).toBe(2)
  })

  test('error: an id that stands for no Avro schema is learned as such', async () => {
    const protobuf = async (id: number): Promise<AvroSchema> => Promise.reject(new NotAvroError(id, 'it is Protobuf'))
    const other = await createCodec({ ...memoryRegistry(), schemaOf: protobuf })
    await other.learn(900)
    const bytes = Buffer.from([0, 0, 0, 3, 0x84, 2])
    expect([other.missing(bytes), codeOf(() => other.serde('slots-key').decode(bytes))]).toEqual([
      undefined,
      'UNREADABLE',
    ])
  })
})
