/** What goes wrong in a campaign, by one seed: kills, which count, and other faults between them. */
import { Api, type FaultKind } from '../real/kafka-proxy.ts'
import type { Member } from './fleet.ts'
import type { Surroundings } from './surroundings.ts'

/** Longer than the time-outs of the clients, so that a held request comes when nobody expects it any more. */
const HOLD_MS = 15_000
const OUTAGE_MS_MAX = 12_000
const BROKER_DOWN_MS_MAX = 5_000
const BROKER_SHARE = 0.2
const APIS = [Api.PRODUCE, Api.INIT_PRODUCER_ID, Api.END_TXN, Api.TXN_OFFSET_COMMIT] as const
const KINDS: readonly FaultKind[] = ['lose answer', 'cut before', 'cut after', 'hold']

export class Faults {
  readonly counts: Record<string, number> = {}
  private readonly random: () => number
  private readonly surroundings: Surroundings
  private readonly members: readonly Member[]
  /** What must be over before the campaign ends. */
  private readonly pending = new Set<Promise<void>>()
  private brokerDown: Promise<void> | undefined

  constructor(random: () => number, surroundings: Surroundings, members: readonly Member[]) {
    this.random = random
    this.surroundings = surroundings
    this.members = members
  }

  /** kill -9 of a process of ours, or of a broker. */
  async kill(): Promise<void> {
    if (this.random() < BROKER_SHARE && this.brokerDown === undefined) return this.killBroker()
    const member = this.pick(this.members)
    this.count(`kill -9 ${member.name.replace(/-\d+$/, '')}`)
    await member.kill()
  }

  /** One of the others. */
  async disturb(): Promise<void> {
    const { proxies, registryGate, chainGate } = this.surroundings
    const choice = this.random()
    if (choice < 0.25) {
      this.count('connections to a broker cut')
      this.pick(proxies).cut()
    } else if (choice < 0.75) this.misuseRequest()
    else if (choice < 0.85) {
      const member = this.pick(this.members)
      this.count('stopped gracefully and started again')
      this.later(member.recycle())
    } else if (choice < 0.93) this.outage('the chain node away', chainGate)
    else this.outage('the registry away', registryGate)
  }

  /** Resolves when everything that was taken away is back. */
  async settled(): Promise<void> {
    while (this.pending.size > 0) await Promise.all(this.pending)
  }

  private misuseRequest(): void {
    const kind = this.pick(KINDS)
    const { happened, release } = this.pick(this.surroundings.proxies).next(this.pick(APIS), kind)
    this.count(`request: ${kind}`)
    // Whether such a request comes at all is not certain, so nobody waits for the answer.
    if (kind === 'hold') void happened.then(() => setTimeout(() => void release(), this.random() * HOLD_MS))
  }

  private outage(name: string, gate: { close(): void; open(): void }): void {
    this.count(name)
    gate.close()
    this.later(pause(this.random() * OUTAGE_MS_MAX).then(() => gate.open()))
  }

  private async killBroker(): Promise<void> {
    this.count('kill -9 of a broker')
    const broker = this.pick(this.surroundings.kafka.brokers)
    await broker.kill9()
    const back = pause(this.random() * BROKER_DOWN_MS_MAX)
      .then(() => broker.restart())
      .finally(() => {
        this.brokerDown = undefined
      })
    this.brokerDown = back
    this.later(back)
  }

  private later(work: Promise<void>): void {
    const done = work.finally(() => this.pending.delete(done))
    this.pending.add(done)
  }

  private count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  private pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.random() * of.length)]!
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
