/** The output of `run`: a line per event, as text or as JSON. The collector of the lines adds the time. */

import type { RoleHealth } from '../base/health.ts'
import type { Lines, Output } from '../base/output.ts'
import { withoutKeys } from '../base/shown-url.ts'
import { lostOf } from '../reading/epoch-progress.ts'
import { lostWords, secondsToAnchor } from '../reading/progress.ts'
import type { ProgressListener } from '../reading/progress-listener.ts'
import type { SequencerSettings } from '../settings/schema.ts'

export interface RunLines extends ProgressListener {
  starting(settings: SequencerSettings & { readonly instanceId: string }): void
  running(at: {
    readonly intake: readonly string[]
    readonly ops: string
    readonly probes: string
    readonly roles: readonly string[]
  }): void
  role(name: string, health: RoleHealth): void
  stopping(): void
  warn(text: string): void
}

export function createRunLines(out: Output, json: boolean): RunLines {
  const say = (event: string, data: object, ...lines: Lines): void =>
    json ? out.printJson({ event, ...data }) : out.print(...lines)
  return {
    starting: ({ appId, instanceId, kafka, roles }) =>
      say(
        'starting',
        { appId, instanceId, roles },
        `starting ${roles.join(', ')} of ${appId} as ${instanceId} on ${kafka.brokers.join(', ')}`,
      ),
    running: ({ intake, ops, probes, roles }) =>
      say(
        'running',
        { intake, ops, probes, roles },
        ...intake.map((at) => `intake        ${at}`),
        `metrics       ${ops}/metrics (also /readyz)`,
        `probes        ${probes}/readyz (also /metrics)`,
      ),
    role: (role, { ready, detail }) =>
      say('role', { role, ready, detail }, `${role}: ${ready ? 'runs' : 'waits'}${detail && `, ${detail}`}`),
    stopping: () => say('stopping', {}, 'stopping; once more to stop at once'),
    warn(words) {
      const text = withoutKeys(words)
      say('note', { text }, `warning: ${text}`)
    },
    anchored: (epoch) => {
      const { dataMarket, epochId } = epoch
      const seconds = secondsToAnchor(epoch)
      const after = seconds === undefined ? '' : `, ${seconds.toFixed(1)} s after its release`
      say(
        'anchored',
        { dataMarket, epochId, seconds },
        `epoch ${epochId} of ${dataMarket.slice(0, 8)}: anchored${after}`,
      )
    },
    endedWithoutBatch: ({ dataMarket, epochId }, outcome) =>
      say(
        'without-batch',
        { dataMarket, epochId, outcome },
        `epoch ${epochId} of ${dataMarket.slice(0, 8)}: ended without a batch: ${outcome}`,
      ),
    missed: (epoch) => {
      const { dataMarket, epochId } = epoch
      const batches = Object.fromEntries(lostOf(epoch.progress))
      const line = `epoch ${epochId} of ${dataMarket.slice(0, 8)}: ended, not anchored: ${lostWords(epoch)}`
      say('missed', { dataMarket, epochId, batches }, line)
    },
  }
}
