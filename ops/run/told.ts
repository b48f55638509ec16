/** The words of the roles of a process for its report in the log, beside their health. */
import type { AnchorObserver } from '../../connectors/evm/anchor-effects/anchor-options.ts'
import type { ProcessSigner } from '../../schemas/types.ts'

const SPAN_MS = 60_000
const BUCKET_MS = 5_000

/** A sum over the last minute, give or take the size of a bucket. */
export class LastMinute {
  private readonly buckets: { readonly from: number; sum: number }[] = []
  private readonly now: () => number

  constructor(now: () => number) {
    this.now = now
  }

  add(n: number): void {
    const from = Math.floor(this.now() / BUCKET_MS) * BUCKET_MS
    const last = this.buckets.at(-1)
    if (last?.from === from) last.sum += n
    else this.buckets.push({ from, sum: n })
    this.forget()
  }

  get sum(): number {
    this.forget()
    return this.buckets.reduce((total, { sum }) => total + sum, 0)
  }

  /** A clock that goes back leaves nothing standing either. */
  private forget(): void {
    const now = this.now()
    while (this.buckets.length > 0 && Math.abs(now - this.buckets[0]!.from) > SPAN_MS) this.buckets.shift()
  }
}

export interface Told {
  /** Records that the intake acknowledged. */
  readonly acknowledged: LastMinute
  /** Set in the process that works the role anchor-effects. */
  signer: ProcessSigner | null
  /** A role has failed for good: the last report stays, and says so. */
  failed: boolean
}

export const createTold = (now: () => number): Told => ({
  acknowledged: new LastMinute(now),
  signer: null,
  failed: false,
})

/** Tells of the signer what the observer is told of it. @param address of the signer */
export function toldSigner(observer: AnchorObserver, told: Told, address: string, now: () => number): AnchorObserver {
  const fresh: ProcessSigner = { address, balanceWei: null, balanceAt: null, nonce: null }
  const change = (fields: Partial<ProcessSigner>): void => {
    if (told.signer) told.signer = { ...told.signer, ...fields }
  }
  const paid = (wei: bigint): void => change({ balanceWei: String(wei), balanceAt: now() })
  return {
    ...observer,
    owning(owns) {
      observer.owning?.(owns)
      told.signer = owns ? fresh : null
    },
    balance(wei) {
      observer.balance?.(wei)
      paid(wei)
    },
    lowBalance(wei, needed) {
      observer.lowBalance?.(wei, needed)
      paid(wei)
    },
    signed(nonce, maxFeePerGas, gasLimit) {
      observer.signed?.(nonce, maxFeePerGas, gasLimit)
      change({ nonce: Math.max(nonce, told.signer?.nonce ?? 0) })
    },
  }
}
