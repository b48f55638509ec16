/**
 * The intake: collectors dial it by libp2p, open `/collect`, and send signed submissions; they lie in the topic
 * `submissions` when they are acknowledged. The verdicts are given behind the log; here the form of a message is judged, and
 * whether its bearer is within the rates (admission.ts, pace.ts).
 */
import type { Libp2p } from '@libp2p/interface'
import type { Appender, Clock, Log, OutgoingRecord } from '../../streams/ports.ts'
import { Admission, type Guide, NO_GUIDE } from './admission.ts'
import { AppendQueue } from './append-queue.ts'
import { type Ban, Bans } from './bans.ts'
import { Collector, type IntakeTopics } from './collect.ts'
import { Connections } from './connections.ts'
import { Counts, countsSince, type IntakeCounts } from './counts.ts'
import { classifyListenFailure } from './errors.ts'
import type { IntakeGauges, IntakeStats } from './gauges.ts'
import { createHost, forgetGonePeers } from './host.ts'
import { loadIdentity } from './identity.ts'
import { INTAKE_LIMITS, type IntakeLimits } from './limits.ts'
import { faulty, Pace, ranksOf } from './pace.ts'
import { COLLECT_PROTOCOL, type Peer } from './peer.ts'
import { Pressure } from './pressure.ts'
import { Talkers } from './talkers.ts'

export interface IntakeOptions {
  /** TCP multiaddrs, e.g. `/ip4/0.0.0.0/tcp/9100`; port 0 takes a free one. */
  readonly listen: readonly string[]
  /** File of the libp2p private key; made when it does not exist. */
  readonly keyFile: string
  readonly topics: IntakeTopics
  readonly observer?: IntakeObserver
  readonly limits?: Partial<IntakeLimits>
  /** Peer ids, addresses and ranges that may never connect. */
  readonly banned?: readonly string[]
}

export interface IntakePorts {
  readonly log: Pick<Log, 'appender'>
  readonly clock: Clock
  /** The known facts of slots and epochs; none by default, and then no submission is doubtful. */
  readonly guide?: Guide
  /** Records that `validate` is behind; undefined when nobody knows. Must not reject. */
  readonly lag?: () => Promise<number | undefined>
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
  /** The bans of the operator from now on, all of them; connections of the banned are closed. */
  orderBans(bans: readonly Ban[]): void
  /** Ends a ban that the intake gave. */
  liftBan(subject: string): void
  /**
   * Lets nobody in, tells the senders (parting.ts), reads what they had sent before they knew, appends it, and closes; for at most
   * `limits.drainMsMax`. Records that the log did not take in that time are counted in `stats().unappended`.
   */
  close(): Promise<void>
}

/** Rejects with IntakeError when it cannot listen or has no usable key. */
export async function startIntake(options: IntakeOptions, ports: IntakePorts): Promise<Intake> {
  const limits: IntakeLimits = { ...INTAKE_LIMITS, ...options.limits }
  const privateKey = await loadIdentity(options.keyFile)
  const counts = new Counts()
  const { clock } = ports
  const bans = new Bans(options.banned ?? [], limits.bansMax)
  const talkers = new Talkers(limits.talkersMax, clock.now())
  const connections = new Connections({ limits, counts, bans, talkers, clock })
  const host = await createHost({ listen: options.listen, privateKey, limits, connections }).catch((error) => {
    throw classifyListenFailure(error, options.listen)
  })
  const appender = await ports.log.appender()
  const intake = new RunningIntake(host, { ...options, ...ports, limits, counts, connections, bans, talkers }, appender)
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
  readonly bans: Bans
  readonly talkers: Talkers
}

/** Talkers that are told of. */
const TALKERS_TOLD = 20
/** Bans that are told of. */
const BANS_TOLD = 100
/** The interval at which held connections are looked at, or connections that are told of the end. */
const WAKE_MS = 25
/** Longest turn of waiting for them that is believed: the clock may be set meanwhile. */
const STEP_MS_MAX = 1_000
/** For the log at the end, however long the senders took. */
const DRAIN_MS_MIN = 1_000

class RunningIntake implements Intake {
  private readonly host: Libp2p
  private readonly parts: Parts
  private readonly pressure: Pressure<Peer>
  private readonly queue: AppendQueue<Peer>
  private readonly collector: Collector
  private readonly admission: Admission
  private readonly pace: Pace
  private behind: number | undefined
  private asking = false
  private sweptAt: number
  private readonly timers: NodeJS.Timeout[] = []
  private sampled: IntakeCounts
  private unappended = 0
  private notParted = 0
  private closing: Promise<void> | undefined

