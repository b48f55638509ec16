/** Independent clients (librdkafka through kcat, Apache's own in Java) read what we write, and we read what they write. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { KafkaAppender } from '../../../../connectors/log/kafka/appender.ts'
import { attempts } from '../../../../connectors/log/kafka/attempts.ts'
import { COMPRESSION_MASK } from '../../../../connectors/log/kafka/batch-format.ts'
import { KafkaCluster } from '../../../../connectors/log/kafka/cluster.ts'
import { fetchRequest } from '../../../../connectors/log/kafka/fetch-request.ts'
import { Fetcher } from '../../../../connectors/log/kafka/fetcher.ts'
import { bounds } from '../../../../connectors/log/kafka/offsets.ts'
import { encodeRecordBatch } from '../../../../connectors/log/kafka/record-batch.ts'
import { type RecordBatch, readBatches } from '../../../../connectors/log/kafka/record-batch-read.ts'
import type { KafkaRequest } from '../../../../connectors/log/kafka/request.ts'
import { initProducerId } from '../../../../connectors/log/kafka/requests/init-producer-id.ts'
import { produce } from '../../../../connectors/log/kafka/requests/produce.ts'
import { addPartitionsToTxn, endTxn } from '../../../../connectors/log/kafka/requests/transaction.ts'
import { createTopics } from '../../../../connectors/log/kafka/topics.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { findTool } from '../../../../ops/world/brokers/tools.ts'
import type { LogRecord, OutgoingRecord } from '../../../../streams/ports.ts'
import { text } from '../../../contract/log-kit.ts'
import { installMissing } from '../../../real/debian.ts'
import { sharedKafka, uniqueName } from '../../../real/kafka.ts'

const { bootstrap, libraries } = sharedKafka()
const TOOL_WAIT_MS = 60_000
const CODECS = { gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const
const codecs = Object.keys(CODECS) as (keyof typeof CODECS)[]

let cluster: KafkaCluster
let fetcher: Fetcher

beforeAll(async () => {
  installMissing(['kcat'])
  cluster = new KafkaCluster({ brokers: bootstrap, clientId: 'independent', clock: systemClock })
  await cluster.connect()
  fetcher = new Fetcher(cluster, (partitions) => bounds(cluster, partitions))
})
afterAll(async () => {
  await fetcher.close()
  await cluster.close()
})

async function newTopic(): Promise<string> {
  const name = uniqueName('independent')
  await createTopics(cluster, [{ name, partitions: 1, cleanup: 'delete' }])
  return name
}

/** Runs a client to its end. @returns what it printed */
function run(command: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { timeout: TOOL_WAIT_MS })
    let printed = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      printed += chunk
    })
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      errors += chunk
    })
    child.on('error', reject)
    child.on('close', (code) =>
      code === 0 ? resolve(printed) : reject(new Error(`${command} ended ${code}: ${errors}`)),
    )
    child.stdin.end(input)
  })
}
const kcat = (args: readonly string[], input?: string) =>
  run(findTool('kcat'), ['-b', bootstrap.join(), ...args], input)
