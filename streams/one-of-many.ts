/**
 * Work that one of many processes does while the others stand by. A group chooses who works: the owner of the one partition of a
 * topic. Two owners at once must do no harm, so the work itself fences the older one.
 */
import type { BackOff } from './back-off.ts'
import { type Clock, type Log, LogError, mayBeginAgain } from './ports.ts'

export interface OneOfMany {
  readonly group: string
  /** The owner of its partition 0 works: ours have one, and somebody may have added others. */
  readonly topic: string
  /** Name of this process in the group; a second process of the same name ends the first. */
  readonly instanceId: string
  /** Members that work in different ways are refused by it. */
  readonly fingerprint: string
  /** Works until the signal is aborted. It is begun again each time that this process becomes the owner. */
  readonly work: (signal: AbortSignal) => Promise<void>
  /**
   * Whether the work failed only because another process has taken over. Retriable failures of the log pass too, and so does a
   * topic that was made anew: the work begins from what is there, or says why it does not.
   */
  readonly isTakenOver: (error: Error) => boolean
  /** Before this process joins again, or begins the work again. */
  readonly pauseMs: BackOff
  /** This process is the owner from now on, or is no longer. */
  readonly owning?: (owns: boolean) => void
  /** Told of each failure that passes. */
  readonly waiting?: (reason: Error, pauseMs: number) => void
}

export interface RunningPart {
  /** Resolves when the part has ended: with the failure that trying again cannot mend, or with undefined after `close`. */
  readonly stopped: Promise<Error | undefined>
  close(): Promise<void>
}

/** A part as work: it is started, runs until the signal, and is closed. An error that ends it before the signal is thrown. */
export const asWork =
  (start: () => Promise<RunningPart>): OneOfMany['work'] =>
  async (signal) => {
    const part = await start()
    const told = new Promise<undefined>((resolve) => {
      if (signal.aborted) resolve(undefined)
      signal.addEventListener('abort', () => resolve(undefined), { once: true })
    })
    const failure = await Promise.race([told, part.stopped])
    await part.close()
    if (failure) throw failure
  }

/** A membership, or a piece of work, that lasted so long was a success: the failure after it is the first one in a row. */
const STEADY_MS = 15_000

export function startOneOfMany(options: OneOfMany, ports: { readonly log: Log; readonly clock: Clock }): RunningPart {
  const closing = new AbortController()
  const { log, clock } = ports
  const stopped = again(options, clock, closing.signal, () => member(options, log, clock, closing.signal)).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  )
  return {
    stopped,
    async close() {
      closing.abort()
      await stopped
    },
  }
}

/** Does something again and again until the signal. Rejects with the first failure that does not pass. */
async function again(
  { pauseMs, isTakenOver, waiting }: OneOfMany,
  clock: Clock,
  until: AbortSignal,
  action: () => Promise<void>,
): Promise<void> {
  const mayPass = (error: unknown): error is Error =>
    error instanceof LogError ? mayBeginAgain(error) : error instanceof Error && isTakenOver(error)
  for (let failures = 0; !until.aborted; ) {
    const begun = clock.now()
    try {
      await action()
      failures = 0
    } catch (error) {
      if (until.aborted) return
      if (!mayPass(error)) throw error
      failures = clock.now() - begun > STEADY_MS ? 1 : failures + 1
      const ms = pauseMs(failures, error)
      waiting?.(error, ms)
      await clock.sleep(ms, until)
    }
  }
}

/** A single membership: works while it owns the partition, until the signal. Rejects when it is thrown out of the group. */
async function member(options: OneOfMany, log: Log, clock: Clock, signal: AbortSignal): Promise<void> {
  const { group, topic, instanceId, fingerprint, owning } = options
  const turns = new Turns()
  const out = new AbortController()
  let lost: Error | undefined
  const tell = (owns: boolean): void => {
    turns.set(owns)
    owning?.(owns)
  }
  const membership = await log.join(
    { group, topics: [topic], instanceId, fingerprint },
    {
      assigned: (partitions) => tell(partitions.some(({ partition }) => partition === 0)),
      lost(cause) {
        lost = cause
        tell(false)
        out.abort()
      },
    },
  )
  try {
    const until = AbortSignal.any([signal, out.signal])
    while (!until.aborted) {
      const turn = await turns.next(until)
      if (turn) await workForATurn(options, clock, turn)
    }
  } finally {
    await membership.leave().catch(() => undefined) // a group that cannot be told finds out by itself
  }
  if (lost && !signal.aborted) throw thrownOut(group, lost)
}

/** Whatever fails at the end of a turn is for the next owner to find. */
const workForATurn = (options: OneOfMany, clock: Clock, turn: AbortSignal): Promise<void> =>
  again(options, clock, turn, async () => {
    await options.work(turn)
    if (!turn.aborted) throw new LogError('ENDED', `${options.group}: the work ended by itself`, { retriable: true })
  })

/** Two processes of one name would throw each other out for ever; everything else passes. */
function thrownOut(group: string, cause: Error): Error {
  if (cause instanceof LogError && cause.code === 'MEMBER_REPLACED') return cause
  return new LogError('LOST', `thrown out of group ${group}: ${cause.message}`, { retriable: true, cause })
}

/** The times in which this process is the owner. */
class Turns {
  private turn: AbortController | undefined
  private wake: () => void = () => {}

  set(owns: boolean): void {
    if (owns === (this.turn !== undefined)) return
    this.turn?.abort()
    this.turn = owns ? new AbortController() : undefined
    this.wake()
  }

  /** A signal that ends with the turn, or with `until`; undefined when `until` comes before any turn. */
  async next(until: AbortSignal): Promise<AbortSignal | undefined> {
    while (this.turn === undefined && !until.aborted)
      await new Promise<void>((resolve) => {
        const done = (): void => {
          until.removeEventListener('abort', done)
          resolve()
        }
        this.wake = done
        until.addEventListener('abort', done, { once: true })
      })
    return this.turn && AbortSignal.any([until, this.turn.signal])
  }
}
