/** A program that starts parts, runs until it is told to end, and leaves nothing behind, whatever fails and whenever. */
import { explain } from '../../base/cli-error.ts'
import { Lifecycle } from '../../base/lifecycle.ts'
import { stderr } from '../../base/output.ts'

export interface Launch {
  /** Closed in the opposite order at the end, also after a start that failed. */
  readonly parts: Lifecycle
  /** Aborted by the first signal and by a failure: what is starting gives up. */
  readonly signal: AbortSignal
  /** A part has ended, or cannot go on: ends everything. The first failure is told, and gives the exit code. */
  fail(error: unknown): void
}

export interface LaunchWords {
  /** Said when a signal has come. */
  stopping(): void
  /** Said when everything has ended as it was asked to. */
  stopped(): void
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** npm passes Ctrl-C on to a program that the terminal has told already: two within this time are one. */
const ONE_SIGNAL_MS = 1_000
const STOPPED_AT_ONCE = 130

/**
 * Runs `start`, waits for a signal or a failure, and closes all parts. The exit code of the process is then set: 0 after a signal,
 * else that of the failure, which has been printed. A second signal ends the process at once, and with it the children.
 */
export async function launch(start: (launch: Launch) => Promise<void>, words: LaunchWords): Promise<void> {
  const stop = new AbortController()
  const { signal } = stop
  const parts = new Lifecycle((text) => stderr.print(`warning: ${text}`))
  let failure: { readonly error: unknown } | undefined
  const fail = (error: unknown): void => {
    if (signal.aborted) return // by then parts end since they are asked to
    failure = { error }
    print(error)
    stop.abort()
  }
  let askedAt: number | undefined
  const onSignal = (): void => {
    if (askedAt !== undefined && Date.now() - askedAt > ONE_SIGNAL_MS) process.exit(STOPPED_AT_ONCE)
    if (askedAt === undefined) words.stopping()
    askedAt ??= Date.now()
    stop.abort()
  }
  for (const name of SIGNALS) process.on(name, onSignal)
  const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  const awake = setInterval(() => {}, 60_000) // children and signals alone keep no process
  try {
    await start({ parts, signal, fail })
    await aborted
  } catch (error) {
    fail(error)
  } finally {
    stop.abort()
    await parts.close()
    clearInterval(awake)
    for (const name of SIGNALS) process.off(name, onSignal)
  }
  if (failure) process.exitCode = explain(failure.error).exitCode
  else words.stopped()
}

/** At once: to close the other parts may take a while. */
const print = (error: unknown): void => stderr.print(...explain(error).lines)
