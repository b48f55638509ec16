import { crc32 } from 'node:zlib'
import { LogCore } from '../core/core.ts'
import { maintainMemory } from '../memory/memory-maintenance.ts'
import { type Faults, noFaults } from './faults.ts'
import { SeededRandom } from './seeded-random.ts'
import { SimulatedBroker } from './simulated-broker.ts'
import { SimulatedClock } from './simulated-clock.ts'
import { SimulatedLog } from './simulated-log.ts'

export interface SimulationOptions {
  readonly seed: number
  readonly faults?: Partial<Faults>
}

export interface RunLimits {
  /** Steps after which the run has failed. */
  readonly stepsMax?: number
  /** Simulated time after which the run has failed. */
  readonly timeMsMax?: number
}

const STEPS_MAX = 5_000_000
const TIME_MS_MAX = 6 * 60 * 60 * 1000

/** Turns of the event loop without anything to happen, after which nothing ever will. */
const IDLE_TURNS_MAX = 1_000

const MAINTENANCE_INTERVAL_MS = 60_000
const TRACE_LENGTH = 200

/**
 * A log with several users in simulated time, where everything that can go wrong does, by one seed: the same seed and the
 * same users give the same steps. The users must not take time or chance from anywhere else.
 */
export function createSimulatedLog(options: SimulationOptions): Simulation {
  return new Simulation(options.seed, { ...noFaults, ...options.faults })
}

type Start = (log: SimulatedLog) => void

export class Simulation {
  readonly seed: number
  readonly random: SeededRandom
  readonly clock: SimulatedClock
  /** The true content of the log, for the oracle. */
  readonly core = new LogCore()
  /** The last steps, oldest first: simulated ms since the start, and what happened. */
  readonly trace: string[] = []
  /** Changes with every step; equal for equal runs. */
  fingerprint = 0
  steps = 0
  private readonly broker: SimulatedBroker
  private readonly logs = new Map<string, SimulatedLog>()
  private readonly starts = new Map<string, Start>()
  private readonly begun: number

  constructor(seed: number, faults: Faults) {
    this.seed = seed
    this.random = new SeededRandom(seed)
    this.clock = new SimulatedClock(() => this.random.next())
    this.begun = this.clock.now()
    this.broker = new SimulatedBroker(this.core, this.clock, this.random, faults)
    this.every('crashEveryMs', 'crash', () => this.crashAndRestart())
    this.every('pauseEveryMs', 'pause', () => this.pauseSome())
    this.every('rebalanceEveryMs', 'rebalance', () => this.rebalanceSome())
    this.maintainLater(new Map())
  }

  /** A connection to the log; its `clock` stands still when the instance is paused or dead. */
  connect(instanceId: string): SimulatedLog {
    const log = new SimulatedLog(instanceId, this.broker)
    this.logs.set(instanceId, log)
    return log
  }

  /** Starts an instance that the simulation may crash (and start again with a new connection) and pause. */
  spawn(instanceId: string, start: Start): void {
    this.starts.set(instanceId, start)
    start(this.connect(instanceId))
  }

  /** The instance dies here and now. Messages that it had sent may still arrive. */
  crash(instanceId: string): void {
    this.logs.get(instanceId)?.crash()
  }

  /** Starts a spawned instance again. */
  restart(instanceId: string): void {
    this.crash(instanceId)
    this.starts.get(instanceId)!(this.connect(instanceId))
  }

  pause(instanceId: string): void {
    this.logs.get(instanceId)?.pause()
  }

  resume(instanceId: string): void {
    this.logs.get(instanceId)?.resume()
  }

  /** From now on these go wrong too. */
  harm(faults: Partial<Faults>): void {
    this.broker.faults = { ...this.broker.faults, ...faults }
  }

  /** From here on nothing goes wrong any more: paused instances go on, dead ones are started again. */
  heal(): void {
    const { transactionTimeoutMs, sessionTimeoutMs, latencyMsMax } = this.broker.faults
    this.broker.faults = { ...noFaults, transactionTimeoutMs, sessionTimeoutMs, latencyMsMax }
    for (const log of this.logs.values()) log.resume()
    for (const id of this.starts.keys()) if (this.logs.get(id)!.state === 'dead') this.restart(id)
  }

  /**
   * Lets things happen until the condition holds.
   * @throws when it does not within the limits; the message has the seed and the last steps
   */
  async run(until: () => boolean, limits: RunLimits = {}): Promise<void> {
    const last = this.steps + (limits.stepsMax ?? STEPS_MAX)
    const end = this.clock.now() + (limits.timeMsMax ?? TIME_MS_MAX)
    for (let idle = 0; ; ) {
      await settled()
      if (until()) return
      if (this.steps >= last || this.clock.now() >= end) throw this.failed('the condition was not reached')
      if (this.step()) idle = 0
      else if (++idle > IDLE_TURNS_MAX) throw this.failed('nothing is left to happen')
    }
  }

  private step(): boolean {
    const event = this.clock.step()
    if (event === undefined) return false
    const line = `${(event.at - this.begun).toFixed(3)} ${event.label}`
    this.fingerprint = crc32(line, this.fingerprint)
    this.steps++
    if (this.trace.push(line) > TRACE_LENGTH) this.trace.shift()
    return true
  }

  private failed(what: string): Error {
    const lines = this.trace.slice(-20).join('\n  ')
    return new Error(`seed ${this.seed}: ${what} after ${this.steps} steps; the last were\n  ${lines}`)
  }

  /** Repeats an action at random times with a mean distance, while that is not 0. */
  private every(mean: 'crashEveryMs' | 'pauseEveryMs' | 'rebalanceEveryMs', label: string, action: () => void): void {
    const meanMs = this.broker.faults[mean]
    if (meanMs === 0) return
    this.clock.schedule(this.random.interval(meanMs), label, () => {
      if (this.broker.faults[mean] === 0) return
      action()
      this.every(mean, label, action)
    })
  }

  private maintainLater(cleaned: Map<string, number>): void {
    this.clock.schedule(MAINTENANCE_INTERVAL_MS, 'maintain', () => {
      maintainMemory(this.core, this.clock.now(), cleaned)
      this.maintainLater(cleaned)
    })
  }

  private some(): SimulatedLog | undefined {
    const running = [...this.starts.keys()].filter((id) => this.logs.get(id)!.state === 'running')
    return this.logs.get(this.random.pick(running) ?? '')
  }

  private crashAndRestart(): void {
    const log = this.some()
    if (log === undefined) return
    log.crash()
    this.clock.schedule(this.random.next() * this.broker.faults.restartMsMax, `restart ${log.instanceId}`, () => {
      if (log.state === 'dead' && this.logs.get(log.instanceId) === log) this.restart(log.instanceId)
    })
  }

  private pauseSome(): void {
    const log = this.some()
    if (log === undefined) return
    log.pause()
    const ms = this.random.next() * this.broker.faults.pauseMsMax
    this.clock.schedule(ms, `resume ${log.instanceId}`, () => log.resume())
  }

  private rebalanceSome(): void {
    const group = this.random.pick(this.core.groups.names())
    if (group !== undefined) this.core.groups.shake(group)
  }
}

/** Resolves when every promise that could go on has gone on. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
