import { directoryPaths } from '../../ops/ground/directory-paths.ts'
import { startSequencer } from '../ops/run-sequencer.ts'
import { chainArgs, type Exit, type Target, type TargetOptions, watchExit } from './target.ts'

/** `sequencer dev` without snapshotters of its own. */
export async function startDevTarget(options: TargetOptions): Promise<Target> {
  const dataDir = `${options.directory}/dev`
  const dev = startSequencer([
    ...['dev', '--data-dir', dataDir, '--listen-port', '0', '--ops-port', '0', '--json'],
    ...chainArgs(options),
  ])
  const exits: Exit[] = []
  let asked = false
  watchExit('dev', dev, exits, () => asked)
  const running = await dev.waitFor(({ event }) => event === 'running')
  const stop = async (): Promise<void> => {
    asked = true
    dev.child.kill('SIGINT')
    await dev.finished
  }
  return {
    probes: running.probes as string,
    place: {
      intakes: [running.intake as string],
      ops: running.ops as string,
      rpc: running.rpc as string,
      chainId: 31_337,
      protocolState: running.protocolState as string,
      markets: running.markets as string[],
    },
    processes: [{ name: 'dev', pid: dev.child.pid! }],
    exits,
    disks: {
      log: directoryPaths(dataDir).log,
      view: directoryPaths(dataDir).view,
      blocks: directoryPaths(dataDir).blocks,
    },
    log: { kind: 'directory', dataDir },
    auditArgs: ['--data-dir', dataDir],
    blocks: directoryPaths(dataDir).blocks,
    beforeAudit: stop,
    close: stop,
  }
}
