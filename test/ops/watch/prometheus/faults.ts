/** What is broken, which alert says so, and what else fires meanwhile. */
import { until as untilFound } from '../../../until.ts'
import type { FiringAlert, Prometheus } from './server.ts'
import type { World } from './world.ts'

/** Every time of the rules is so much shorter in a test: five minutes are fifteen seconds. */
export const SCALE = 1 / 20

export interface Fault {
  readonly name: string
  readonly alert: string
  begin(world: World): Promise<void> | void
  end(world: World): Promise<void> | void
}

const PLENTY = 10n ** 22n

export const FAULTS: readonly Fault[] = [
  {
    name: 'EVM node stopped',
    alert: 'ChainStalled',
    begin: (world) => world.stopNode(),
    end: (world) => world.startNode(),
  },
  {
    name: 'stage `validate` stopped',
    alert: 'RoleDown',
    begin: (world) => world.stopValidate(),
    end: (world) => world.startValidate(),
  },
  {
    name: 'batch store cannot be written to',
    alert: 'BatchesWaitForStores',
    begin: (world) => world.breakStore(),
    end: (world) => world.mendStore(),
  },
  {
    name: 'signer without balance',
    alert: 'SignerCannotPay',
    begin: (world) => world.setBalance(0n),
    end: (world) => world.setBalance(PLENTY),
  },
]

/**
 * What says only that the machine is too slow. On one that is busy with other tests that is so, and has nothing to do with
 * what was broken.
 */
const SLOW = ['EventLoopBlocked', 'AckBudgetBurnsFast', 'AckBudgetBurnsSlowly', 'CloseToBatchSlow']

async function firing(prometheus: Prometheus): Promise<readonly FiringAlert[]> {
  const alerts = await prometheus.alerts()
  return alerts.filter(({ state, labels }) => state === 'firing' && !SLOW.includes(labels.alertname!))
}

export interface Outcome {
  readonly fault: string
  readonly expected: string
  /** Names, in the order in which they fired. */
  readonly fired: readonly string[]
  readonly secondsToFire: number
  readonly secondsToClear: number
  readonly alerts: readonly FiringAlert[]
}

const LOOK_MS = 250
/** Also for rules whose times are not shortened. */
const FIRE_MS = 300_000
const CLEAR_MS = 300_000

/** Breaks it, waits for an alert, keeps it broken for `holdMs` more, mends it, and waits until nothing fires. */
export async function tryFault(fault: Fault, world: World, prometheus: Prometheus, holdMs: number): Promise<Outcome> {
  const fired = new Map<string, FiringAlert>()
  const look = async (): Promise<string[]> => {
    const now = await firing(prometheus)
    for (const alert of now) if (!fired.has(alert.labels.alertname!)) fired.set(alert.labels.alertname!, alert)
    return now.map(({ labels }) => labels.alertname!)
  }
  const began = Date.now()
  await fault.begin(world)
  await until(async () => (await look()).includes(fault.alert), FIRE_MS, `${fault.alert} to fire`)
  const secondsToFire = (Date.now() - began) / 1000
  const heldUntil = Date.now() + holdMs
  await until(() => look().then(() => Date.now() > heldUntil), holdMs + FIRE_MS, 'the hold')
  const mended = Date.now()
  await fault.end(world)
  await until(async () => (await look()).length === 0, CLEAR_MS, `nothing to fire after ${fault.name}`)
  const secondsToClear = (Date.now() - mended) / 1000
  const names = [...fired.keys()]
  return {
    fault: fault.name,
    expected: fault.alert,
    fired: names,
    secondsToFire,
    secondsToClear,
    alerts: [...fired.values()],
  }
}

const until = async (holds: () => Promise<boolean>, limitMs: number, what: string): Promise<void> =>
  void (await untilFound(what, holds, { limitMs, everyMs: LOOK_MS }))

/** Nothing fires while all is well: from the very first sample until `epochs` are anchored. */
export async function settle(prometheus: Prometheus, epochs: number): Promise<readonly string[]> {
  const fired = new Set<string>()
  await until(
    async () => {
      for (const { labels } of await firing(prometheus)) fired.add(labels.alertname!)
      const [anchored] = await prometheus.query('sum(seq_epochs_anchored_total)')
      return Number(anchored?.value[1] ?? 0) >= epochs
    },
    300_000,
    `${epochs} epochs to be anchored`,
  )
  return [...fired]
}
