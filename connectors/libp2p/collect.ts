/** The handler of `/collect`: bytes of one stream in, submissions and dead letters out to the queue, limits kept. */
import type { Connection, Stream } from '@libp2p/interface'
import type { EpochMarker, Submission, SubmissionKey } from '../../schemas/types.ts'
import type { RecordTopic } from '../../streams/kafka-topic.ts'
import { partitionFor } from '../../streams/partitioner.ts'
import type { Clock, OutgoingRecord } from '../../streams/ports.ts'
import type { Admission } from './admission.ts'
import type { Connections } from './connections.ts'
import type { Counts, Doubt } from './counts.ts'
import { takeOver } from './early.ts'
import { EVIDENCE_BYTES_MAX, type Frame, FrameDecoder, type FramingProblem } from './framing.ts'
import { Judging } from './judging.ts'
import { type IntakeLimits, TokenBucket } from './limits.ts'
import type { CollectStream, Peer } from './peer.ts'
import type { Lane } from './pressure.ts'
import { decodeSubmission } from './wire.ts'

/** Bytes of a record beside its content: the object, its place in the queue. */
const RECORD_OVERHEAD_BYTES = 256
/** A message of so many bytes is one for the rates; a longer one counts as several. */
const MESSAGE_BYTES = 1024

export interface IntakeTopics {
  readonly submissions: RecordTopic<SubmissionKey, Submission | EpochMarker>
  /** The topic has one partition and no schema. */
  readonly deadLetters: { readonly name: string }
}

export interface CollectorOptions {
  readonly topics: IntakeTopics
  readonly limits: IntakeLimits
  readonly clock: Clock
  readonly connections: Connections
  readonly counts: Counts
  readonly admission: Admission
  /** When it came, of what comes now. */
  readonly stamp: (now: number) => number
  /** Counts bytes that were decoded against the peer. @param lane of a message that is to be judged */
  readonly hold: (bytes: number, peer: Peer, lane?: Lane) => void
  /** Counts bytes no more that are let go without being in the log. */
  readonly drop: (bytes: number, peer: Peer) => void
  /** Takes a record whose bytes are counted. */
  readonly queue: (record: OutgoingRecord, bytes: number, peer: Peer) => void
  /** Told of messages that came on a connection. */
  readonly read: (peer: Peer, messages: number, now: number) => void
}

/** A submission that waits to be judged. */
interface Arrived {
  readonly submission: Submission
  readonly peer: Peer
  readonly lane: Lane
  readonly bytes: number
}

interface Letter extends Pick<FramingProblem, 'message' | 'evidence'> {
  readonly reason: FramingProblem['reason'] | 'REFUSED'
}

export class Collector {
  /** Memory for unfinished messages, of all streams. */
  partialBytes = 0
  readonly streams = new Set<CollectStream>()
  private readonly options: CollectorOptions
  private readonly letters: TokenBucket
  private readonly waiting: Judging<Arrived>
  private judging: Promise<void> | undefined
  private closed = false

  constructor(options: CollectorOptions) {
    this.options = options
    this.letters = new TokenBucket(options.limits.letters, options.clock.now())
    this.waiting = new Judging(options.limits.newcomerMessages)
  }

  readonly onStream = (stream: Stream, connection: Connection): void => {
    const { connections, clock, limits } = this.options
    // A stream may be gone by the end of its negotiation; then its `close` is over and would never free what is kept here.
    if (this.closed || stream.status !== 'open') {
      stream.abort(new Error('not taken'))
      return
    }
    const peer = connections.of(connection, clock.now())
    const decoder = new FrameDecoder(limits.frameBytesMax, limits.skippedBytesMax)
    const open: CollectStream = { stream, peer, decoder, partialBytes: 0, unfinishedSince: undefined }
    this.streams.add(open)
    peer.streams.add(open)
    stream.addEventListener('message', ({ data }) => this.onData(open, data))
    stream.addEventListener('close', () => this.onClose(open))
    const early = takeOver(stream)
    if (early.length > 0) this.onData(open, early)
    // Both halves must be closed before a stream is gone; the collector never reads, so ours closes when its does.
    stream.addEventListener('remoteCloseWrite', () => closeOurHalf(stream))
    if ((stream as { remoteWriteStatus?: string }).remoteWriteStatus === 'closed') closeOurHalf(stream)
  }

