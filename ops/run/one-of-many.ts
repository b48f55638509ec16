/**
 * A part that must run once, in many processes: it runs in whichever owns the one partition of a topic, and stands by in
 * the others. The group only chooses; that two owners at once do no harm is the part's own business (it fences the older).
 */
import { type Clock, type Log, LogError, type Membership } from '../../streams/ports.ts'
import type { Part } from './wiring.ts'

export interface OneOfMany {
  readonly group: string
  /** Has one partition. */
  readonly topic: string
  readonly instanceId: string
  readonly fingerprint: string
  readonly start: () => Promise<Part>
  /** This process has the part now, or no longer. */
  readonly owning: (owns: boolean) => void
  /** An end of the part that only means that another process has taken over. */
  readonly isTakenOver: (error: Error) => boolean
}

/** Before a member that was thrown out joins again, and before a part that was taken over starts again. */
const PAUSE_MS = 1_000

export function startOneOfMany(options: OneOfMany, ports: { log: Log; clock: Clock }): Part {
  const abort = new AbortController()
  const stopped = new Holder(options, ports, abort.signal).hold().then(
    () => undefined,
    (error: unknown) => (abort.signal.aborted ? undefined : error instanceof Error ? error : new Error(String(error))),
  )
  return {
    stopped,
    async close() {
      abort.abort()
      await stopped
    },
  }
}

class Holder {
  private readonly options: OneOfMany
  private readonly log: Log
  private readonly clock: Clock
  private readonly signal: AbortSignal
  private owns = false
  private joined = false
  private failure: Error | undefined
  private wake: () => void = () => {}

  constructor(options: OneOfMany, { log, clock }: { log: Log; clock: Clock }, signal: AbortSignal) {
    this.options = options
    this.log = log
    this.clock = clock
    this.signal = signal
    signal.addEventListener('abort', () => this.wake(), { once: true })
  }

  /** Until the signal; rejects with what is final. */
  async hold(): Promise<void> {
    let membership: Membership | undefined
    let part: Part | undefined
    try {
      while (!this.signal.aborted) {
        if (this.failure) throw this.failure
        if (!this.joined) membership = await this.join()
        else if (this.owns && !part) part = await this.open()
        else if (!this.owns && part) part = await close(part)
        else part = await this.untilNews(part)
      }
    } finally {
      await close(part)
      await membership?.leave().catch(() => undefined)
    }
  }

  private async join(): Promise<Membership | undefined> {
    const { group, topic, instanceId, fingerprint } = this.options
    this.joined = true
    try {
      return await this.log.join(
        { group, topics: [topic], instanceId, fingerprint },
        { assigned: (partitions) => this.assigned(partitions.length > 0), lost: (cause) => this.lost(cause) },
      )
    } catch (error) {
      if (!(error instanceof LogError) || !error.retriable) throw error
      await this.clock.sleep(PAUSE_MS, this.signal)
      this.joined = false
      return undefined
    }
  }

  private async open(): Promise<Part> {
    const part = await this.options.start()
    void part.stopped?.then(() => this.wake())
    return part
  }

  /** The part as it is then: undefined when it was taken over. */
  private async untilNews(part: Part | undefined): Promise<Part | undefined> {
    const news = new Promise<'news'>((resolve) => {
      this.wake = () => resolve('news')
      if (this.signal.aborted) resolve('news')
    })
    const ended = await Promise.race([news, ...(part?.stopped ? [part.stopped] : [])])
    if (!(ended instanceof Error)) return part
    if (!this.options.isTakenOver(ended)) throw ended
    await close(part)
    await this.clock.sleep(PAUSE_MS, this.signal)
    return undefined
  }

  private assigned(owns: boolean): void {
    this.owns = owns
    this.options.owning(owns)
    this.wake()
  }

  private lost(cause: Error): void {
    // two processes with one name would throw each other out for ever
    if (cause instanceof LogError && cause.code === 'MEMBER_REPLACED') this.failure = cause
    this.assigned(false)
    void this.clock.sleep(PAUSE_MS, this.signal).then(() => {
      this.joined = false
      this.wake()
    })
  }
}

async function close(part: Part | undefined): Promise<undefined> {
  await part?.close()
  return undefined
}
