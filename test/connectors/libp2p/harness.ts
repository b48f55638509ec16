/** A running intake over a log in hand, and clients that dial it as collectors do. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import type { Libp2p, Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import type { Guide } from '../../../connectors/libp2p/admission.ts'
import { type Intake, type IntakeObserver, startIntake } from '../../../connectors/libp2p/intake.ts'
import type { IntakeLimits } from '../../../connectors/libp2p/limits.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { createCodec } from '../../../schemas/codec.ts'
import { memoryRegistry } from '../../../schemas/registry.ts'
import type { Submission } from '../../../schemas/types.ts'
import { type Appender, LogError, type OutgoingRecord } from '../../../streams/ports.ts'
import { sequencerTopics } from '../../../topology/topics.ts'
import { until as untilFound } from '../../until.ts'

export const topics = sequencerTopics(await createCodec(memoryRegistry()), {
  prefix: 't-',
  partitions: { submissions: 4, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 },
})

/** A log that keeps what is appended, and can be made slow, failing or stuck. */
export class ScriptedLog {
  readonly records: OutgoingRecord[] = []
  /** Called before each append; may wait, or throw what the append is to fail with. */
  before: (records: readonly OutgoingRecord[]) => Promise<void> = async () => {}
  appenders = 0
  closed = 0

  appender = async (): Promise<Appender> => {
    this.appenders++
    return {
      append: async (records) => {
        await this.before(records)
        return records.map((record) => this.records.push(record))
      },
      close: async () => void this.closed++,
    }
  }

  get submissions(): Submission[] {
    return this.records
      .filter(({ topic }) => topic === topics.submissions.name)
      .map(({ value }) => topics.submissions.value.decode(value!) as Submission)
  }

  get letters() {
    return this.records
      .filter(({ topic }) => topic === topics.deadLetters.name)
      .map(({ value, headers = [] }) => ({
        value: Buffer.from(value!),
        headers: Object.fromEntries(headers.map((header) => [header.key, Buffer.from(header.value).toString()])),
      }))
  }
}

export const refusal = (retriable = true) => new LogError('REFUSED', 'scripted', { retriable, indefinite: true })

export interface Running {
  readonly intake: Intake
  readonly log: ScriptedLog
  readonly directory: string
}

export class Stage implements AsyncDisposable {
  private readonly ends: (() => Promise<unknown>)[] = []

  async intake(
    options: {
      limits?: Partial<IntakeLimits>
      log?: ScriptedLog
      directory?: string
      observer?: IntakeObserver
      listen?: string
      guide?: Guide
      lag?: () => Promise<number | undefined>
      banned?: readonly string[]
    } = {},
  ): Promise<Running> {
    const directory = options.directory ?? (await this.directory())
    const { log = new ScriptedLog(), limits = {}, observer = {}, listen = '/ip4/127.0.0.1/tcp/0' } = options
    const intake = await startIntake(
      {
        listen: [listen],
        keyFile: join(directory, 'peer.key'),
        topics,
        limits,
        observer,
        banned: options.banned ?? [],
      },
      {
        log,
        clock: systemClock,
        ...(options.guide && { guide: options.guide }),
        ...(options.lag && { lag: options.lag }),
      },
    )
    this.ends.push(() => intake.close())
    return { intake, log, directory }
  }

  async directory(): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'intake-'))
    this.ends.push(() => rm(directory, { recursive: true, force: true }))
    return directory
  }

  async client(encryption: 'tls' | 'noise' = 'noise', options: Partial<Libp2pOptions> = {}): Promise<Libp2p> {
    const client = await createLibp2p({
      transports: [tcp()],
      connectionEncrypters: [encryption === 'tls' ? tls() : noise()],
      streamMuxers: [yamux({ maxOutboundStreams: 20_000 })],
      services: { identify: identify() },
      connectionManager: { reconnectRetries: 0 },
      connectionMonitor: { enabled: false },
      ...options,
    })
    this.ends.push(async () => client.stop())
    return client
  }

  /** Called when the stage ends, latest first. */
  onEnd(end: () => Promise<void>): void {
    this.ends.push(end)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.ends.reverse()) await end()
  }
}

export const open = (client: Libp2p, { intake }: Pick<Running, 'intake'>): Promise<Stream> =>
  client.dialProtocol(multiaddr(intake.multiaddrs[0]!), '/collect', { maxOutboundStreams: 20_000 })

/** Writes everything, waiting for room; rejects when the stream ends before. */
export async function write(stream: Stream, bytes: Uint8Array, chunkBytes = bytes.length): Promise<void> {
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    if (stream.status !== 'open') throw new Error(`stream ${stream.status}`)
    if (stream.send(bytes.subarray(at, at + chunkBytes)) || !stream.writableNeedsDrain) continue
    await new Promise<void>((resolve, reject) => {
      stream.addEventListener('drain', () => resolve(), { once: true })
      stream.addEventListener('close', () => reject(new Error('closed while writing')), { once: true })
    })
  }
}

let made = 0
/** A message as a collector writes it; every one has an id of its own, counted from 1. */
export function message(fields: { projectId?: string; epochId?: number; dataMarket?: string; pad?: number } = {}) {
  const id = `${(++made).toString(16).padStart(8, '0')}-1111-4222-8333-000000000000`
  const { projectId = 'pair:0xabc:UNISWAPV2', epochId = 7, dataMarket = `0x${'Ab'.repeat(20)}`, pad = 64 } = fields
  const request = { slotId: 5, deadline: 900, snapshotCid: 'b'.repeat(pad), epochId, projectId }
  const json = JSON.stringify({ request, signature: '0'.repeat(130), header: `0x${'1'.repeat(64)}`, dataMarket })
  return { id, bytes: Buffer.from(id + json) }
}

export const messages = (count: number, fields?: Parameters<typeof message>[0]) =>
  Array.from({ length: count }, () => message(fields))

/** Waits until it holds, looking every 5 ms; the bound only ends a test that would fail. */
export const until = async (holds: () => boolean, what: string, limitMs = 20_000): Promise<void> =>
  void (await untilFound(what, holds, { limitMs, everyMs: 5 }))