  /** Takes what came on a stream that was closed before its handler had it. */
  readonly onEarly = (stream: Stream, peer: Peer, messages: Uint8Array): void => {
    if (this.closed) return
    const { limits, clock } = this.options
    const decoder = new FrameDecoder(limits.frameBytesMax, limits.skippedBytesMax)
    const gone: CollectStream = { stream, peer, decoder, partialBytes: 0, unfinishedSince: undefined }
    const count = this.onChunk(gone, messages, clock.now())
    if (count > 0) this.options.read(peer, count, clock.now())
    if (decoder.unfinishedBytes > 0) this.options.counts.unfinished++
  }

  /** No further bytes are read. */
  close(): void {
    this.closed = true
  }

  /** Resolves when everything that was read is in the queue, or refused. */
  async settled(): Promise<void> {
    while (this.judging) await this.judging
  }

  /** Resets streams whose message does not end; to be called every so often. */
  sweep(): void {
    const { clock, limits, counts } = this.options
    const now = clock.now()
    for (const open of this.streams) {
      if (open.unfinishedSince === undefined) continue
      if (open.peer.paused) open.unfinishedSince = now
      else if (now - open.unfinishedSince > limits.frameTimeoutMs) {
        counts.shed('stalled')
        reset(open, `no end of a message within ${limits.frameTimeoutMs} ms`)
      }
    }
  }

  private onData(open: CollectStream, data: Uint8Array | Iterable<Uint8Array>): void {
    if (this.closed) return
    const now = this.options.clock.now()
    let messages = 0
    for (const chunk of data instanceof Uint8Array ? [data] : data) {
      if (open.stream.status !== 'open') break
      messages += this.onChunk(open, chunk, now)
    }
    if (messages > 0) this.options.read(open.peer, messages, now)
    if (open.stream.status === 'open') this.measurePartial(open, now)
  }

  /** Answers for how many messages its bytes count. */
  private onChunk(open: CollectStream, chunk: Uint8Array, now: number): number {
    this.options.counts.bytes += chunk.length
    const { frames, oversize, skippedBytes, problem } = open.decoder.push(chunk)
    if (frames.length + oversize.length > 0) open.unfinishedSince = undefined
    const isBroken = frames.some((frame) => !this.onFrame(open, frame, now))
    for (const one of oversize) if (!isBroken) this.onOversize(open, one, now)
    if (problem && !isBroken) this.onGarbage(open, problem, now)
    const rest = (problem ? 1 : 0) + Math.ceil(skippedBytes / MESSAGE_BYTES)
    open.peer.messages += rest
    return frames.reduce((sum, frame) => sum + weightOf(frame), rest)
  }

  /** False when the stream was reset. */
  private onFrame(open: CollectStream, frame: Frame, now: number): boolean {
    const { counts } = this.options
    counts.messages++
    open.peer.messages += weightOf(frame)
    const { submission, problem, unframed } = { unframed: false, ...decodeSubmission(frame, this.options.stamp(now)) }
    if (submission) {
      this.arrive(submission, open.peer, frame.bytes.length + RECORD_OVERHEAD_BYTES)
      return true
    }
    counts.malformed++
    const evidence = Buffer.from(frame.bytes.subarray(0, EVIDENCE_BYTES_MAX))
    this.queueLetter({ reason: 'MALFORMED', message: problem ?? '', evidence }, open.peer, now)
    if (unframed) reset(open, problem ?? '')
    return !unframed
  }

  private onOversize({ peer }: CollectStream, problem: FramingProblem, receivedAt: number): void {
    const { counts, admission } = this.options
    counts.messages++
    counts.oversize++
    admission.tooLong(peer)
    this.queueLetter(problem, peer, receivedAt)
  }

  private onGarbage(open: CollectStream, problem: FramingProblem, receivedAt: number): void {
    if (problem.reason === 'OVERSIZE') this.onOversize(open, problem, receivedAt)
    else {
      this.options.counts.messages++
      this.options.counts.malformed++
      this.queueLetter(problem, open.peer, receivedAt)
    }
    reset(open, problem.message) // this stream only: where the next message would begin cannot be known
  }

  private arrive(submission: Submission, peer: Peer, bytes: number): void {
    const lane = this.waiting.laneOf(peer)
    this.options.hold(bytes, peer, lane)
    this.waiting.add({ submission, peer, lane, bytes })
    this.judging ??= this.judgeAll().finally(() => {
      this.judging = undefined
    })
  }

