/** The adversary's process: what it is told to do comes as JSON, what it did goes to its parent every second. */
import { appendFileSync } from 'node:fs'
import { ATTACKS, type AttackName, type Shooter } from './attacks.ts'
import { FLOODS, type FloodName } from './floods.ts'
import { type Lines, openLines } from './lines.ts'
import { type Place, type World, watchWorld } from './world.ts'

export type Kind = AttackName | FloodName

export interface Orders {
  readonly place: Place
  readonly kinds: readonly Kind[]
  /** Messages or requests a second of each kind, or connections of it. Absent: 1,000, or that of the kind. */
  readonly rate?: number | undefined
  readonly seconds: number
  /** No kind sends more than this. */
  readonly countMax: number
  readonly connections: number
  readonly addresses: number
  /** Where what it sends honestly is written down. */
  readonly ledger: string
}

export interface KindCounts {
  sent: number
  /** Not sent, because the connections took no more. */
  heldBack: number
  /** Connections or requests refused. */
  refused: number
  answered: number
}

export type Deeds = Record<string, KindCounts>

const RATE = 1_000
const TICK_MS = 10
const REPORT_MS = 1_000
/** Longest step of the clock that is made up for: what was not sent in time is left out. */
const LATE_MS_MAX = 1_000

const orders = JSON.parse(process.argv[2]!) as Orders
const deeds: Deeds = {}
const end = AbortSignal.timeout(orders.seconds * 1_000)
const report = setInterval(() => process.send?.(deeds), REPORT_MS)
await Promise.all([attackByMessages(), ...orders.kinds.filter(isFlood).map(attackByFlood)])
clearInterval(report)
process.send?.(deeds, () => process.exit(0))

async function attackByMessages(): Promise<void> {
  const kinds = orders.kinds.filter((kind): kind is AttackName => !isFlood(kind))
  if (kinds.length === 0) return
  const world = await watchWorld(orders.place, () => {})
  const lines = await openLines(orders.place.intakes, orders.connections, orders.addresses)
  try {
    await lines.tried()
    await Promise.all(kinds.map((kind) => shootAll(kind, world, lines)))
  } finally {
    world.close()
    await lines.close(kinds.some((kind) => kind === 'cross-market' || kind.endsWith('-load')))
  }
}

async function shootAll(kind: AttackName, world: World, lines: Lines): Promise<void> {
  const shoot: Shooter = ATTACKS[kind].aim(world)
  const counts = countsOf(kind)
  const rate = orders.rate ?? RATE
  let [n, line, budget, last] = [0, 0, 0, performance.now()]
  while (!end.aborted && counts.sent < orders.countMax) {
    const now = performance.now()
    budget += (Math.min(now - last, LATE_MS_MAX) / 1_000) * rate
    last = now
    while (budget >= 1 && !end.aborted && performance.now() - now < LATE_MS_MAX) {
      const shot = shoot(n)
      if (!shot) {
        budget = 0
        break
      }
      n++
      budget -= shot.messages
      line = (line + 1) % lines.count
      let isSent = lines.send(line, shot.bytes)
      // what must count is tried on every line, and again
      for (let tries = 1; shot.honest && !isSent && !end.aborted; tries++) {
        if (tries % lines.count === 0) await pause(TICK_MS)
        line = (line + 1) % lines.count
        isSent = lines.send(line, shot.bytes)
      }
      counts[isSent ? 'sent' : 'heldBack'] += shot.messages
      if (isSent && shot.honest)
        appendFileSync(orders.ledger, shot.honest.map((one) => `${JSON.stringify(one)}\n`).join(''))
    }
    counts.refused = lines.refused
    counts.answered = lines.opened
    await pause(TICK_MS)
  }
  while (!end.aborted) await pause(TICK_MS) // connections stay as long as the siege
}

async function attackByFlood(kind: FloodName): Promise<void> {
  const rate = orders.rate ?? FLOODS[kind].rate
  await FLOODS[kind].run(orders.place, { rate, signal: end }, countsOf(kind))
}

function isFlood(kind: Kind): kind is FloodName {
  return kind in FLOODS
}

function countsOf(kind: Kind): KindCounts {
  deeds[kind] = { sent: 0, heldBack: 0, refused: 0, answered: 0 }
  return deeds[kind]
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