  constructor(host: Libp2p, parts: Parts, appender: Appender) {
    const { limits, connections, counts, observer, clock, guide = NO_GUIDE } = parts
    this.host = host
    this.parts = parts
    this.sampled = counts.snapshot()
    this.sweptAt = clock.now()
    this.pressure = new Pressure(limits, connections.peers, ranksOf(guide, limits))
    this.pace = new Pace(limits, counts, this.pressure, clock.now())
    this.admission = new Admission(guide, limits, counts, {
      passed: (peer, now) => connections.touch(peer, now),
      voted: (peer, voter) => connections.voted(peer, voter),
      faulted: (peer) => this.punish(peer),
    })
    this.queue = new AppendQueue<Peer>({ ...parts, ...this.queueEvents(observer) }, appender)
    this.collector = new Collector({
      ...parts,
      admission: this.admission,
      stamp: guide.stamp,
      hold: (bytes, peer, lane) => this.pressure.take(peer, bytes, lane),
      drop: (bytes, peer) => this.pressure.release(peer, bytes),
      queue: (record, bytes, peer) => this.queue.add(record, bytes, peer),
      read: (peer, messages, now) => {
        if (!this.closing) this.pace.spend(peer, messages, now)
      },
    })
    connections.inbound.onEarly = this.collector.onEarly
    connections.inbound.onFrames = (guest, frames) => this.pace.spendFrames(guest, frames, clock.now())
    host.addEventListener('connection:open', ({ detail }) => {
      // One that was ended before libp2p tells of it: its `close` is over and would never free what is kept here.
      if (detail.status === 'open') connections.of(detail, clock.now())
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
      setInterval(() => this.pace.wake(parts.clock.now()), WAKE_MS),
      setInterval(() => void this.askLag(), parts.limits.lagAskMs),
      setInterval(() => void forgetGonePeers(host).catch(() => {}), parts.limits.forgetPeersMs),
    )
  }

  stats(): IntakeStats {
    const { bans: _, ...gauges } = this.gauges()
    return { ...this.parts.counts.snapshot(), ...gauges, unappended: this.unappended, notParted: this.notParted }
  }

  orderBans(bans: readonly Ban[]): void {
    this.parts.bans.order(bans)
    this.parts.connections.enforceBans()
  }

  liftBan(subject: string): void {
    this.parts.bans.lift(subject)
    this.parts.connections.forgive(subject)
  }

  close(): Promise<void> {
    this.closing ??= this.closeOnce()
    return this.closing
  }

  private async closeOnce(): Promise<void> {
    const { limits, clock } = this.parts
    for (const timer of this.timers) clearInterval(timer)
    const began = clock.now()
    await this.part()
    this.collector.close()
    this.pressure.close()
    await this.host.unhandle(COLLECT_PROTOCOL)
    await this.collector.settled()
    this.unappended = await this.queue.drain(Math.max(DRAIN_MS_MIN, limits.drainMsMax - (clock.now() - began)))
    for (const connection of this.host.getConnections()) connection.abort(new Error('the intake stops'))
    await this.host.stop()
    await this.queue.close()
    this.sample()
  }

  /** Tells the senders first, and reads what they had sent before they knew: it is success for them. */
  private async part(): Promise<void> {
    const { connections, limits, clock } = this.parts
    connections.part()
    this.pace.end()
    let at = clock.now()
    for (let spentMs = 0; spentMs < limits.drainMsMax && connections.notParted(0) > 0; ) {
      await clock.sleep(WAKE_MS)
      const elapsedMs = Math.min(STEP_MS_MAX, Math.max(WAKE_MS, clock.now() - at))
      at = clock.now()
      spentMs += elapsedMs
      connections.notParted(elapsedMs)
    }
    this.notParted = connections.notParted(0)
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
    const now = this.parts.clock.now()
    this.collector.sweep()
    this.parts.connections.sweep(now - this.sweptAt)
    this.sweptAt = now
    this.sample()
  }

  /** A log that does not answer holds nothing back: what was known of the lag goes with the next answer. */
  private async askLag(): Promise<void> {
    const { lag, limits } = this.parts
    if (!lag || this.asking) return
    this.asking = true
    this.behind = await lag()
    this.asking = false
    this.pace.lag(this.behind)
    this.admission.lagging = this.behind !== undefined && this.behind > limits.lagRecordsMax
  }

  private punish(peer: Peer): void {
    const { limits, connections, bans, counts, clock } = this.parts
    const whom = faulty(peer, limits)
    if (whom === undefined) return
    const subject = whom === 'host' ? peer.host.name : peer.peerId
    if (bans.of(whom === 'host' ? { address: peer.address } : { peerId: subject }, clock.now())) return
    const reason = `${Math.round(whom === 'host' ? peer.host.faults : peer.standing.faults)} bad signatures`
    bans.add({ subject, untilMs: clock.now() + limits.banMs, reason })
    counts.bans++
    connections.enforceBans()
  }

  private sample(): void {
    const now = this.parts.counts.snapshot()
    this.parts.observer?.sampled?.(countsSince(this.sampled, now), this.gauges())
    this.sampled = now
  }

  private gauges(): IntakeGauges {
    const { inflightBytes, stopped } = this.pressure
    const { streams, partialBytes } = this.collector
    const { bans, clock, talkers } = this.parts
    const now = clock.now()
    return {
      connections: this.host.getConnections().length,
      streams: streams.size,
      inflightBytes,
      partialBytes,
      stopped,
      behind: this.behind,
      talkers: talkers.top(TALKERS_TOLD, now).map((one) => ({ ...one, bannedUntil: bans.until(one, now) })),
      bans: bans.mine(now).slice(0, BANS_TOLD),
    }
  }
}
