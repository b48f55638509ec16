/**
 * Whether the owners of the markets have switched them off (`toggleDataMarket`, without any event). The contract then releases no
 * epoch (E02), takes batches all the same, and nothing else would tell why no epoch comes.
 */
import type { Clock } from '../../../streams/ports.ts'
import { marketEnabled } from '../contract/market-check.ts'
import { EvmError } from '../errors.ts'
import type { Rpc } from '../nodes/rpc.ts'

/** Between two looks: nothing is decided by them. */
export const SWITCHES_LOOK_MS = 30_000

export interface SwitchPorts {
  readonly rpc: Pick<Rpc, 'read'>
  readonly clock: Pick<Clock, 'now'>
  /** Told once of each change; at first only of a market that is off. */
  readonly switched: (dataMarket: string, isOn: boolean) => void
}

/** Looks when it is time; a look that fails is made again at the next time. */
export function createMarketSwitches(protocolState: string, { rpc, clock, switched }: SwitchPorts) {
  const off = new Set<string>()
  let dueAt = Number.NEGATIVE_INFINITY
  const look = async (dataMarket: string): Promise<void> => {
    const isOn = await rpc.read((ask) => marketEnabled(ask, protocolState, dataMarket))
    if (isOn === off.has(dataMarket)) switched(dataMarket, isOn)
    if (isOn) off.delete(dataMarket)
    else off.add(dataMarket)
  }
  return async (served: readonly string[]): Promise<void> => {
    if (clock.now() < dueAt) return
    dueAt = clock.now() + SWITCHES_LOOK_MS
    for (const dataMarket of off) if (!served.includes(dataMarket)) off.delete(dataMarket)
    const looks = await Promise.allSettled(served.map(look))
    for (const one of looks) if (one.status === 'rejected' && !(one.reason instanceof EvmError)) throw one.reason
  }
}
