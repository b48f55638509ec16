import { doubling } from '../../../streams/back-off.ts'
import type { Clock } from '../../../streams/ports.ts'
import type { ContractBlockSource } from '../contract/chain-reader.ts'
import type { Rpc } from '../nodes/rpc.ts'
import { type Head, headerOf } from './anchor-chain.ts'

/** Polls the head once for all who wait for blocks. */
export interface HeadWatch {
  /** The newest head seen; undefined before the first. */
  readonly head: Head | undefined
  /** Resolves when the head is another than `seen`, after `maxMs`, or at the signal. */
  changed(seen: Head | undefined, maxMs: number, signal: AbortSignal): Promise<Head | undefined>
  /** Resolves after the signal. */
  readonly done: Promise<void>
}

export interface HeadWatchOptions {
  readonly pollMs: number
  readonly backoffMsMax: number
  readonly contractBlock: ContractBlockSource
  readonly failed: (error: Error, retryInMs: number) => void
}

export function watchHead(
  rpc: Pick<Rpc, 'read'>,
  clock: Clock,
  options: HeadWatchOptions,
  signal: AbortSignal,
): HeadWatch {
  let head: Head | undefined
  const listeners = new Set<() => void>()
  const poll = async (): Promise<void> => {
    const backOffMs = doubling({ firstMs: 2 * options.pollMs, mostMs: options.backoffMsMax })
    let failures = 0
    while (!signal.aborted) {
      let pauseMs = options.pollMs
      try {
        const newest = await rpc.read((ask) => headerOf(ask, 'latest', options.contractBlock))
        failures = 0
        if (newest && newest.hash !== head?.hash) {
          head = newest
          for (const listener of [...listeners]) listener()
        }
      } catch (error) {
        pauseMs = backOffMs(++failures)
        options.failed(error as Error, pauseMs)
      }
      await clock.sleep(pauseMs, signal)
    }
  }
  return {
    get head() {
      return head
    },
    async changed(seen, maxMs, waiter) {
      if (head?.hash !== seen?.hash || waiter.aborted) return head
      const wake = new AbortController()
      const listener = (): void => wake.abort()
      listeners.add(listener)
      waiter.addEventListener('abort', listener, { once: true })
      await clock.sleep(maxMs, wake.signal)
      listeners.delete(listener)
      waiter.removeEventListener('abort', listener)
      return head
    },
    done: poll(),
  }
}
