/** What is besieged: the product as a user starts it, with everything it needs, on loopback. */
import type { LogTarget } from '../../ops/ground/open-log.ts'
import type { StartedSequencer } from '../ops/run-sequencer.ts'
import type { Place } from './world.ts'

export interface TargetOptions {
  readonly directory: string
  readonly seed: number
  readonly honest: number
  readonly spare: number
  readonly markets: number
  readonly blockTime: number
  readonly epochBlocks: number
  readonly window: number
  readonly log: (line: string) => void
}

export interface TargetProcess {
  readonly name: string
  readonly pid: number
}

/** A process that ended although nobody had asked. */
export interface Exit {
  readonly name: string
  readonly exitCode: number | null
  readonly signal: string | null
  /** The end of what it said. */
  readonly stderr: string
}

export interface Target {
  /** Where /healthz and /metrics are answered whatever clients do. */
  readonly probes: string
  readonly place: Omit<Place, 'seed' | 'honest' | 'spare'>
  readonly processes: readonly TargetProcess[]
  readonly exits: readonly Exit[]
  /** Folders whose size is the disk that it takes: name → path. */
  readonly disks: Readonly<Record<string, string>>
  readonly log: LogTarget
  /** Of `sequencer audit`. */
  readonly auditArgs: readonly string[]
  /** Store of the batches. */
  readonly blocks: string
  /** Ends what the audit must not find running. */
  beforeAudit(): Promise<void>
  close(): Promise<void>
}

const STDERR_KEPT_CHARS = 1_500

/** Notes the end of a process unless `isAsked` says that it was asked for. */
export function watchExit(name: string, { finished }: StartedSequencer, exits: Exit[], isAsked: () => boolean): void {
  void finished.then(({ exitCode, signal, stderr }) => {
    if (!isAsked()) exits.push({ name, exitCode, signal, stderr: stderr.slice(-STDERR_KEPT_CHARS) })
  })
}

export const chainArgs = ({
  seed,
  markets,
  blockTime,
  epochBlocks,
  window,
  honest,
  spare,
}: TargetOptions): string[] => [
  ...['--seed', `${seed}`, '--markets', `${markets}`, '--block-time', `${blockTime}`],
  ...['--epoch-blocks', `${epochBlocks}`, '--window', `${window}`],
  ...['--snapshotters', '0', '--spare-slots', `${honest + spare}`, '--chain-port', '0'],
]
