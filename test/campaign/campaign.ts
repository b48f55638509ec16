/**
 * The sequencer on a real Kafka cluster while everything around it fails: three processes for each role that may be many,
 * load from simulated snapshotters through three intakes, kill -9 of processes and brokers and the faults of `faults.ts`, over
 * several days of the contract; then peace, the audit recomputes everything, and each day must be paid.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Role, STAGES } from '../../ops/base/roles.ts'
import type { AuditReport } from '../../ops/check/audit/report.ts'
import { freePorts } from '../../ops/world/brokers/ports.ts'
import { daysOf, type PaidDays, paidDays, paymentsTold } from '../ops/days-paid.ts'
import { seededRandom } from '../ops/random.ts'
import { runSequencer, type StartedSequencer, startSequencer } from '../ops/run-sequencer.ts'
import { DAYS, DAYS_MIN, type Days, releaseDays } from './days.ts'
import { Faults, pause } from './faults.ts'
import { Member, type UnexpectedExit } from './fleet.ts'
import { SLOTS_SEED, type Surroundings, startSurroundings } from './surroundings.ts'

const INSTANCES = 3
const FIRST_KILL_MS = 5_000
const BETWEEN_KILLS_MS = { min: 1_500, max: 6_000 }
/** Between two kills. */
const DISTURBANCES_MAX = 3
/** After the last fault; what was held or waited longest is over by then. */
const FINISH_MS_MAX = 300_000
const AUDIT_EVERY_MS = 10_000

export interface CampaignOptions {
  readonly kills: number
  readonly brokers: 1 | 3
  readonly seed: number
  readonly slots: number
  /** Everything is kept here: logs of all processes, the broker's data, the settings. */
  readonly directory: string
  readonly log: (line: string) => void
}

export interface CampaignReport {
  readonly seed: number
  readonly kills: number
  readonly faults: Readonly<Record<string, number>>
  readonly minutes: number
  readonly unexpectedExits: readonly UnexpectedExit[]
  readonly audit: AuditReport
  readonly paid: PaidDays
}

export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  mkdirSync(options.directory, { recursive: true })
  const started = Date.now()
  const surroundings = await startSurroundings({ ...options, days: DAYS })
  try {
    await deploy(surroundings)
    const { members, intakes } = await createFleet(options, surroundings)
    for (const member of members) member.start()
    await Promise.all(members.map((member) => member.running()))
    options.log(`${members.length} processes run`)
    const load = await startLoad(options, surroundings, intakes)
    const faults = new Faults(seededRandom(options.seed), surroundings, members)
    const days = releaseDays(surroundings, options.log)
    try {
      await disturb(options, faults, days)
      await days.until(DAYS_MIN)
      await Promise.all(load.map(end))
      const audit = await untilAnchored(options, surroundings)
      const { configFile, chain } = surroundings
      const paid = await paidDays(await paymentsTold(chain.rpcUrl), '--config', configFile)
      const unexpectedExits = members.flatMap(({ unexpected }) => unexpected)
      const minutes = Math.round((Date.now() - started) / 6_000) / 10
      return { seed: options.seed, kills: options.kills, faults: faults.counts, minutes, unexpectedExits, audit, paid }
    } finally {
      days.stop()
      await Promise.all([...load.map(end), ...members.map((member) => member.stop())])
    }
  } finally {
    await surroundings.close()
  }
}

async function deploy({ configFile }: Surroundings): Promise<void> {
  const { exitCode, stdout, stderr } = await runSequencer(['deploy', 'apply', '--config', configFile])
  if (exitCode !== 0) throw new Error(`deploy apply ended with ${exitCode}:\n${stdout}${stderr}`)
}

