/**
 * The intake: collectors dial it by libp2p, open `/collect`, and send signed submissions; they lie in the topic
 * `submissions` when they are acknowledged. Nothing is judged here but the form of a message.
 */
import type { Libp2p } from '@libp2p/interface'
import type { Appender, Clock, Log, OutgoingRecord } from '../../streams/ports.ts'
import { AppendQueue } from './append-queue.ts'
import { COLLECT_PROTOCOL, Collector, type IntakeTopics } from './collect.ts'
import { Connections, type Peer } from './connections.ts'
import { Counts, countsSince, type IntakeCounts } from './counts.ts'
import { classifyListenFailure } from './errors.ts'
import { createHost, forgetGonePeers } from './host.ts'
import { loadIdentity } from './identity.ts'
import { INTAKE_LIMITS, type IntakeLimits } from './limits.ts'
import { Pressure } from './pressure.ts'

export interface IntakeOptions {
  /** TCP multiaddrs, e.g. `/ip4/0.0.0.0/tcp/9100`; port 0 takes a free one. */
  readonly listen: readonly string[]
  /** File of the libp2p private key; made when it does not exist. */
  readonly keyFile: string
  readonly topics: IntakeTopics
  readonly observer?: IntakeObserver
  readonly limits?: Partial<IntakeLimits>
}

export interface IntakePorts {
  readonly log: Pick<Log, 'appender'>
  readonly clock: Clock
}

/** What stands now. */
export interface IntakeGauges {
  readonly connections: number
  readonly streams: number
  /** Bytes decoded and not yet in the log. */
  readonly inflightBytes: number
  /** Memory for unfinished messages. */
  readonly partialBytes: number
  /** Back-pressure keeps every connection from being read. */
  readonly stopped: boolean
}

export interface IntakeStats extends IntakeCounts, IntakeGauges {
  /** Submissions and dead letters that `close` gave up on. */
  readonly unappended: number
}

/** Told now and then, never per message. */
export interface IntakeObserver {
  /** Every `limits.sweepMs` and at the end: what was added since the last call, and what stands. */
  sampled?(added: IntakeCounts, now: IntakeGauges): void
  /** A group of records is in the log, so long after its first was read. */
  appended?(records: number, bytes: number, waitedMs: number): void
  /** The log refused a group; it is tried again. */
  appendFailed?(error: unknown, retryInMs: number): void
}

export interface Intake {
  /** With the peer id, as collectors dial them. */
  readonly multiaddrs: readonly string[]
  readonly peerId: string
  stats(): IntakeStats
  /**
   * Stops accepting and reading, appends what was read (for at most `limits.drainMsMax`), and closes.
   * What the log did not take in that time is in `stats().unappended`; it was never acknowledged.
   */
  close(): Promise<void>
}

/** Rejects with IntakeError when it cannot listen or has no usable key. */
export async function startIntake(options: IntakeOptions, ports: IntakePorts): Promise<Intake> {
  const limits: IntakeLimits = { ...INTAKE_LIMITS, ...options.limits }
  const privateKey = await loadIdentity(options.keyFile)
  const counts = new Counts()
  const connections = new Connections(limits, counts)
  const host = await createHost({ listen: options.listen, privateKey, limits, connections }).catch((error) => {
    throw classifyListenFailure(error, options.listen)
  })
  const appender = await ports.log.appender()
  const intake = new RunningIntake(host, { ...options, ...ports, limits, counts, connections }, appender)
  try {
    await intake.start()
  } catch (error) {
    await intake.close()
    throw classifyListenFailure(error, options.listen)
  }
  return intake
}

interface Parts extends Omit<IntakeOptions, 'limits'>, IntakePorts {
  readonly limits: IntakeLimits
  readonly counts: Counts
  readonly connections: Connections
}

class RunningIntake implements Intake {
  private readonly host: Libp2p
  private readonly parts: Parts
  private readonly pressure: Pressure<Peer>
  private readonly queue: AppendQueue<Peer>
  private readonly collector: Collector
  private readonly timers: NodeJS.Timeout[] = []
  private sampled: IntakeCounts
  private unappended = 0
  private closing: Promise<void> | undefined

  constructor(host: Libp2p, parts: Parts, appender: Appender) {
    const { limits, connections, counts, observer } = parts
    this.host = host
    this.parts = parts
    this.sampled = counts.snapshot()
    this.pressure = new Pressure(limits, connections.peers)
    this.queue = new AppendQueue<Peer>({ ...parts, ...this.queueEvents(observer) }, appender)
    this.collector = new Collector({
      ...parts,
      queue: (record, bytes, peer) => {
        this.pressure.take(peer, bytes)
        this.queue.add(record, bytes, peer)
      },
    })
  }

  get multiaddrs(): readonly string[] {
    return this.host.getMultiaddrs().map(String)
  }

  get peerId(): string {
    return this.host.peerId.toString()
  }

  async start(): Promise<void> {
    const { host, collector, parts } = this
    await host.handle(COLLECT_PROTOCOL, collector.onStream, { maxInboundStreams: parts.limits.streamsPerConnectionMax })
    await host.start()
    this.timers.push(
      setInterval(() => this.sweep(), parts.limits.sweepMs),
      setInterval(() => void forgetGonePeers(host).catch(() => {}), parts.limits.forgetPeersMs),
    )
  }

  stats(): IntakeStats {
    return { ...this.parts.counts.snapshot(), ...this.gauges(), unappended: this.unappended }
  }

  close(): Promise<void> {
    this.closing ??= this.closeOnce()
    return this.closing
  }

  private async closeOnce(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer)
    this.collector.close()
    this.pressure.close()
    await this.host.unhandle(COLLECT_PROTOCOL)
    this.unappended = await this.queue.drain()
    for (const connection of this.host.getConnections()) connection.abort(new Error('the intake stops'))
    await this.host.stop()
    await this.queue.close()
    this.sample()
  }

  private queueEvents(observer: IntakeObserver | undefined) {
    const submissions = this.parts.topics.submissions.name
    return {
      released: (peer: Peer, bytes: number, { topic }: OutgoingRecord) => {
        if (topic === submissions) this.parts.counts.appended++
        this.pressure.release(peer, bytes)
      },
      appended: (records: number, bytes: number, waitedMs: number) => observer?.appended?.(records, bytes, waitedMs),
      failed: (error: unknown, retryInMs: number) => observer?.appendFailed?.(error, retryInMs),
    }
  }

  private sweep(): void {
    this.collector.sweep()
    this.sample()
  }

  private sample(): void {
    const now = this.parts.counts.snapshot()
    this.parts.observer?.sampled?.(countsSince(this.sampled, now), this.gauges())
    this.sampled = now
  }

  private gauges(): IntakeGauges {
    const { inflightBytes, stopped } = this.pressure
    const { streams, partialBytes } = this.collector
    return {
      connections: this.host.getConnections().length,
      streams: streams.size,
      inflightBytes,
      partialBytes,
      stopped,
    }
  }
}
