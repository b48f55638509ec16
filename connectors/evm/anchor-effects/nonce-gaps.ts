/** Notices that a nonce before the nonces of our transactions is nobody's, and that the next nonce does not move. */
import { nonceKey } from '../../../schemas/anchor-keys.ts'
import type { AnchorIntent, AnchorKey, AnchorResult } from '../../../schemas/types.ts'
import type { Clock } from '../../../streams/ports.ts'
import { agreedNonces, agreedPrice } from '../agreed-readings.ts'
import type { Rpc } from '../nodes/rpc.ts'
import type { AnchorSettings } from './anchor-options.ts'
import { priceHere } from './anchor-price.ts'
import { resultOf } from './anchor-result.ts'

/** Looks, each at another head, that must agree that the chain went back, or that a nonce is nobody's. */
export const LOOKS = 3

export interface NonceGapPorts {
  readonly rpc: Pick<Rpc, 'read' | 'agreeing'>
  readonly clock: Clock
  readonly persist: <T>(action: () => Promise<T>) => Promise<T>
  readonly answer: (key: AnchorKey, result: AnchorResult) => Promise<void>
  /** How long nothing got to the chain while calls wait, ms, and in words. */
  readonly idle: () => { readonly ms: number; readonly words: string }
}

/** Our own transactions. */
export interface Transactions {
  /** Signed, or sent and not final. */
  readonly held: () => readonly AnchorIntent[]
  readonly final: () => readonly AnchorIntent[]
}

interface NextNonce {
  readonly signer: string
  readonly nonce: number
}

export function createNonceGaps(settings: AnchorSettings, ports: NonceGapPorts, transactions: Transactions) {
  const { rpc, persist, answer } = ports
  const { held } = transactions
  const standstill = createStandstill(settings, ports)
  const gaps = createGaps(transactions)

  const nextNonces = async (): Promise<NextNonce[]> => {
    const signers = [...new Set(held().map(({ signer }) => signer))]
    const next = signers.length > 0 ? await persist(() => agreedNonces(rpc, signers)) : []
    const nonces = signers.map((signer, at) => ({ signer, nonce: next[at]! }))
    standstill.look(nonces, held())
    return nonces
  }

  return {
    /** @param wentBack then what the nonces say is known already */
    async look(wentBack: boolean): Promise<void> {
      const nonces = await nextNonces()
      for (const { signer, nonce } of gaps.look(wentBack ? [] : nonces)) {
        const behind = held().filter((one) => one.signer === signer && one.nonce > nonce)
        const next = behind.reduce((min, one) => Math.min(min, one.nonce), Number.MAX_SAFE_INTEGER)
        settings.observer?.gapFound?.(nonce, signer, next)
        const { maxFee, tip } = await persist(() => agreedPrice(rpc, (ask) => priceHere(ask, settings)))
        const fees = { maxFeePerGas: `${maxFee}`, maxPriorityFeePerGas: `${tip}` }
        const about = { step: 'DONE', attempt: 0, cid: '' } as const
        await answer(nonceKey(signer, nonce), resultOf(about, 'UNFILLED', { signer, nonce, ...fees }))
      }
    },
    /** Without a new head. */
    again: standstill.again,
  }
}

/** Nonces that none of our transactions has, and that later ones of ours wait for. */
function createGaps({ held, final }: Transactions) {
  let looks = new Map<string, number>()
  /** At or below a final one it is none: the node is behind, or the chain went back, which its blocks will show. */
  const isGap = ({ signer, nonce }: NextNonce): boolean => {
    const ofSigner = (intent: AnchorIntent): boolean => intent.signer === signer
    const isBefore = held()
      .filter(ofSigner)
      .every((one) => one.nonce > nonce)
    return (
      isBefore &&
      final()
        .filter(ofSigner)
        .every((one) => one.nonce < nonce)
    )
  }
  return {
    /** Nonces that were found as gaps in LOOKS looks in a row. */
    look(nonces: readonly NextNonce[]): NextNonce[] {
      const before = looks
      looks = new Map()
      return nonces.filter(isGap).filter(({ signer, nonce }) => {
        const seen = (before.get(`${signer}/${nonce}`) ?? 0) + 1
        looks.set(`${signer}/${nonce}`, seen % LOOKS)
        return seen === LOOKS
      })
    },
  }
}

/** Everything of a signer waits for its next nonce: how long that has been the same. */
function createStandstill({ standstillMs, observer }: AnchorSettings, { clock, idle }: NonceGapPorts) {
  const since = new Map<string, { readonly nonce: number; readonly at: number; readonly waiting: number }>()
  const again = (): void => {
    let longest = 0
    let words = ''
    for (const [signer, { nonce, at, waiting }] of since) {
      const ms = clock.now() - at
      if (ms < standstillMs || ms <= longest) continue
      longest = ms
      words = `nonce ${nonce} of ${signer} is in no block since ${Math.round(ms / 1000)} s, ${waiting} transactions wait for it`
    }
    // A nonce that moves by fillers alone anchors nothing.
    const all = idle()
    if (longest === 0 && all.ms >= standstillMs) observer?.standstill?.(all.ms, all.words)
    else observer?.standstill?.(longest, words)
  }
  return {
    again,
    look(nonces: readonly NextNonce[], held: readonly AnchorIntent[]): void {
      for (const signer of since.keys()) if (!nonces.some((one) => one.signer === signer)) since.delete(signer)
      for (const { signer, nonce } of nonces) {
        const waiting = held.filter((one) => one.signer === signer && one.nonce >= nonce).length
        const before = since.get(signer)
        if (waiting === 0) since.delete(signer)
        else since.set(signer, { nonce, waiting, at: before?.nonce === nonce ? before.at : clock.now() })
      }
      again()
    },
  }
}
