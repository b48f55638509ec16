import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ByteWriter } from '../../../../connectors/log/kafka/byte-writer.ts'
import { Connection } from '../../../../connectors/log/kafka/connection.ts'
import { nodeFactory } from '../../../../connectors/log/kafka/kafkajs.ts'
import { settingsOf } from '../../../../connectors/log/kafka/options.ts'
import { metadata } from '../../../../connectors/log/kafka/requests/metadata.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { FrameSplitter } from '../../../real/kafka-frames.ts'

/** What the broker below does with a request: bytes are written, then it does what else it wants with the socket. */
type Answer = (socket: Socket, correlationId: number) => void

const VERSIONS = 18
const REQUEST_TIMEOUT_MS = 1_000

/** Not a broker: one that fails in the middle of an answer, at a byte of our choice. */
let broker: Server
let port: number
let answers: Map<number, Answer>
const sockets = new Set<Socket>()
let connections: number

beforeEach(async () => {
  connections = 0
  answers = new Map([[VERSIONS, (socket, id) => socket.write(versionsAnswer(id))]])
  broker = createServer((socket) => {
    connections++
    sockets.add(socket)
    const requests = new FrameSplitter((frame) => {
      answers.get(frame.readInt16BE(4))?.(socket, frame.readInt32BE(8))
    })
    socket.on('error', () => {}).on('data', (bytes) => requests.push(bytes))
  })
  await new Promise<void>((resolve) => broker.listen(0, '127.0.0.1', resolve))
  port = (broker.address() as { port: number }).port
})

afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  await new Promise((resolve) => broker.close(resolve))
})

function createConnection(): Connection {
  const brokers = [`127.0.0.1:${port}`]
  const settings = settingsOf({ brokers, clientId: 'test', clock: systemClock, requestTimeoutMs: REQUEST_TIMEOUT_MS })
  const throttle = { imposed: () => {}, leftOf: () => 0 }
  return new Connection(
    nodeFactory(settings),
    { host: '127.0.0.1', port, lane: 'common' },
    REQUEST_TIMEOUT_MS,
    throttle,
  )
}

const framed = (payload: Buffer): Buffer => {
  const length = Buffer.alloc(4)
  length.writeInt32BE(payload.length)
  return Buffer.concat([length, payload])
}

/** It knows Metadata only. */
function versionsAnswer(correlationId: number): Buffer {
  const writer = new ByteWriter(false)
  writer.int32(correlationId)
  writer.int16(0)
  writer.array([3], (apiKey) => {
    writer.int16(apiKey)
    writer.int16(0)
    writer.int16(9)
  })
  writer.int32(0) // throttle time
  return framed(writer.finish())
}

/** One node, no topics. */
function metadataAnswer(correlationId: number): Buffer {
  const writer = new ByteWriter(true)
  writer.int32(correlationId)
  writer.endStructure()
  writer.int32(0)
  writer.array([7], (nodeId) => {
    writer.int32(nodeId)
    writer.string('127.0.0.1')
    writer.int32(port)
    writer.nullableString(null)
    writer.endStructure()
  })
  writer.nullableString(null)
  writer.int32(7)
  writer.array([], () => {})
  writer.int32(0)
  writer.endStructure()
  return framed(writer.finish())
}

const codeOf = (sent: Promise<unknown>) => sent.then(String, (error: { code: string }) => error.code)

test('behavior: after an answer that broke off, the next connection is read from its first byte', async () => {
  const connection = createConnection()
  answers.set(3, (socket, id) => {
    answers.set(3, (next, nextId) => next.write(metadataAnswer(nextId)))
    socket.write(metadataAnswer(id).subarray(0, 20), () => socket.destroy())
  })

  expect(await codeOf(connection.send(metadata([])))).toBe('UNANSWERED')
  expect(await connection.send(metadata([]))).toMatchObject({ controllerId: 7 })
  expect(connections).toBe(2)
  await connection.close()
})

test('behavior: a connection on which no answer came in time is replaced, and its waiting callers hear of it', async () => {
  const connection = createConnection()
  const patient = codeOf(connection.send(metadata([]), 60_000))
  const impatient = codeOf(connection.send(metadata([])))
  expect(await Promise.all([patient, impatient])).toEqual(['UNANSWERED', 'UNANSWERED'])

  answers.set(3, (socket, id) => socket.write(metadataAnswer(id)))
  expect(await connection.send(metadata([]))).toMatchObject({ controllerId: 7 })
  expect(connections).toBe(2)
  await connection.close()
})

test('error: a broker that takes connections and never answers fails everybody who came while one was being opened', async () => {
  const connection = createConnection()
  const asked = new Promise<void>((resolve) => answers.set(VERSIONS, () => resolve()))
  const first = codeOf(connection.send(metadata([])))
  await asked // the client asks for versions now, and knows nothing yet
  const second = codeOf(connection.send(metadata([]), 60_000))

  expect(await Promise.all([first, second])).toEqual(['UNREACHABLE', 'UNREACHABLE'])
  expect(connections).toBe(1)
  await connection.close()
})