async function createFleet({ directory }: CampaignOptions, { configFile }: Surroundings) {
  const ports = await freePorts(INSTANCES)
  const member = (name: string, roles: readonly Role[], args: readonly string[] = []) =>
    new Member({ name, roles, args, configFile, directory })
  const intakes = ports.map((port, i) => {
    const keyFile = join(directory, `intake-${i + 1}.key`)
    const listen = `/ip4/127.0.0.1/tcp/${port}`
    return member(
      `intake-${i + 1}`,
      ['intake'],
      ['--set', `intake.listen=${listen}`, '--set', `intake.peerKeyFile=${keyFile}`],
    )
  })
  const others = Array.from({ length: INSTANCES }, (_, i) => [
    member(`stages-${i + 1}`, STAGES),
    member(`effects-${i + 1}`, ['clock', 'anchor-effects']),
  ])
  return { intakes, members: [...intakes, ...others.flat()] }
}

/** The same slots through every intake: each submission comes three times, and counts once. */
async function startLoad(
  { slots, directory }: CampaignOptions,
  { chain }: Surroundings,
  intakes: readonly Member[],
): Promise<StartedSequencer[]> {
  const addresses = await Promise.all(intakes.map((intake) => intake.address()))
  return addresses.map((to, i) =>
    startSequencer([
      'snapshotters',
      ...['--to', to],
      ...['--rpc', chain.rpcUrl],
      ...['--chain-id', `${chain.chainId}`],
      ...['--protocol-state', chain.protocolState],
      ...['--data-market', ...chain.markets],
      ...['--slots', `${slots}`],
      ...['--seed', `${SLOTS_SEED}`],
      ...['--connections', '4'],
      ...['--spread-ms', '4000'],
      ...['--late-by-epochs', '2'],
      ...['--ledger', join(directory, `ledger-${i + 1}.jsonl`)],
    ]),
  )
}

/** A part of the kills falls in each of the first days, from its beginning on, when the day before is closed. */
async function disturb({ kills, seed, log }: CampaignOptions, faults: Faults, days: Days): Promise<void> {
  const random = seededRandom(seed ^ 0xd15)
  await pause(FIRST_KILL_MS)
  const killsPerDay = Math.ceil(kills / DAYS_MIN)
  for (let kill = 1; kill <= kills; kill++) {
    await days.begun(Math.ceil(kill / killsPerDay))
    const disturbances = Math.floor(random() * (DISTURBANCES_MAX + 1))
    const { min, max } = BETWEEN_KILLS_MS
    const part = (min + random() * (max - min)) / (disturbances + 1)
    for (let i = 0; i < disturbances; i++) {
      await pause(part)
      await faults.disturb()
    }
    await pause(part)
    await faults.kill()
    if (kill % 10 === 0) log(`${kill} of ${kills} kills`)
  }
  await faults.settled()
}

async function end({ child, finished }: StartedSequencer): Promise<void> {
  child.kill('SIGTERM')
  await finished
}

/** Audits until nothing is open any more and no day is being closed, or the time is up: then the last report says what is. */
async function untilAnchored({ log }: CampaignOptions, { configFile, chain }: Surroundings): Promise<AuditReport> {
  const deadline = Date.now() + FINISH_MS_MAX
  for (;;) {
    const { stdout, stderr } = await runSequencer(['audit', '--config', configFile, '--rpc', chain.rpcUrl, '--json'])
    if (stdout === '') throw new Error(`the audit said nothing:\n${stderr}`)
    const report = JSON.parse(stdout) as AuditReport
    const { epochsReleased, epochsAnchored, pending, early, lost, duplicated, skipped, mismatches } = report
    const days = await daysOf('--config', configFile)
    const isClosing = days.some(({ standing }) => standing === 'CLOSING')
    const isOver = epochsAnchored === epochsReleased && pending === early && !isClosing
    if (isOver || lost + duplicated + skipped + mismatches > 0 || Date.now() > deadline) return report
    log(`${epochsAnchored} of ${epochsReleased} epochs anchored, ${pending} submissions pending`)
    await pause(AUDIT_EVERY_MS)
  }
}
