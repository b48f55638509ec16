/** What must hold of the wire decoder for any bytes; run in CI and, with more frames, by `npm run fuzz`. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { EVIDENCE_BYTES_MAX, FRAME_BYTES_MAX, FrameDecoder } from '../../connectors/libp2p/framing.ts'
import { decodeSubmission, LENGTH_MAX } from '../../connectors/libp2p/wire.ts'
import { cut, mutate, mutations, places, stream } from './frames.ts'

export interface Property {
  readonly name: string
  /** Frames that the decoder meets in one run, on average. */
  readonly framesPerRun: number
  readonly property: fc.IRawProperty<unknown, false>
}

/** Everything that can be said of any chunks: no throw, bounded memory, silence after a problem. */
function feed(chunks: readonly Buffer[]) {
  const decoder = new FrameDecoder()
  const submissions = []
  let problem: string | undefined
  for (const chunk of chunks) {
    const framed = decoder.push(chunk)
    assert(problem === undefined || framed.frames.length === 0, 'nothing is read after a problem')
    assert(decoder.partialBytes <= FRAME_BYTES_MAX, 'memory is bounded')
    for (const frame of framed.frames) {
      assert(frame.bytes.length <= FRAME_BYTES_MAX)
      submissions.push(decodeSubmission(frame, 1))
    }
    problem ??= framed.problem?.reason
    assert((framed.problem?.evidence.length ?? 0) <= EVIDENCE_BYTES_MAX)
  }
  for (const { submission } of submissions)
    if (submission) {
      for (const number of [submission.slotId, submission.deadline, submission.epochId])
        assert(Number.isSafeInteger(number) && number >= 0 && !Object.is(number, -0))
      for (const [name, max] of Object.entries(LENGTH_MAX))
        assert(Buffer.byteLength(submission[name as keyof typeof LENGTH_MAX] ?? '') <= max)
    }
  return { submissions, problem }
}

const valid = fc.property(stream, places, (messages, at) => {
  const { submissions, problem } = feed(cut(Buffer.concat(messages.map(({ bytes }) => bytes)), at))
  assert.equal(problem, undefined)
  assert.equal(submissions.length, messages.length)
  for (const [i, { submission }] of submissions.entries()) {
    const { id, body } = messages[i]!
    const { request, ...rest } = body
    const given = Object.entries({ submissionId: id, ...request, ...rest }).filter(([, value]) => value !== undefined)
    assert(submission)
    for (const [name, value] of given) assert.deepEqual(submission[name as keyof typeof submission], value)
  }
})

const mutated = fc.property(stream, mutations, places, (messages, changes, at) => {
  feed(cut(mutate(Buffer.concat(messages.map(({ bytes }) => bytes)), changes), at))
})

const chunksDoNotMatter = fc.property(stream, mutations, places, (messages, changes, at) => {
  const bytes = mutate(Buffer.concat(messages.map((message) => message.bytes)), changes)
  assert.deepEqual(feed(cut(bytes, at)), feed([bytes]))
})

const noise = fc.property(fc.uint8Array({ maxLength: 4_096 }), places, (bytes, at) => {
  feed(cut(Buffer.from(bytes), at))
})

/** Behind a valid id and brace anything may come: the object's own scanner meets it. */
const noisyObject = fc.property(fc.uuid(), fc.uint8Array({ maxLength: 2_048 }), places, (id, bytes, at) => {
  feed(cut(Buffer.concat([Buffer.from(`${id}{`), bytes]), at))
})

/** JSON-like tokens in any order: braces, quotes and escapes meet far more often than in plain noise. */
const tokens = fc.constantFrom(
  '{',
  '}',
  '"',
  '\\',
  '[',
  ']',
  ',',
  ':',
  '1',
  '-0',
  '1e5',
  'true',
  'null',
  'é',
  '\\ud800',
  '"request"',
  '"slotId"',
)
const tokenSoup = fc.property(fc.uuid(), fc.array(tokens, { maxLength: 300 }), places, (id, parts, at) => {
  feed(cut(Buffer.from(`${id}{${parts.join('')}`), at))
})

export const PROPERTIES: readonly Property[] = [
  { name: 'a valid stream in any chunks gives the same messages', framesPerRun: 4, property: valid },
  { name: 'changed bytes never throw and never take more memory', framesPerRun: 3, property: mutated },
  {
    name: 'the cut into chunks changes nothing, also of a broken stream',
    framesPerRun: 6,
    property: chunksDoNotMatter,
  },
  { name: 'noise is refused', framesPerRun: 1, property: noise },
  { name: 'noise inside an object', framesPerRun: 1, property: noisyObject },
  { name: 'JSON tokens in any order', framesPerRun: 1, property: tokenSoup },
] as readonly Property[]

/** Runs of each property for about `frames` frames in total. */
export const runsFor = ({ framesPerRun }: Property, frames: number): number =>
  Math.ceil(frames / PROPERTIES.length / framesPerRun)