  private async judgeAll(): Promise<void> {
    const { admission, clock } = this.options
    while (this.waiting.size > 0) {
      const some = this.waiting.take()
      const doubts = await admission.judge(some, () => clock.now())
      for (const [at, one] of some.entries()) {
        this.waiting.done(one)
        const doubt = doubts[at]
        if (doubt === undefined) this.queueSubmission(one)
        else this.refuse(one, doubt)
      }
      await new Promise(setImmediate) // other connections have their turn
    }
  }

  private refuse({ submission, peer, bytes }: Arrived, doubt: Doubt): void {
    this.options.drop(bytes, peer)
    const { receivedAt, position: _, digest: __, fullNode: ___, ...sent } = submission
    const evidence = Buffer.from(JSON.stringify(sent)).subarray(0, EVIDENCE_BYTES_MAX)
    this.queueLetter({ reason: 'REFUSED', message: `${doubt}, beyond the rate`, evidence }, peer, receivedAt)
  }

  private queueSubmission({ submission, peer, bytes }: Arrived): void {
    const { counts, drop, queue } = this.options
    let record: OutgoingRecord
    try {
      record = this.recordOf(submission)
    } catch (error) {
      // Whatever it holds that no record can: it must end neither this process nor the votes of others.
      drop(bytes, peer)
      counts.malformed++
      const message = `not to be written: ${(error as Error).message}`
      this.queueLetter({ reason: 'MALFORMED', message, evidence: Buffer.alloc(0) }, peer, this.options.clock.now())
      return
    }
    counts.taken++
    queue(record, bytes, peer)
  }

  private recordOf(submission: Submission): OutgoingRecord {
    const { submissions } = this.options.topics
    const { epochId, projectId } = submission
    const key = submissions.key.encode({ dataMarket: submission.dataMarket.toLowerCase(), epochId, projectId })
    const value = submissions.value.encode(submission)
    const partition = partitionFor(key, submissions.partitions)
    return { topic: submissions.name, partition, timestamp: submission.receivedAt, key, value }
  }

  /** Kept within the rates; beyond them only counted. */
  private queueLetter({ reason, message, evidence }: Letter, peer: Peer, receivedAt: number): void {
    if (!peer.letters.take(receivedAt) || !this.letters.take(receivedAt)) {
      this.options.counts.shed('letters')
      return
    }
    const headers = Object.entries({ reason, peer: peer.peerId, message, receivedAt: String(receivedAt) }).map(
      ([key, text]) => ({ key, value: Buffer.from(text) }),
    )
    const { name: topic } = this.options.topics.deadLetters
    const record = { topic, partition: 0, timestamp: receivedAt, key: null, value: evidence, headers }
    const bytes = evidence.length + RECORD_OVERHEAD_BYTES
    this.options.hold(bytes, peer)
    this.options.queue(record, bytes, peer)
  }

  private measurePartial(open: CollectStream, now: number): void {
    const { limits, counts, connections } = this.options
    const { partialBytes, unfinishedBytes } = open.decoder
    this.countPartial(open, partialBytes)
    if (unfinishedBytes > 0) open.unfinishedSince ??= now
    if (open.peer.partialBytes > limits.partialBytesPerConnectionMax) {
      counts.shed('partial-bytes')
      reset(open, 'too many unfinished messages on this connection')
    } else if (this.partialBytes > limits.partialBytesMax)
      connections.shedGreediest('partial-bytes', ({ peer }) => peer?.partialBytes ?? 0)
  }

  private countPartial(open: CollectStream, bytes: number): void {
    const added = bytes - open.partialBytes
    open.partialBytes = bytes
    open.peer.partialBytes += added
    this.partialBytes += added
  }

  private onClose(open: CollectStream): void {
    this.streams.delete(open)
    open.peer.streams.delete(open)
    this.countPartial(open, 0)
    if (open.decoder.unfinishedBytes > 0) this.options.counts.unfinished++
  }
}

/** For how many messages one counts. */
const weightOf = ({ bytes }: Frame): number => Math.ceil(bytes.length / MESSAGE_BYTES)

const reset = ({ stream }: CollectStream, message: string): void => stream.abort(new Error(message))

/** Fails only when the connection is gone, and the stream with it. */
const closeOurHalf = (stream: Stream): void => void stream.close().catch(() => {})
