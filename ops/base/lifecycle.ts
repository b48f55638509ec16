/** Things that were started, closed in the opposite order; one that fails to close does not keep the others open. */
export interface Closeable {
  close(): Promise<unknown>
}

export class Lifecycle {
  private readonly started: { name: string; part: Closeable }[] = []
  private closing: Promise<void> | undefined
  private readonly warn: (text: string) => void

  constructor(warn: (text: string) => void) {
    this.warn = warn
  }

  /** Waits for a part to start, remembers it, and returns it. A part that started too late is closed at once. */
  async add<P extends Closeable>(name: string, starting: P | Promise<P>): Promise<P> {
    const part = await starting
    if (this.closing) await part.close()
    else this.started.push({ name, part })
    return part
  }

  close(): Promise<void> {
    this.closing ??= this.closeAll()
    return this.closing
  }

  private async closeAll(): Promise<void> {
    for (const { name, part } of this.started.reverse()) {
      try {
        await part.close()
      } catch (error) {
        this.warn(`${name} did not close cleanly: ${error instanceof Error ? error.message : error}`)
      }
    }
  }
}

/** Resolves when the signal is aborted, also when that was before the call: a start takes its time, and Ctrl-C does not wait. */
export const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