const java = (tool: string, args: readonly string[], input?: string) =>
  run(
    findTool('java'),
    ['-Xmx96m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${libraries}/*`, tool]
      .concat('--bootstrap-server', bootstrap.join())
      .concat(args),
    input,
  )

async function readAll(topic: string): Promise<LogRecord[]> {
  const [end] = await bounds(cluster, [{ topic, partition: 0 }])
  const records: LogRecord[] = []
  for (let offset = 0; offset < end!.stable; ) {
    const options = { maxWaitMs: 0, maxBytesPerPartition: 50_000 }
    const [fetched] = await fetcher.fetch([{ topic, partition: 0, offset }], options)
    expect(fetched!.next).toBeGreaterThan(offset)
    records.push(...fetched!.records)
    offset = fetched!.next
  }
  return records
}

/** The codecs of the batches of a topic, as they lie there. */
async function codecsIn(topic: string): Promise<number[]> {
  const leader = await cluster.leaderOf({ topic, partition: 0 })
  const limits = { maxWaitMs: 0, maxBytesPerPartition: 16 * 1024 * 1024 }
  const { partitions } = await cluster.send(leader, fetchRequest(12, [{ topic, partition: 0, offset: 0 }], limits))
  return [
    ...new Set(
      [...readBatches(partitions[0]!.records)].map((batch) => (batch as RecordBatch).bytes[22]! & COMPRESSION_MASK),
    ),
  ]
}

/** Lines that compress, but not to nothing. */
const lines = (count: number): string[] =>
  Array.from(
    { length: count },
    (_, at) => `${at} ${createHash('sha256').update(`${at}`).digest('hex')} ${'ab'.repeat(at % 90)}`,
  )

describe('what others compressed', () => {
  test.each(codecs)('behavior: batches that Java compressed with %s are read', async (codec) => {
    const topic = await newTopic()
    const sent = lines(3_000)
    const settings = ['linger.ms=100', 'batch.size=300000'].flatMap((one) => ['--command-property', one])
    const args = ['--topic', topic, '--compression-codec', codec, '--batch-size', '300000', ...settings]
    await java('org.apache.kafka.tools.ConsoleProducer', args, `${sent.join('\n')}\n`)
    expect(await codecsIn(topic)).toEqual([CODECS[codec]])
    expect((await readAll(topic)).map(({ value }) => text(value))).toEqual(sent)
  })

  test.each(codecs)('behavior: batches that librdkafka compressed with %s are read', async (codec) => {
    const topic = await newTopic()
    const sent = lines(3_000)
    await kcat(['-P', '-t', topic, '-p', '0', '-z', codec, '-X', 'linger.ms=100'], `${sent.join('\n')}\n`)
    expect(await codecsIn(topic)).toContain(CODECS[codec])
    expect((await readAll(topic)).map(({ value }) => text(value))).toEqual(sent)
  })
})

describe('what we write', () => {
  const outgoing = (topic: string, value: string | null, more: Partial<OutgoingRecord> = {}): OutgoingRecord => ({
    topic,
    partition: 0,
    timestamp: 1_704_067_200_123,
    key: null,
    value: value === null ? null : Buffer.from(value),
    ...more,
  })

  async function written(): Promise<string> {
    const topic = await newTopic()
    const appender = await KafkaAppender.open(cluster)
    await appender.append([
      outgoing(topic, 'plain'),
      outgoing(topic, null, { key: Buffer.from('tombstone') }),
      outgoing(topic, '', { key: Buffer.alloc(0), timestamp: 1_704_067_100_000 }),
      outgoing(topic, 'with headers', {
        key: Buffer.from('ключ'),
        headers: [
          { key: 'trace', value: Buffer.from('1') },
          { key: 'trace', value: Buffer.alloc(0) },
        ],
      }),
      outgoing(topic, 'large '.repeat(20_000), { timestamp: 1_804_067_100_000 }),
    ])
    await appender.close()
    await transaction(topic, ['committed 1', 'committed 2'], true)
    await transaction(topic, ['aborted'], false)
    await transaction(topic, ['committed 3'], true)
    return topic
  }

  /** One of our batches in a transaction. */
  async function transaction(topic: string, values: readonly string[], commit: boolean): Promise<void> {
    const transactionalId = uniqueName('writer')
    const coordinated = async <T>(request: KafkaRequest<T>): Promise<T> => {
      const step = async () => cluster.send(await cluster.coordinatorOf('transaction', transactionalId), request)
      const forget = () => cluster.forgetCoordinator('transaction', transactionalId)
      return await attempts(cluster.limits(TOOL_WAIT_MS), step, forget)
    }
    const identity = await coordinated(initProducerId(transactionalId, 10_000))
    const owner = { transactionalId, ...identity }
    const at = { topic, partition: 0 }
    await coordinated(addPartitionsToTxn(owner, [at]))
    const records = values.map((value) => outgoing(topic, value))
    const batch = encodeRecordBatch(records, { ...identity, baseSequence: 0, transactional: true })
    const options = { transactionalId, timeoutMs: 10_000, version: 9 } as const
    const [produced] = await cluster.send(await cluster.leaderOf(at), produce([{ ...at, batch }], options))
    expect(produced).toMatchObject({ errorCode: 0 })
    await coordinated(endTxn(owner, commit, 3))
  }

  /** Of the eight committed records. Markers are written some time after a transaction has ended, so it varies. */
  async function lastOffset(topic: string): Promise<number> {
    const records = await vi.waitUntil(
      async () => {
        const found = await readAll(topic)
        return found.length === 8 && found
      },
      { timeout: TOOL_WAIT_MS },
    )
    return records.at(-1)!.offset
  }

  const COMMITTED = ['plain', '', 'with headers', 'committed 1', 'committed 2', 'committed 3']

  test('behavior: kcat reads keys, values, times, headers, and only what is committed', async () => {
    const topic = await written()
    const last = await lastOffset(topic)
    const format = '%o|%T|%K|%k|%S|%h\\n'
    const args = ['-C', '-t', topic, '-e', '-q', '-X', 'isolation.level=read_committed', '-X', 'check.crcs=true']
    expect((await kcat([...args, '-f', format])).trim().split('\n')).toEqual([
      '0|1704067200123|-1||5|',
      '1|1704067200123|9|tombstone|-1|',
      '2|1704067100000|0||0|',
      '3|1704067200123|8|ключ|12|trace=1,trace=',
      '4|1804067100000|-1||120000|',
      '5|1704067200123|-1||11|',
      '6|1704067200123|-1||11|',
      `${last}|1704067200123|-1||11|`,
    ])
    const values = await kcat([...args, '-f', '%s\\n'])
    expect(values.split('\n').filter((value) => COMMITTED.includes(value) && value !== '')).toEqual(
      COMMITTED.filter((value) => value !== ''),
    )
    expect(values).not.toContain('aborted')
  })

  test('behavior: Java reads keys, values, times, headers, and only what is committed', async () => {
    const topic = await written()
    const last = await lastOffset(topic)
    const printed = ['key', 'headers', 'timestamp', 'offset'].flatMap((what) => [
      '--formatter-property',
      `print.${what}=true`,
    ])
    const consumer = [
      '--isolation-level',
      'read_committed',
      '--command-property',
      'check.crcs=true',
      '--from-beginning',
    ]
    const args = ['--topic', topic, '--max-messages', '8', ...consumer, ...printed]
    const seen = (await java('org.apache.kafka.tools.consumer.ConsoleConsumer', args)).trim().split('\n')
    const short = seen.map((line) => line.replace(/(large ){20000}/, 'large').trimEnd())
    expect(short).toEqual([
      'CreateTime:1704067200123\tOffset:0\tNO_HEADERS\tnull\tplain',
      'CreateTime:1704067200123\tOffset:1\tNO_HEADERS\ttombstone\tnull',
      'CreateTime:1704067100000\tOffset:2\tNO_HEADERS',
      'CreateTime:1704067200123\tOffset:3\ttrace:1,trace:\tключ\twith headers',
      'CreateTime:1804067100000\tOffset:4\tNO_HEADERS\tnull\tlarge',
      'CreateTime:1704067200123\tOffset:5\tNO_HEADERS\tnull\tcommitted 1',
      'CreateTime:1704067200123\tOffset:6\tNO_HEADERS\tnull\tcommitted 2',
      `CreateTime:1704067200123\tOffset:${last}\tNO_HEADERS\tnull\tcommitted 3`,
    ])
  })
})
