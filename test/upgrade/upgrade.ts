/** An older release on a real broker under load, replaced by this one, process by process. */
import { join } from 'node:path'
import { STAGES } from '../../ops/base/roles.ts'
import type { AuditReport } from '../../ops/check/audit/report.ts'
import { pause } from '../campaign/faults.ts'
import { SLOTS_SEED, type Surroundings } from '../campaign/surroundings.ts'
import { runSequencer, type StartedSequencer, startSequencer } from '../ops/run-sequencer.ts'
import { stagesOf } from './old-checkout.ts'

export const SLOTS = 12
/** Anchored before the first process is replaced, between two of them, and after the last. */
const EPOCHS_BETWEEN = 2
const AUDIT_TRIES = 30
const AUDIT_EVERY_MS = 5_000
/** The connectors of each. All have all stages, so that old and new members are in one group meanwhile. */
const PROCESSES = {
  edge: ['intake', 'api'],
  ticks: ['clock'],
  chain: ['anchor-effects'],
} as const
type Name = keyof typeof PROCESSES
const NAMES = Object.keys(PROCESSES) as Name[]

export const say = (line: string): void => void process.stderr.write(`[upgrade] ${line}\n`)

export class Upgrade {
  private readonly world: Surroundings
  private readonly directory: string
  private readonly old: string
  private readonly running = new Map<Name, StartedSequencer>()
  private readonly intakePort: number
  private load: StartedSequencer | undefined

  constructor(world: Surroundings, intakePort: number, directory: string, old: string) {
    this.world = world
    this.intakePort = intakePort
    this.directory = directory
    this.old = old
  }

  private get configFile(): string {
    return this.world.configFile
  }

  async run(): Promise<{ readonly audit: AuditReport; readonly kind: string }> {
    await this.deploy(this.old)
    await Promise.all(NAMES.map((name) => this.start(name, this.old)))
    this.load = await this.startLoad()
    await this.world.release()
    await this.anchored()
    const plan = await runSequencer(['deploy', 'plan', '--config', this.configFile, '--json', ...this.markers()])
    const changes = JSON.parse(plan.stdout) as readonly { class: string; name: string }[]
    for (const change of changes) say(`plan: ${change.class} ${change.name}`)
    const stops = changes.some((change) => change.class === 'drain')
    if (stops) await Promise.all(NAMES.map((name) => this.stop(name)))
    await this.deploy()
    for (const name of NAMES) {
      if (!stops) await this.stop(name)
      await this.start(name)
      say(`${name} is replaced`)
      if (!stops || name === NAMES.at(-1)) await this.anchored()
    }
    await this.world.stopReleasing()
    this.load.child.kill('SIGTERM')
    await this.load.finished
    return { audit: await this.audit(), kind: stops ? 'all stopped at once' : 'process by process' }
  }

  async close(): Promise<void> {
    const started = [...this.running.values(), ...(this.load ? [this.load] : [])]
    for (const { child } of started) child.kill('SIGTERM')
    await Promise.all(started.map(({ finished }) => finished))
  }

  private async deploy(root?: string): Promise<void> {
    const words = ['deploy', 'apply', '--config', this.configFile, ...this.markers(root)]
    const { exitCode, stdout, stderr } = await runSequencer(words, root)
    if (exitCode !== 0) throw new Error(`deploy apply ended with ${exitCode}:\n${stdout}${stderr}`)
  }

  /** The older release begins the log without signatures and does not know the settings. */
  private markers(root?: string): readonly string[] {
    if (root !== undefined) return []
    const keyFile = join(this.directory, 'marker.key')
    return ['--set', `markers.signingKeyFile=${keyFile}`, '--set', 'markers.unsignedFirst=true']
  }

  private async start(name: Name, root?: string): Promise<void> {
    const stages = root === undefined ? STAGES : await stagesOf(root)
    const who = ['--roles', [...stages, ...PROCESSES[name]].join(), '--instance-id', name, '--ops-port', '0']
    const key = ['--set', `intake.peerKeyFile=${join(this.directory, 'peer.key')}`]
    const listen = ['--set', `intake.listen=/ip4/127.0.0.1/tcp/${this.intakePort}`]
    const more = [...who, ...key, ...listen, ...this.markers(root)]
    const started = startSequencer(['run', '--config', this.configFile, '--json', ...more], root)
    this.running.set(name, started)
    await started.waitFor(({ event }) => event === 'running')
  }

  private async stop(name: Name): Promise<void> {
    const { child, finished } = this.running.get(name)!
    child.kill('SIGTERM')
    const { exitCode, stderr } = await finished
    if (exitCode !== 0) throw new Error(`${name} ended with ${exitCode}:\n${stderr}`)
  }

  private async startLoad(): Promise<StartedSequencer> {
    const { rpcUrl, chainId, protocolState, markets } = this.world.chain
    const running = await this.running.get('edge')!.waitFor(({ event }) => event === 'running')
    const [to] = running.intake as readonly string[]
    return startSequencer([
      ...['snapshotters', '--to', to!, '--rpc', rpcUrl, '--chain-id', `${chainId}`, '--protocol-state', protocolState],
      ...['--data-market', ...markets, '--slots', `${SLOTS}`, '--seed', `${SLOTS_SEED}`, '--late-by-epochs', '2'],
      ...['--ledger', join(this.directory, 'ledger.jsonl')],
    ])
  }

  /** So many epochs more, as the process with the role `api` sees them. */
  private async anchored(): Promise<void> {
    const { events, waitFor } = this.running.get('edge')!
    const count = (): number => events.filter(({ event }) => event === 'anchored').length
    const enough = count() + EPOCHS_BETWEEN
    await waitFor(() => count() >= enough)
    say(`${EPOCHS_BETWEEN} epochs anchored`)
  }

  /** By this release, until nothing is open any more or its patience ends. */
  private async audit(): Promise<AuditReport> {
    for (let tries = 1; ; tries++) {
      const words = ['audit', '--config', this.configFile, '--rpc', this.world.chain.rpcUrl, '--json']
      const { stdout, stderr } = await runSequencer(words)
      if (stdout === '') throw new Error(`the audit said nothing:\n${stderr}`)
      const report = JSON.parse(stdout) as AuditReport
      const isOver = report.epochsAnchored === report.epochsReleased && report.pending === report.early
      if (isOver || tries === AUDIT_TRIES) return report
      await pause(AUDIT_EVERY_MS)
    }
  }
}
