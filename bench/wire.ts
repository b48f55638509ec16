/** The cost of the wire decoder for one message of a collector (585 bytes). Run: npx tsx bench/wire.ts */
import { readFileSync } from 'node:fs'
import { FrameDecoder } from '../connectors/libp2p/framing.ts'
import { decodeSubmission } from '../connectors/libp2p/wire.ts'
import type { BenchRow } from './rows.ts'

const MESSAGES = 400_000
const ROUNDS = 5

export function benchWire(): BenchRow[] {
  const vectors = new URL('../test/vectors/wire.json', import.meta.url)
  const { wireHex } = JSON.parse(readFileSync(vectors, 'utf8')).messages[0]
  const message = Buffer.from(wireHex, 'hex')
  const sixteen = Buffer.concat(Array(16).fill(message))
  const parts = Array.from({ length: Math.ceil(sixteen.length / 1_000) }, (_, i) =>
    sixteen.subarray(i * 1_000, (i + 1) * 1_000),
  )
  return [
    row('wire: frame', [message], 1, false),
    row('wire: frame and decode', [message], 1, true),
    row('wire: frame and decode, 16 messages in a chunk', [sixteen], 16, true),
    row('wire: frame and decode, chunks of 1,000 bytes', parts, 16, true),
  ]
}

function row(name: string, chunks: readonly Buffer[], messages: number, decoded: boolean): BenchRow {
  const micros = Array.from({ length: ROUNDS }, () => round(chunks, messages, decoded)).sort((a, b) => a - b)
  const value = micros[ROUNDS >> 1]!
  return { name, value, unit: 'µs/message', conditions: `585-byte messages, median of ${ROUNDS} × ${MESSAGES}` }
}

function round(chunks: readonly Buffer[], messages: number, decoded: boolean): number {
  const decoder = new FrameDecoder()
  let taken = 0
  const started = performance.now()
  for (let sent = 0; sent < MESSAGES; sent += messages)
    for (const chunk of chunks)
      for (const frame of decoder.push(chunk).frames) if (!decoded || decodeSubmission(frame, 1).submission) taken++
  const elapsedMs = performance.now() - started
  if (taken !== MESSAGES) throw new Error(`${taken} of ${MESSAGES} messages`)
  return (elapsedMs * 1000) / taken
}

if (process.argv[1] === new URL(import.meta.url).pathname) console.table(benchWire())
